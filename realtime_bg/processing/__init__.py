"""From a frame to a composite: matting, refining, composing. No threads."""
