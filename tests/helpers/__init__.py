"""Helpers for the tests of several rooms."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository's root."""
