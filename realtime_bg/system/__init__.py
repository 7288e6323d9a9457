"""Operating system services: terminal, files, signals, file watching."""
