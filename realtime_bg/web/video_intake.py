"""From an uploaded video to a job: stores and checks it, and fixes its settings."""

import math
import secrets
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from realtime_bg.backgrounds import file_of
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image
from realtime_bg.media.photos import encode
from realtime_bg.settings import Settings
from realtime_bg.system.files import write_whole
from realtime_bg.videos.clips import Clip
from realtime_bg.videos.convert import VideoOptions
from realtime_bg.videos.sound import plan_sound
from realtime_bg.web.answers import too_large, unreadable, unusable
from realtime_bg.web.form_checks import VIDEO_FORMATS, FormChoice, chosen_format
from realtime_bg.web.job_folders import JobFolder
from realtime_bg.web.limits import Limits
from realtime_bg.web.pixel_gate import PixelGate
from realtime_bg.web.upload_names import cleaned, result_name
from realtime_bg.web.video_job import Job
from realtime_bg.web.video_preview import VideoPreview, displayed, thumbnail

CHUNK = 1 << 20


class VideoIntake:
    """Makes jobs from uploads."""

    def __init__(self, settings: Settings, limits: Limits, gate: PixelGate) -> None:
        self._settings, self._limits, self._gate = settings, limits, gate

    def job(
        self,
        video: BinaryIO,
        choice: FormChoice,
        behind: Image | None,
        name: str | None,
        format: str | None,
    ) -> Job:
        """Store a video in a folder of its own, because systems delete old folders in /tmp, and
        check it. ``name``: what the client calls it. ``format``: see `chosen_format`. Raises
        Refusal."""
        transparent = choice.background is None and behind is None
        format = chosen_format(format, VIDEO_FORMATS, transparent)
        temporary = JobFolder()
        try:
            source = temporary.path / secrets.token_hex(8)  # a name that the file cannot refer to
            with source.open("wb") as file:
                shutil.copyfileobj(video, file, CHUNK)
            target = temporary.path / f"result.{format}"
            clip, first = self._checked(source, target)
            shown = cleaned(name, "video")
            return Job(
                id=secrets.token_hex(8),
                temporary=temporary,
                source=source,
                target=target,
                source_name=shown,
                name=result_name(shown, transparent, format),
                settings=self._chosen(choice, behind, temporary.path),
                options=VideoOptions(alpha="vp9" if transparent else None),
                total=clip.frames,
                most=self._most(clip),
                thumbnail=first,
                preview=VideoPreview(displayed(clip)),
            )
        except BaseException:
            temporary.remove()
            raise

    def _checked(self, source: Path, target: Path) -> tuple[Clip, bytes]:
        """The clip and its thumbnail, if it can be converted. Raises Refusal."""
        try:
            with self._gate.admit(self._limits.pixels):
                clip = Clip(source, self._limits.pixels)
                first = thumbnail(clip)
        except RealtimeBgError as error:
            raise unreadable(str(error).replace(str(source), "the video")) from None
        if clip.frames is not None and clip.frames > self._most(clip):
            raise too_large(too_long(self._limits))
        if math.prod(displayed(clip)) > self._limits.pixels:
            raise too_large("the video's pixels are too far from square")
        try:
            plan_sound(target, clip, source.parent, ())
        except RealtimeBgError:
            raise unusable(
                "its sound cannot be converted; remove the sound from the video first"
            ) from None
        return clip, first

    def _most(self, clip: Clip) -> int:
        return round(self._limits.seconds * clip.rate)

    def _chosen(self, choice: FormChoice, behind: Image | None, folder: Path) -> Settings:
        settings = choice.applied(self._settings)
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


def too_long(limits: Limits) -> str:
    """Why a video is refused that is longer than allowed."""
    return f"a video may be at most {limits.seconds / 60:g} minutes long"
