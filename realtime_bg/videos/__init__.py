"""Video files: every picture at its time, with the sound as it was."""
