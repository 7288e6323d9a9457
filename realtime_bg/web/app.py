"""The server's addresses: the page, and everything under /api. What they do stands elsewhere."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from fastapi import Body, Depends, FastAPI, File, Form, Request, UploadFile, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from realtime_bg import __version__
from realtime_bg.engines import installed
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image
from realtime_bg.media.photos import encode
from realtime_bg.settings import Settings
from realtime_bg.steering.keys import HELP, KEYS, TWINS, press
from realtime_bg.web import remote
from realtime_bg.web.answers import Refusal, busy, too_large
from realtime_bg.web.broadcast import Broadcast
from realtime_bg.web.gallery import Gallery
from realtime_bg.web.jobs import Jobs
from realtime_bg.web.limits import Limits
from realtime_bg.web.metrics import Metrics
from realtime_bg.web.photo_desk import PhotoDesk
from realtime_bg.web.security import Guard
from realtime_bg.web.wishes import wish

PAGE = Path(str(files("realtime_bg.web").joinpath("page")))
NOT_HERE = ("a", "c", "d", "h")  # keys of the preview window's own views
FRAME_SECONDS = 1.0  # how long a stream waits for a picture before it looks whether it is watched
EVENT_SECONDS = 0.5
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"

Background = Annotated[
    str | None,
    Form(
        description=("transparent (default), a built-in, blur, blur:RADIUS, a colour, or upload:ID")
    ),
]
Color = Annotated[str | None, Form(description="#rrggbb or a CSS colour name")]
Engine = Annotated[str | None, Form(description="auto or an engine's name")]
Behind = Annotated[UploadFile | None, File(description="a picture as background")]


class Key(BaseModel):
    """A key of the preview window."""

    key: str


class Switch(BaseModel):
    """Whether the camera is to run."""

    on: bool


class Server:
    """What the addresses work with."""

    def __init__(
        self, settings: Settings, limits: Limits, folder: Path | None, broadcast: Any = None
    ) -> None:
        self.limits = limits
        self.gallery = Gallery(folder, limits.pixels, limits.backgrounds)
        self.photos = PhotoDesk(settings, limits)
        self.jobs = Jobs(settings, limits, lambda: None)
        self.broadcast: Broadcast = broadcast or Broadcast(settings)
        self.metrics = Metrics(self.broadcast)
        self.viewers = 0

    def close(self) -> None:
        """Release everything."""
        self.broadcast.close()
        self.jobs.close()
        self.photos.close()

    def behind(self, background: UploadFile | None) -> Image | None:
        """The picture of a form's file field, None where it was left empty. Raises Refusal."""
        if background is None or not background.size:
            return None
        if background.size > self.limits.photo:
            raise too_large(f"a background may have {self.limits.photo / 1e6:g} MB")
        return self.gallery.decoded(background.file.read())


def create_app(
    settings: Settings,
    token: str,
    *,
    hosts: tuple[str, ...] = (),
    limits: Limits | None = None,
    folder: Path | None = None,
    scrape_token: str = "",
    broadcast: Any = None,
) -> Any:
    """The ASGI application. ``hosts``: names it may be asked under besides localhost and
    addresses; ``folder``: of uploaded backgrounds, None for the user's own; ``scrape_token``:
    opens /metrics alone; ``broadcast``: of the live picture, where that is not this application's
    own. Raises RealtimeBgError."""
    limits = limits or Limits()
    server = Server(settings, limits, folder, broadcast)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(server.close)

    app = FastAPI(
        title="realtime-bg",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.server = server
    _refusals(app)
    _page(app)
    _photos_and_videos(app)
    _backgrounds(app)
    _live(app)
    return Guard(app, token, hosts, limits.upload, scrape_token)


def _server(request: Request) -> Server:
    return request.app.state.server


Here = Annotated[Server, Depends(_server)]
Answers: TypeAlias = dict[int | str, dict[str, Any]]


def _answers(*codes: int) -> Answers:
    return {code: {"description": HTTPStatus(code).phrase} for code in codes}


PNG: Answers = {200: {"content": {"image/png": {}}}}
WHY = _answers(400, 401, 403, 413, 421, 422)
BUSY, ABSENT = WHY | _answers(429), WHY | _answers(404)


def _refusals(app: FastAPI) -> None:
    def answer(status: int, text: str) -> Response:
        return JSONResponse({"error": text}, status)

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return answer(error.status, error.text)

    @app.exception_handler(RealtimeBgError)
    async def unusable(_: Request, error: RealtimeBgError) -> Response:
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}".lstrip(": "))

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(PAGE / "index.html")

    app.mount("/static", StaticFiles(directory=PAGE), "static")

    @app.get("/api/about", responses=WHY)
    def about() -> dict[str, Any]:
        """Version, engines, and the keys of the live picture."""
        words = {keys.replace("space", " "): text for keys, text in HELP} | TWINS
        keys = [{"key": key, "does": words[key]} for key in KEYS if key not in NOT_HERE]
        return {"version": __version__, "engines": installed(), "keys": keys}


def _photos_and_videos(app: FastAPI) -> None:
    @app.post("/api/image", response_class=Response, responses=PNG | BUSY)
    def image(
        here: Here,
        image: Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or HEIC")],
        background: Behind = None,
        style: Background = None,
        color: Color = None,
        engine: Engine = None,
    ) -> Response:
        """Cut the people out of a photo: a PNG, with transparency unless a background is given:
        a picture (`background`), a `color`, or a `style`."""
        wanted = wish(here.gallery, style, color, engine)
        if (image.size or 0) > here.limits.photo:
            raise too_large(f"a photo may have {here.limits.photo / 1e6:g} MB")
        behind = here.behind(background)
        return Response(
            here.photos.process(image.file.read(), wanted, behind), 200, media_type="image/png"
        )

    @app.post("/api/jobs", status_code=201, responses=BUSY)
    def add_job(
        here: Here,
        video: Annotated[UploadFile, File(description="a video file")],
        background: Behind = None,
        style: Background = None,
        color: Color = None,
        engine: Engine = None,
    ) -> dict[str, Any]:
        """Convert a video, sound included: to MP4, or to WebM with transparency where no
        background is given. Ask for the job until its state is `done`."""
        wanted = wish(here.gallery, style, color, engine)
        return here.jobs.add(video.file, wanted, here.behind(background)).as_json()

    @app.get("/api/jobs", responses=WHY)
    def jobs(here: Here) -> list[dict[str, Any]]:
        """All videos: queued, running, done, failed or cancelled. They are kept for an hour."""
        return here.jobs.all()

    @app.get("/api/jobs/{job}", responses=ABSENT)
    def job(here: Here, job: str) -> dict[str, Any]:
        """One video."""
        return here.jobs.get(job).as_json()

    @app.get(
        "/api/jobs/{job}/result", response_class=FileResponse, responses=ABSENT | _answers(409)
    )
    def result(here: Here, job: str) -> Response:
        """The finished file."""
        path = here.jobs.result(job)
        return FileResponse(path, filename=path.name)

    @app.delete("/api/jobs/{job}", status_code=204, responses=ABSENT)
    def remove_job(here: Here, job: str) -> None:
        """Cancel a video, or delete its result."""
        here.jobs.remove(job)


def _backgrounds(app: FastAPI) -> None:
    @app.get("/api/backgrounds", responses=WHY)
    def backgrounds(here: Here) -> list[dict[str, str]]:
        """The built-in and the uploaded ones; `name` is what other calls take."""
        return [
            {"name": name, "thumbnail": f"/api/backgrounds/{name}/thumbnail"}
            for name in here.gallery.names()
        ]

    @app.post("/api/backgrounds", status_code=201, responses=BUSY)
    def add_background(here: Here, image: Annotated[UploadFile, File()]) -> dict[str, str]:
        """Keep a picture as a background."""
        if (image.size or 0) > here.limits.photo:
            raise too_large(f"a background may have {here.limits.photo / 1e6:g} MB")
        return {"name": here.gallery.add(image.file.read())}

    @app.get(
        "/api/backgrounds/{name}/thumbnail",
        response_class=Response,
        responses=ABSENT | {200: {"content": {"image/jpeg": {}}}},
    )
    def thumbnail(here: Here, name: str) -> Response:
        """A small picture of it."""
        return Response(here.gallery.thumbnail(name), media_type="image/jpeg")

    @app.delete("/api/backgrounds/{name}", status_code=204, responses=ABSENT)
    def remove_background(here: Here, name: str) -> None:
        """Delete an uploaded one."""
        path = here.gallery.path(name)
        remote.let_go(here.broadcast.live, str(path))
        path.unlink(missing_ok=True)


def _live(app: FastAPI) -> None:
    @app.get("/api/settings", responses=WHY)
    def settings(here: Here) -> dict[str, Any]:
        """All settings, as in config.yaml."""
        return remote.shown(here.broadcast.live, here.gallery)

    @app.patch("/api/settings", responses=WHY)
    def change(here: Here, changes: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        """Change some settings at once, or none of them where one is refused."""
        remote.change(here.broadcast.live, here.gallery, changes)
        return remote.shown(here.broadcast.live, here.gallery)

    @app.post("/api/keys", responses=WHY)
    def key(here: Here, pressed: Key) -> dict[str, Any]:
        """Press a key of the preview window."""
        if pressed.key not in KEYS or pressed.key in NOT_HERE:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no such key: {pressed.key[:10]!r}")
        press(here.broadcast.live, pressed.key)
        return remote.shown(here.broadcast.live, here.gallery)

    @app.get("/api/stats", responses=WHY)
    def stats(here: Here) -> dict[str, Any]:
        """Whether the camera runs, with which engine, how fast, and where the time goes."""
        return here.broadcast.report()

    @app.get(
        "/metrics", response_class=Response, responses=WHY | {200: {"content": {"text/plain": {}}}}
    )
    def metrics(here: Here, request: Request) -> Response:
        """The same for Prometheus, with histograms of the stages and of the latency."""
        here.metrics.viewers = here.viewers
        text, kind = here.metrics.answer(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind})

    @app.post("/api/live", responses=WHY | _answers(503))
    def switch(here: Here, wanted: Switch) -> dict[str, Any]:
        """Start or stop the camera."""
        if wanted.on:
            here.broadcast.start()
        else:
            here.broadcast.stop()
        return here.broadcast.report()

    @app.post("/api/snapshot", response_class=Response, responses=PNG | WHY | _answers(409))
    def snapshot(here: Here) -> Response:
        """The newest live picture as PNG."""
        composite = here.broadcast.channel.newest
        if composite is None:
            raise Refusal(HTTPStatus.CONFLICT, "there is no live picture; start the camera")
        return Response(encode(composite.image, "png"), media_type="image/png")

    @app.get("/api/live/stream", response_class=StreamingResponse, responses=BUSY)
    async def stream(here: Here, request: Request) -> Response:
        """The live picture as Motion JPEG."""
        if here.viewers >= here.limits.viewers:
            raise busy(f"{here.limits.viewers} are watching")
        kind = "multipart/x-mixed-replace; boundary=frame"
        return StreamingResponse(_pictures(here, request), media_type=kind)

    @app.websocket("/api/events")
    async def events(socket: WebSocket) -> None:
        """Stats twice a second; settings, videos and backgrounds when they changed."""
        here: Server = socket.app.state.server
        if here.viewers >= here.limits.viewers:
            await socket.close(1013)
            return
        here.viewers += 1
        try:
            await socket.accept()
            async with asyncio.TaskGroup() as both:  # the end of one is that of the other
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
        while not await request.is_disconnected():
            found = await run_in_threadpool(here.broadcast.channel.jpeg, count, FRAME_SECONDS)
            if found is not None:
                count, picture = found
                yield PART % (len(picture), picture)
            elif not here.broadcast.running:
                return
    finally:
        here.viewers -= 1


async def _listen(socket: WebSocket) -> None:
    """Until the browser is gone, which raises WebSocketDisconnect."""
    while True:
        await socket.receive_text()  # nothing is asked for here


async def _tell(here: Server, socket: WebSocket) -> None:
    told: dict[str, str] = {}
    while True:
        now = {
            "stats": here.broadcast.report(),
            "settings": remote.shown(here.broadcast.live, here.gallery),
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
