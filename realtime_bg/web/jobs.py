"""The queue of video conversions: one at a time in the background; results are kept for an hour or
until they are deleted."""

import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Literal

from realtime_bg.backgrounds import file_of
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image
from realtime_bg.media.photos import encode
from realtime_bg.settings import Settings
from realtime_bg.system.files import write_whole
from realtime_bg.videos.clips import Clip
from realtime_bg.videos.convert import VideoOptions, convert
from realtime_bg.videos.sound import plan_sound
from realtime_bg.web.answers import Refusal, busy, missing, too_large, unreadable, unusable
from realtime_bg.web.form_checks import FormChoice
from realtime_bg.web.job_folders import JobFolder, remove_abandoned
from realtime_bg.web.limits import Limits
from realtime_bg.web.pixel_gate import PixelGate

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600.0  # after the conversion has ended
CHUNK = 1 << 20

State = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass
class Job:
    """One video. ``done`` and ``total`` count frames; ``total`` may be unknown."""

    id: str
    temporary: JobFolder
    target: Path
    state: State = "queued"
    done: int = 0
    total: int | None = None
    most: int = 0  # largest number of frames allowed
    fps: float = 0.0
    error: str = ""
    timer: threading.Timer | None = None  # deletes the job
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self.temporary.path

    def as_json(self) -> dict[str, Any]:
        """The representation sent to clients."""
        shown = ("id", "state", "done", "total", "fps", "error")
        return {name: getattr(self, name) for name in shown} | {"name": self.target.name}


class Jobs:
    """All jobs of a server, each with a temporary folder that is deleted with it."""

    def __init__(
        self, settings: Settings, limits: Limits, gate: PixelGate, changed: Callable[[], None]
    ) -> None:
        """``changed`` is called from any thread whenever a job changes."""
        self._settings, self._limits, self._changed = settings, limits, changed
        self._gate = gate
        remove_abandoned()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "videos")

    def add(self, video: BinaryIO, choice: FormChoice, behind: Image | None) -> Job:
        """Store a video and queue it. Raises Refusal."""
        name = secrets.token_hex(8)
        transparent = choice.background is None and behind is None
        options = VideoOptions(alpha="vp9" if transparent else None)
        with self._lock:
            if len(self._jobs) >= self._limits.jobs:
                raise busy(f"there are {self._limits.jobs} videos; delete one")
            # One folder per job, because systems delete old folders in /tmp.
            temporary = JobFolder()
            folder = temporary.path
            job = Job(name, temporary, folder / ("result.webm" if transparent else "result.mp4"))
            self._jobs[name] = job
        try:
            source = folder / secrets.token_hex(8)  # a name that the file cannot refer to
            with source.open("wb") as file:
                shutil.copyfileobj(video, file, CHUNK)
            self._check(source, job, options)
            settings = self._job_settings(choice, behind, folder)
        except BaseException:
            self._forget(job)
            raise
        self._worker.submit(self._run, job, settings, source, options)
        self._changed()
        return job

    def _check(self, source: Path, job: Job, options: VideoOptions) -> None:
        try:
            with self._gate.admit(self._limits.pixels):
                clip = Clip(source, self._limits.pixels)
        except RealtimeBgError as error:
            raise unreadable(str(error).replace(str(source), "the video")) from None
        job.total, job.most = clip.frames, round(self._limits.seconds * clip.rate)
        if clip.frames is not None and clip.frames > job.most:
            raise too_large(self._too_long())
        try:
            plan_sound(job.target, clip, job.folder, ())
        except RealtimeBgError:
            raise unusable(
                "its sound cannot be converted; remove the sound from the video first"
            ) from None

    def _too_long(self) -> str:
        return f"a video may be at most {self._limits.seconds / 60:g} minutes long"

    def _job_settings(self, choice: FormChoice, behind: Image | None, folder: Path) -> Settings:
        settings = self._settings
        changes: dict[str, Any] = {}
        background = choice.background
        if behind is not None:
            background = str(folder / "background.png")
            write_whole(Path(background), encode(behind, "png"))
        elif background is not None and file_of(background) is not None:
            # The one in the gallery may be deleted before it is this video's turn.
            copy = folder / f"background{Path(background).suffix}"
            shutil.copyfile(background, copy)
            background = str(copy)
        if background is not None:
            changes["background"] = settings.background.model_copy(update={"current": background})
        if choice.engine is not None and choice.engine != settings.engine.name:
            engine = {"name": choice.engine, "model": None}
            changes["engine"] = settings.engine.model_copy(update=engine)
        return settings.model_copy(update=changes)

    def _run(self, job: Job, settings: Settings, source: Path, options: VideoOptions) -> None:
        def progress(done: int, total: int | None, fps: float) -> None:
            job.done, job.total, job.fps = done, total, round(fps, 1)
            if done > job.most:  # not every file states its length
                job.error = self._too_long()
                job.stop.set()

        if not job.stop.is_set():
            job.state = "running"
            self._changed()
            try:
                done = convert(settings, source, job.target, options, progress, job.stop)
                job.state = "done" if done else "failed" if job.error else "cancelled"
            except RealtimeBgError as error:
                job.state, job.error = "failed", _without_paths(str(error), job.folder)
            except Exception:
                log.exception("a video failed")
                job.state, job.error = "failed", "internal error; see the terminal for details"
        else:
            job.state = "cancelled"
        job.timer = threading.Timer(KEPT_SECONDS, self._forget, (job,))
        job.timer.daemon = True
        job.timer.start()
        source.unlink(missing_ok=True)
        if job.id not in self._jobs:  # deleted while it was running
            self._forget(job)
        self._changed()

    def get(self, name: str) -> Job:
        """Raises Refusal."""
        job = self._jobs.get(name)
        if job is None:
            raise missing("video")
        return job

    def all(self) -> list[dict[str, Any]]:
        """All jobs, oldest first."""
        with self._lock:
            return [job.as_json() for job in self._jobs.values()]

    def result(self, name: str) -> Path:
        """The path of the finished file. Raises Refusal."""
        job = self.get(name)
        if job.state != "done":
            raise Refusal(HTTPStatus.CONFLICT, f"the video is {job.state}")
        return job.target

    def remove(self, name: str) -> None:
        """Cancel and delete a job. Raises Refusal."""
        job = self.get(name)
        job.stop.set()
        self._forget(job)
        self._changed()

    def _forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
        if job.timer is not None:
            job.timer.cancel()
        if job.state != "running":
            job.temporary.remove()

    def close(self) -> None:
        """Stop and delete all jobs."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        self._worker.shutdown(wait=True, cancel_futures=True)
        for job in jobs:
            self._forget(job)


def _without_paths(text: str, folder: Path) -> str:
    """Remove the paths of temporary files from an error message."""
    return text.replace(f"{folder}{os.sep}", "")
