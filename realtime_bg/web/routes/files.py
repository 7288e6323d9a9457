"""Routes for photos and videos."""

from typing import Annotated, Any

from fastapi import APIRouter, File, UploadFile
from fastapi.responses import FileResponse, Response

from realtime_bg.web.answers import too_large
from realtime_bg.web.context import (
    ABSENT,
    BUSY,
    PNG,
    WHY,
    Background,
    Behind,
    Color,
    Engine,
    Here,
    _answers,
)
from realtime_bg.web.form_checks import check_form

router = APIRouter()


@router.post("/api/image", response_class=Response, responses=PNG | BUSY)
def image(
    here: Here,
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or HEIC")],
    background: Behind = None,
    style: Background = None,
    color: Color = None,
    engine: Engine = None,
) -> Response:
    """Cut the people out of a photo. The result is a PNG, transparent unless a background is given:
    a picture (`background`), a `color` or a `style`."""
    wanted = check_form(here.gallery, style, color, engine)
    if (image.size or 0) > here.limits.photo:
        raise too_large(f"a photo may have at most {here.limits.photo / 1e6:g} MB")
    data = image.file.read()
    result = here.photos.process(data, wanted, lambda: here.behind(background))
    return Response(result, 200, media_type="image/png")


@router.post("/api/jobs", status_code=201, responses=BUSY)
def add_job(
    here: Here,
    video: Annotated[UploadFile, File(description="a video file")],
    background: Behind = None,
    style: Background = None,
    color: Color = None,
    engine: Engine = None,
) -> dict[str, Any]:
    """Convert a video including its sound: to MP4, or to WebM with transparency if no background is
    given. Poll the job until its state is `done`."""
    wanted = check_form(here.gallery, style, color, engine)
    return here.jobs.add(video.file, wanted, here.behind(background)).as_json()


@router.get("/api/jobs", responses=WHY)
def jobs(here: Here) -> list[dict[str, Any]]:
    """All videos: queued, running, done, failed or cancelled. They are kept for an hour."""
    return here.jobs.all()


@router.get("/api/jobs/{job}", responses=ABSENT)
def job(here: Here, job: str) -> dict[str, Any]:
    """One video."""
    return here.jobs.get(job).as_json()


@router.get("/api/jobs/{job}/result", response_class=FileResponse, responses=ABSENT | _answers(409))
def result(here: Here, job: str) -> Response:
    """The finished file."""
    path = here.jobs.result(job)
    return FileResponse(path, filename=path.name)


@router.delete("/api/jobs/{job}", status_code=204, responses=ABSENT)
def remove_job(here: Here, job: str) -> None:
    """Cancel a video, or delete its result."""
    here.jobs.remove(job)
