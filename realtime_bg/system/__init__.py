"""What the operating system lends: terminal, files, signals, watching files."""
