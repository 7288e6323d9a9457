"""The icon in the desktop's panel, which shows and controls the daemon."""
