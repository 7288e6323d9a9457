"""What tests of several rooms use; see each module."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository."""
