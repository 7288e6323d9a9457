"""Routes for backgrounds, built-in and uploaded."""

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import Response

from realtime_bg.web import remote
from realtime_bg.web.answers import too_large
from realtime_bg.web.context import (
    ABSENT,
    BUSY,
    WHY,
    Here,
)

router = APIRouter()


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
    responses=ABSENT | {200: {"content": {"image/jpeg": {}}}},
)
def thumbnail(here: Here, name: str) -> Response:
    """A thumbnail of a background."""
    return Response(here.gallery.thumbnail(name), media_type="image/jpeg")


@router.delete("/api/backgrounds/{name}", status_code=204, responses=ABSENT)
def remove_background(here: Here, name: str) -> None:
    """Delete an uploaded background."""
    path = here.gallery.path(name)
    remote.let_go(here.picture.live, str(path))
    path.unlink(missing_ok=True)
