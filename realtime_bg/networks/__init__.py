"""Networks, written from their papers."""
