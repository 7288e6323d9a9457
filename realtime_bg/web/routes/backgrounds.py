"""Routes for backgrounds, built-in and uploaded."""

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import Response

from realtime_bg.frames import Size
from realtime_bg.web import examples, remote
from realtime_bg.web.answers import too_large
from realtime_bg.web.context import (
    ABSENT,
    BUSY,
    WHY,
    Here,
)
from realtime_bg.web.form_checks import background_spec

router = APIRouter()

TRANSPARENT = "transparent"
SMALL: Size = (256, 144)
LARGE: Size = (960, 540)


@router.get("/api/backgrounds", responses=WHY)
def backgrounds(here: Here) -> list[dict[str, str]]:
    """The built-in and the uploaded backgrounds. Other calls accept their `name`."""
    return [
        {"name": name, "thumbnail": f"/api/backgrounds/{name}/thumbnail"}
        for name in here.gallery.names()
    ]


@router.post("/api/backgrounds", status_code=201, responses=BUSY)
def add_background(here: Here, image: Annotated[UploadFile, File()]) -> dict[str, str]:
    """Upload a picture as a background."""
    if (image.size or 0) > here.limits.photo:
        raise too_large(f"a background may have at most {here.limits.photo / 1e6:g} MB")
    return {"name": here.gallery.add(image.file.read())}


@router.get(
    "/api/backgrounds/{name}/thumbnail",
    response_class=Response,
    responses=ABSENT | {200: {"content": {"image/jpeg": {}, "image/webp": {}}}},
)
def thumbnail(here: Here, name: str, large: bool = False) -> Response:
    """What a background gives: the demo's person in front of it, 256x144 pixels, or 960x540 if
    `large`. `name`: as in a form, without colours and paths."""
    kind = "image/webp" if name == TRANSPARENT else "image/jpeg"
    if name != TRANSPARENT:
        background_spec(here.gallery, name)  # never a path
    picture = here.gallery.preview(name, LARGE if large else SMALL)
    return Response(picture, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


@router.get(
    "/api/sample", response_class=Response, responses=WHY | {200: {"content": {"image/jpeg": {}}}}
)
def sample() -> Response:
    """A photo to try the program with, as JPEG."""
    return Response(examples.photo(), media_type="image/jpeg")


@router.delete("/api/backgrounds/{name}", status_code=204, responses=ABSENT)
def remove_background(here: Here, name: str) -> None:
    """Delete an uploaded background."""
    path = here.gallery.path(name)
    remote.let_go(here.picture.live, str(path))
    path.unlink(missing_ok=True)
