"""Bulk work on several machines, through Ray: photos and videos in, files out."""
