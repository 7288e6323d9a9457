"""Real-time webcam background replacement."""

__version__ = "0.1.0"
