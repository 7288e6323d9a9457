"""Classical computer vision engines, without networks or weights."""
