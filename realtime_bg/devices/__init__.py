"""Cameras and virtual cameras of this computer, and who uses them."""
