"""Backgrounds by name."""
