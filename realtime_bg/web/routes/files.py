"""Routes for photos and videos."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import FileResponse, Response

from realtime_bg.web.answers import too_large
from realtime_bg.web.context import (
    ABSENT,
    BUSY,
    JPEG,
    PICTURE,
    UNSUITED,
    WHY,
    Background,
    Behind,
    Color,
    Engine,
    Here,
    Tuning,
)
from realtime_bg.web.form_checks import PHOTO_FORMATS, check_form, chosen_format
from realtime_bg.web.upload_names import cleaned, result_name

router = APIRouter()


@router.post("/api/image", response_class=Response, responses=PICTURE | BUSY)
def image(
    here: Here,
    image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or HEIC")],
    background: Behind = None,
    style: Background = None,
    color: Color = None,
    engine: Engine = None,
    settings: Tuning = None,
    format: Annotated[
        str | None, Form(description="png (default), webp, or jpg with a background")
    ] = None,
) -> Response:
    """Cut the people out of a photo. The result is transparent unless a background is given: a
    picture (`background`), a `color` or a `style`."""
    wanted = check_form(here.gallery, style, color, engine, settings)
    transparent = wanted.background is None and not (background and background.size)
    kind = chosen_format(format, PHOTO_FORMATS, transparent)
    if (image.size or 0) > here.limits.photo:
        raise too_large(f"a photo may have at most {here.limits.photo / 1e6:g} MB")
    data = image.file.read()
    result = here.photos.process(data, wanted, lambda: here.behind(background), kind)
    name = quote(result_name(cleaned(image.filename, "photo"), transparent, kind))
    return Response(
        result,
        media_type=f"image/{'jpeg' if kind == 'jpg' else kind}",
        headers={"Content-Disposition": f"attachment; filename*=utf-8''{name}"},
    )


@router.post("/api/jobs", status_code=201, responses=BUSY)
def add_job(
    here: Here,
    video: Annotated[UploadFile, File(description="a video file")],
    background: Behind = None,
    style: Background = None,
    color: Color = None,
    engine: Engine = None,
    settings: Tuning = None,
    format: Annotated[
        str | None, Form(description="mp4 or webm; only webm without a background")
    ] = None,
) -> dict[str, Any]:
    """Convert a video including its sound: to MP4, or to WebM with transparency if no background is
    given. Poll the job until its state is `done`."""
    wanted = check_form(here.gallery, style, color, engine, settings)
    behind = here.behind(background)
    return here.jobs.add(video.file, wanted, behind, video.filename, format).as_json()


@router.get("/api/jobs", responses=WHY)
def jobs(here: Here) -> list[dict[str, Any]]:
    """All videos: queued, running, cancelling, done, failed or cancelled. They are kept for an hour
    after their end."""
    return here.jobs.all()


@router.get("/api/jobs/{job}", responses=ABSENT)
def job(here: Here, job: str) -> dict[str, Any]:
    """One video."""
    return here.jobs.get(job).as_json()


@router.get("/api/jobs/{job}/result", response_class=FileResponse, responses=UNSUITED)
def result(here: Here, job: str) -> Response:
    """The finished file."""
    path, name = here.jobs.result(job)
    return FileResponse(path, filename=name)


@router.get("/api/jobs/{job}/thumbnail", response_class=Response, responses=JPEG | ABSENT)
def first_picture(here: Here, job: str) -> Response:
    """The first picture of the uploaded video, small."""
    return Response(here.jobs.get(job).thumbnail, media_type="image/jpeg")


@router.get("/api/jobs/{job}/preview", response_class=Response, responses=JPEG | ABSENT)
def newest_picture(here: Here, job: str) -> Response:
    """The newest finished picture, small; 404 before there is one. There is a newer one when the
    job's `preview` has grown."""
    return Response(here.jobs.preview(job), media_type="image/jpeg")


@router.post("/api/jobs/{job}/cancel", responses=UNSUITED)
def cancel_job(here: Here, job: str) -> dict[str, Any]:
    """Stop a video, which stays in the list. A running one is `cancelling` until it has stopped."""
    return here.jobs.cancel(job).as_json()


@router.post("/api/jobs/{job}/retry", responses=UNSUITED)
def retry_job(here: Here, job: str) -> dict[str, Any]:
    """Queue a failed or cancelled video again, with the same choices. It continues where it was
    stopped."""
    return here.jobs.retry(job).as_json()


@router.delete("/api/jobs/{job}", status_code=204, responses=ABSENT)
def remove_job(here: Here, job: str) -> None:
    """Delete a video and its result; a running one is stopped first."""
    here.jobs.remove(job)
