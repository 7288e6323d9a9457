"""The ASGI application: puts together the page, the error handlers and the routes under /api."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from realtime_bg.engines import installed
from realtime_bg.errors import RealtimeBgError
from realtime_bg.settings import Settings
from realtime_bg.settings.shortcuts import WORDS
from realtime_bg.steering.keys import KEYS
from realtime_bg.version import __version__
from realtime_bg.web.answers import Refusal
from realtime_bg.web.context import (
    WHY,
    Server,
)
from realtime_bg.web.limits import Limits
from realtime_bg.web.live_picture import LivePicture
from realtime_bg.web.routes import backgrounds, files, live
from realtime_bg.web.routes.live import NOT_HERE
from realtime_bg.web.security import Guard

PAGE = Path(str(resources.files("realtime_bg.web").joinpath("page")))


def create_app(
    settings: Settings,
    token: str,
    *,
    hosts: tuple[str, ...] = (),
    limits: Limits | None = None,
    folder: Path | None = None,
    scrape_token: str = "",
    picture: LivePicture | None = None,
    config: Path | None = None,
) -> Any:
    """Create the ASGI application. ``hosts``: host names accepted in addition to localhost and IP
    addresses. ``folder``: for uploaded backgrounds; None means the user's data folder.
    ``scrape_token``: grants access to /metrics only. ``picture``: the live picture, if it is not
    the application's own. ``config``: the file with the presets, see `Presets`. Raises
    RealtimeBgError."""
    limits = limits or Limits()
    server = Server(settings, limits, folder, picture, config)

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
    for routes in (files, backgrounds, live):
        app.include_router(routes.router)
    return Guard(app, token, hosts, limits.upload, scrape_token)


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
        """The version, the engines, and the keys of the live picture."""
        keys = [{"key": key, "does": WORDS[key]} for key in KEYS if key not in NOT_HERE]
        return {"version": __version__, "engines": installed(), "keys": keys}
