"""The state that all routes share, and the documentation of their parameters and responses."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, File, Form, Request, UploadFile

from realtime_bg.frames import Image
from realtime_bg.settings import Settings
from realtime_bg.steering.presets import Presets
from realtime_bg.system.usage import Usage
from realtime_bg.web.answers import too_large
from realtime_bg.web.gallery import Gallery
from realtime_bg.web.jobs import Jobs
from realtime_bg.web.limits import Limits
from realtime_bg.web.live_picture import LivePicture
from realtime_bg.web.metrics import Metrics
from realtime_bg.web.photo_desk import PhotoDesk
from realtime_bg.web.pixel_gate import PixelGate
from realtime_bg.web.remote import Replaced
from realtime_bg.web.server_picture import ServerPicture

Background = Annotated[
    str | None,
    Form(
        description=("transparent (default), a built-in, blur, blur:RADIUS, a colour, or upload:ID")
    ),
]
Color = Annotated[str | None, Form(description="#rrggbb or a CSS colour name")]
Engine = Annotated[str | None, Form(description="auto or an engine's name")]
Tuning = Annotated[
    str | None,
    Form(
        description=(
            "a part of the settings as JSON, with the sections refine, harmonise and light only, "
            'for this result alone: {"refine": {"feather": 2}}'
        )
    ),
]
Behind = Annotated[UploadFile | None, File(description="a picture as background")]


class Server:
    """The state that all routes share."""

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        folder: Path | None,
        picture: LivePicture | None = None,
        config: Path | None = None,
    ) -> None:
        """``config``: the file with the presets, see `Presets`."""
        self.limits = limits
        gate = PixelGate(limits.pixels)
        self.gallery = Gallery(folder, limits.pixels, limits.backgrounds, gate)
        self.photos = PhotoDesk(settings, limits, gate)
        self.jobs = Jobs(settings, limits, gate, lambda: None)
        self.picture: LivePicture = picture or ServerPicture(settings)
        self.started = self.picture.live.now.source
        self.presets = Presets(self.picture.live, config)
        self.replaced = Replaced()
        self.usage = Usage()
        self.metrics = Metrics(self.picture)
        self.viewers = 0

    def report(self) -> dict[str, Any]:
        """The statistics that the page shows: rates, the median milliseconds of each stage, and
        what the process uses."""
        return self.picture.report() | self.usage.measured()

    def close(self) -> None:
        """Release everything."""
        self.picture.close()
        self.jobs.close()
        self.photos.close()

    def behind(self, background: UploadFile | None) -> Image | None:
        """The picture in a form's file field, or None if it is empty. Raises Refusal."""
        if background is None or not background.size:
            return None
        if background.size > self.limits.photo:
            raise too_large(f"a background may have at most {self.limits.photo / 1e6:g} MB")
        return self.gallery.decoded(background.file.read())


def _server(request: Request) -> Server:
    return request.app.state.server


Here = Annotated[Server, Depends(_server)]
Answers: TypeAlias = dict[int | str, dict[str, Any]]


def _answers(*codes: int) -> Answers:
    return {code: {"description": HTTPStatus(code).phrase} for code in codes}


JPEG: Answers = {200: {"content": {"image/jpeg": {}}}}
PNG: Answers = {200: {"content": {"image/png": {}}}}
PICTURE: Answers = {200: {"content": {f"image/{kind}": {} for kind in ("png", "webp", "jpeg")}}}
WHY = _answers(400, 401, 403, 413, 421, 422)
BUSY, ABSENT, UNSUITED = WHY | _answers(429), WHY | _answers(404), WHY | _answers(404, 409)
