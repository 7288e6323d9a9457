"""Engines of classical vision: no network, no weights."""
