"""Conversion of video files, with the original timestamps and sound."""
