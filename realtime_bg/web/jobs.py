"""The queue of video conversions: one at a time in the background; each is kept for an hour after
its end or until it is deleted."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image
from realtime_bg.settings import Settings
from realtime_bg.videos.convert import convert
from realtime_bg.web.answers import Refusal, busy, missing
from realtime_bg.web.form_checks import FormChoice
from realtime_bg.web.job_folders import remove_abandoned
from realtime_bg.web.limits import Limits
from realtime_bg.web.pixel_gate import PixelGate
from realtime_bg.web.video_intake import VideoIntake, too_long
from realtime_bg.web.video_job import ENDED, REPEATABLE, Job, State

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600.0  # after the conversion has ended


class Jobs:
    """All jobs of a server, each with a temporary folder that is deleted with it."""

    def __init__(
        self, settings: Settings, limits: Limits, gate: PixelGate, changed: Callable[[], None]
    ) -> None:
        """``changed`` is called from any thread whenever a job changes."""
        self._limits, self._changed = limits, changed
        self._intake = VideoIntake(settings, limits, gate)
        remove_abandoned()
        self._jobs: dict[str, Job] = {}
        self._incoming = 0  # uploads that are still being stored and checked
        self._lock = threading.Lock()  # of the jobs' states, too
        self._worker = ThreadPoolExecutor(1, "videos")

    def add(
        self,
        video: BinaryIO,
        choice: FormChoice,
        behind: Image | None,
        name: str | None = None,
        format: str | None = None,
    ) -> Job:
        """Store a video and queue it. ``name``: what the client calls the file. ``format``: see
        `chosen_format`. Raises Refusal."""
        with self._lock:
            if len(self._jobs) + self._incoming >= self._limits.jobs:
                raise busy(f"there are {self._limits.jobs} videos; delete one")
            self._incoming += 1
        try:
            job = self._intake.job(video, choice, behind, name, format)
            with self._lock:
                self._jobs[job.id] = job
        finally:
            with self._lock:
                self._incoming -= 1
        self._worker.submit(self._run, job)
        self._changed()
        return job

    def _run(self, job: Job) -> None:
        with self._lock:
            if job.state != "queued":  # cancelled or deleted
                return
            job.state = "running"
        self._changed()
        state, error = self._converted(job)
        job.preview.finish()
        with self._lock:
            if state == "done":
                job.total = job.done
                job.source.unlink(missing_ok=True)
            job.error = error
            self._ended(job, state)
            if job.id not in self._jobs:  # deleted while it was running
                self._clear(job)
        self._changed()

    def _converted(self, job: Job) -> tuple[State, str]:
        """Convert a video; returns its state at the end, and why it failed."""
        overrun = False

        def progress(done: int, total: int | None, fps: float) -> None:
            nonlocal overrun
            job.done, job.total, job.fps = done, total, fps
            if done > job.most:  # not every file states its length
                overrun = True
                job.stop.set()

        try:
            done = convert(
                job.settings, job.source, job.target, job.options, progress, job.stop, job.preview
            )
        except RealtimeBgError as error:
            # Without the paths of temporary files
            return "failed", str(error).replace(f"{job.folder}{os.sep}", "")
        except Exception:
            log.exception("a video failed")
            return "failed", "internal error; see the terminal for details"
        if done:
            return "done", ""
        return ("failed", too_long(self._limits)) if overrun else ("cancelled", "")

    def _ended(self, job: Job, state: State) -> None:
        """Note the end of a job, which is deleted after a while."""
        job.state, job.expires = state, int(time.time() + KEPT_SECONDS)
        job.timer = threading.Timer(KEPT_SECONDS, self._expire, (job,))
        job.timer.daemon = True
        job.timer.start()

    def _expire(self, job: Job) -> None:
        with self._lock:
            if job.state in ENDED:  # and not queued again at the last moment
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

    def result(self, name: str) -> tuple[Path, str]:
        """The path of the finished file, and what it is called. Raises Refusal."""
        job = self.get(name)
        if job.state != "done":
            raise _unsuitable(job)
        return job.target, job.name

    def preview(self, name: str) -> bytes:
        """The newest finished picture as JPEG. Raises Refusal."""
        preview = self.get(name).preview
        if not preview.count:
            raise missing("preview yet")
        return preview.jpeg

    def cancel(self, name: str) -> Job:
        """Stop a job, which stays in the list and can be repeated. Raises Refusal."""
        job = self.get(name)
        with self._lock:
            if job.state == "queued":
                self._ended(job, "cancelled")
            elif job.state == "running":
                job.state = "cancelling"
                job.stop.set()
            elif job.state in ("done", "failed"):
                raise _unsuitable(job)
        self._changed()
        return job

    def retry(self, name: str) -> Job:
        """Queue a job again that has failed or was cancelled. It continues where it was stopped.
        Raises Refusal."""
        job = self.get(name)
        with self._lock:
            if job.state not in REPEATABLE:
                raise _unsuitable(job)
            if not job.can_retry:  # a system that empties its temporary folder
                raise Refusal(HTTPStatus.CONFLICT, "the upload is gone; send the video again")
            if job.timer is not None:
                job.timer.cancel()
            job.state, job.error, job.expires = "queued", "", None
            job.done, job.fps, job.stop = 0, 0.0, threading.Event()
        self._worker.submit(self._run, job)
        self._changed()
        return job

    def remove(self, name: str) -> None:
        """Cancel and delete a job. Raises Refusal."""
        job = self.get(name)
        with self._lock:
            self._forget(job)
        self._changed()

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        job.stop.set()
        if job.state == "queued":
            job.state = "cancelled"
        if job.state in ENDED:
            self._clear(job)

    @staticmethod
    def _clear(job: Job) -> None:
        if job.timer is not None:
            job.timer.cancel()
        job.temporary.remove()

    def close(self) -> None:
        """Stop and delete all jobs."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        self._worker.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            for job in jobs:
                self._forget(job)


def _unsuitable(job: Job) -> Refusal:
    return Refusal(HTTPStatus.CONFLICT, f"the video is {job.state}")
