"""Reading and writing photos, videos and sound."""
