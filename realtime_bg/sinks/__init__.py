"""Sinks by name."""
