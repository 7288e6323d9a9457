"""Live use on threads: capture, inference, composing, and every sink on its own."""
