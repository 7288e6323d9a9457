"""The threads of a live run: capture, inference, composing, and one per output."""
