"""Which file suffixes mean pictures, photos, clips and recordings."""

# Pictures that OpenCV reads: sources, masks and photos for training.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
# Photos that Pillow reads, with its plug-in for HEIC.
PHOTOS = (*PICTURES, ".gif", ".avif", ".heic", ".heif")
# Files that a folder of backgrounds may contain.
STILL_BACKGROUNDS = (*PICTURES, ".avif", ".jp2", ".pgm", ".ppm")
MOVING_BACKGROUNDS = (
    ".avi",
    ".gif",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".ogv",
    ".ts",
    ".webm",
    ".wmv",
)
# Clips for training and evaluation.
CLIPS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")
# Videos that a live run can write.
RECORDINGS = (".mp4", ".mkv", ".mov", ".webm")
