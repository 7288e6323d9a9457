"""The Python API behind `import realtime_bg`: photos, sequences of frames, and live pipelines."""

from realtime_bg.api.photos import alpha, remove
from realtime_bg.api.running import Running, open
from realtime_bg.api.session import Session

__all__ = ["Running", "Session", "alpha", "open", "remove"]
