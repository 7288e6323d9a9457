"""The program's jobs from settings to result: run, bench, and files without threads."""
