"""From a frame to a composite: matting, refinement and composition, without threads."""
