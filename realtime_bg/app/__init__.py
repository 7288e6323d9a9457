"""Whole jobs from settings to result: live runs, benchmarks, and files without threads."""
