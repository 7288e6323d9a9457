"""The Python API, as `import realtime_bg` shows it: photos, frames in a row, and live pipelines."""

from realtime_bg.api.photos import alpha, remove
from realtime_bg.api.running import Running, open
from realtime_bg.api.session import Session

__all__ = ["Running", "Session", "alpha", "open", "remove"]
