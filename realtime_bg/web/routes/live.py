"""Routes for the live picture: settings, keys, statistics, streams and events."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, WebSocket
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from realtime_bg.media.photos import encode
from realtime_bg.settings.fields import SizeField
from realtime_bg.steering.keys import KEYS, click, press
from realtime_bg.web import cameras, remote
from realtime_bg.web.answers import Refusal, busy
from realtime_bg.web.context import (
    BUSY,
    PNG,
    WHY,
    Here,
    Server,
    _answers,
)

router = APIRouter()


NOT_HERE = ("a", "c", "d", "h")  # keys that concern only the preview window
# How long a stream waits for a picture before it checks whether it is still watched
FRAME_SECONDS = 1.0
EVENT_SECONDS = 0.5
BOUNDARY = b"--frame\r\n"
# The boundary follows at once, because browsers show a picture only when they have seen its end.
PART = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" + BOUNDARY


class Key(BaseModel):
    """A key of the preview window."""

    key: str


class Click(BaseModel):
    """A click into the live picture, in fractions of its width and height."""

    x: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    y: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Switch(BaseModel):
    """Whether the camera has to run; which one, as in the list of cameras, and the size and rate
    that are requested from it."""

    on: bool
    camera: str | None = None
    size: SizeField = None
    fps: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None


class Named(BaseModel):
    """A preset."""

    name: str


@router.get("/api/settings", responses=WHY)
def settings(here: Here) -> dict[str, Any]:
    """All settings, as in config.yaml."""
    return remote.shown(here.picture.live, here.gallery)


@router.patch("/api/settings", responses=WHY)
def change(here: Here, changes: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Change several settings at once; if one is refused, none is changed."""
    remote.change(here.picture.live, here.gallery, changes, here.replaced)
    return remote.shown(here.picture.live, here.gallery)


@router.post("/api/keys", responses=WHY)
def key(here: Here, pressed: Key) -> dict[str, Any]:
    """Press a key of the preview window."""
    if pressed.key not in KEYS or pressed.key in NOT_HERE:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no such key: {pressed.key[:10]!r}")
    press(here.picture.live, pressed.key)
    return remote.shown(here.picture.live, here.gallery)


@router.post("/api/click", responses=WHY)
def clicked(here: Here, at: Click) -> dict[str, Any]:
    """Click into the picture, as in the preview window: on a person, or on a coloured screen."""
    click(here.picture.live, (at.x, at.y), here.picture.stats.shown_part)
    return remote.shown(here.picture.live, here.gallery)


@router.get("/api/stats", responses=WHY)
def stats(here: Here) -> dict[str, Any]:
    """Whether the camera runs, with which engine, how fast, and how long each stage takes."""
    return here.report()


@router.get(
    "/metrics", response_class=Response, responses=WHY | {200: {"content": {"text/plain": {}}}}
)
def metrics(here: Here, request: Request) -> Response:
    """The same for Prometheus, with histograms of the stages and the latency."""
    here.metrics.viewers = here.viewers
    text, kind = here.metrics.answer(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": kind})


@router.get("/api/cameras", responses=WHY)
def list_cameras(here: Here) -> list[dict[str, str]]:
    """The cameras that `POST /api/live` accepts, the one the program was started with first."""
    return [choice._asdict() for choice in cameras.choices(here.started)]


@router.post("/api/live", responses=WHY | _answers(503))
def switch(here: Here, wanted: Switch) -> dict[str, Any]:
    """Start or stop the camera."""
    if wanted.on:
        cameras.choose(here.picture.live, here.started, wanted.camera, wanted.size, wanted.fps)
        here.picture.start()
    else:
        here.picture.stop()
    return here.report()


@router.post("/api/presets", status_code=201, responses=WHY)
def save_preset(here: Here, preset: Named) -> dict[str, Any]:
    """Save the current settings as a preset in config.yaml."""
    here.presets.save(preset.name)
    return remote.shown(here.picture.live, here.gallery)


@router.post("/api/presets/apply", responses=WHY)
def apply_preset(here: Here, preset: Named) -> dict[str, Any]:
    """Change the settings to those of a preset. `PATCH /api/settings` with the part `before` of
    the answer undoes it."""
    before, after = here.presets.apply(preset.name)
    here.replaced.note(before)
    return {
        "settings": remote.shown(here.picture.live, here.gallery),
        "before": remote.undoing(here.gallery, before, after),
    }


@router.post("/api/presets/delete", responses=WHY)
def remove_preset(here: Here, preset: Named) -> dict[str, Any]:
    """Delete a preset."""
    here.presets.remove(preset.name)
    return remote.shown(here.picture.live, here.gallery)


@router.post("/api/snapshot", response_class=Response, responses=PNG | WHY | _answers(409))
def snapshot(here: Here) -> Response:
    """The newest live picture as PNG."""
    composite = here.picture.channel.newest
    if composite is None:
        raise Refusal(HTTPStatus.CONFLICT, "there is no live picture; start the camera")
    return Response(encode(composite.image, "png"), media_type="image/png")


@router.get("/api/live/stream", response_class=StreamingResponse, responses=BUSY)
async def stream(here: Here, request: Request) -> Response:
    """The live picture as Motion JPEG."""
    if here.viewers >= here.limits.viewers:
        raise busy(f"{here.limits.viewers} viewers are already watching")
    kind = "multipart/x-mixed-replace; boundary=frame"
    return StreamingResponse(_pictures(here, request), media_type=kind)


@router.websocket("/api/events")
async def events(socket: WebSocket) -> None:
    """Statistics twice a second; settings, videos and backgrounds when they change."""
    here: Server = socket.app.state.server
    if here.viewers >= here.limits.viewers:
        await socket.close(1013)
        return
    here.viewers += 1
    try:
        await socket.accept()
        async with asyncio.TaskGroup() as both:  # when one ends, so does the other
            both.create_task(_tell(here, socket))
            both.create_task(_listen(socket))
    except* WebSocketDisconnect:
        pass
    finally:
        here.viewers -= 1


async def _pictures(here: Server, request: Request) -> AsyncIterator[bytes]:
    count = 0
    here.viewers += 1
    try:
        begin = BOUNDARY
        while not await request.is_disconnected():
            found = await run_in_threadpool(here.picture.channel.jpeg, count, FRAME_SECONDS)
            if found is not None:
                count, picture = found
                yield begin + PART % (len(picture), picture)
                begin = b""
            elif not here.picture.running:
                return
    finally:
        here.viewers -= 1


async def _listen(socket: WebSocket) -> None:
    """Wait until the browser disconnects, and raise WebSocketDisconnect. Its messages, of whatever
    kind, are ignored."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect(message.get("code", 1000))


async def _tell(here: Server, socket: WebSocket) -> None:
    told: dict[str, str] = {}
    settings = here.picture.live.now
    while True:
        if here.picture.live.now is not settings:
            # Also a change that was taken back at once: its answer has been shown.
            settings = here.picture.live.now
            told.pop("settings", None)
        now = {
            "stats": here.report(),
            "settings": remote.shown(here.picture.live, here.gallery),
            "jobs": here.jobs.all(),
            "backgrounds": here.gallery.names(),
        }
        for kind, value in now.items():
            text = json.dumps(value)
            mark = hashlib.sha1(text.encode()).hexdigest()
            if told.get(kind) != mark:
                told[kind] = mark
                await socket.send_text(json.dumps({"type": kind, "value": value}))
        await asyncio.sleep(EVENT_SECONDS)
