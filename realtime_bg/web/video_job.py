"""One conversion of a video: its files, its state, and what clients are told of it."""

import math
import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any, Literal

from realtime_bg.settings import Settings
from realtime_bg.videos.convert import VideoOptions
from realtime_bg.web.job_folders import JobFolder
from realtime_bg.web.video_preview import VideoPreview

State = Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
REPEATABLE: tuple[State, ...] = ("failed", "cancelled")


@dataclass
class Job:
    """One video. ``done`` and ``total`` count frames; ``total`` may be unknown. ``source``, the
    upload, is kept while the job can be repeated. ``created`` and ``expires`` are in seconds since
    1970."""

    id: str
    temporary: JobFolder
    source: Path
    target: Path
    source_name: str
    name: str  # of the result, for the client
    settings: Settings
    options: VideoOptions
    total: int | None
    most: int  # largest number of frames allowed
    thumbnail: bytes  # JPEG
    preview: VideoPreview
    state: State = "queued"
    done: int = 0
    fps: float = 0.0
    error: str = ""
    created: int = field(default_factory=lambda: int(time()))
    expires: int | None = None
    timer: threading.Timer | None = None  # deletes the job
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.temporary.path

    @property
    def eta(self) -> int | None:
        """Seconds until it is done, at the present speed; None if that is unknown."""
        if self.state != "running" or self.total is None or not self.fps:
            return None
        return math.ceil(max(0, self.total - self.done) / self.fps)

    @property
    def can_retry(self) -> bool:
        """Whether it may be queued again."""
        return self.state in REPEATABLE and self.source.exists()

    def as_json(self) -> dict[str, Any]:
        """The representation sent to clients."""
        same = ("id", "name", "state", "done", "total", "eta", "error", "created", "expires")
        return {key: getattr(self, key) for key in same} | {
            "source": self.source_name,
            "fps": round(self.fps, 1),
            "preview": self.preview.count,
            "can_retry": self.can_retry,
        }
