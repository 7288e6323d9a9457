"""`realtime-bg serve`: binds the port, makes the token, prints the address with it, and serves the
application until it is asked to stop."""

import ipaddress
import logging
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from realtime_bg.errors import MissingPackageError, SettingsError, SinkError, reason
from realtime_bg.installing import add_extra
from realtime_bg.settings import Settings
from realtime_bg.system.console import out, say
from realtime_bg.system.log_limits import RateLimit
from realtime_bg.system.signals import stop_signals

try:
    import uvicorn

    from realtime_bg.web.app import create_app
    from realtime_bg.web.browser import open_page
    from realtime_bg.web.connections import LimitedProtocol
    from realtime_bg.web.tokens import kept_token, new_token
except ModuleNotFoundError as missing:
    raise MissingPackageError(
        f"the web page needs the package {missing.name!r}; run: {add_extra('web')}"
    ) from None

STOP_SECONDS = 2


def serve(
    settings: Settings,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    scraping: Path | None = None,
    token_file: Path | None = None,
    browse: bool = False,
    config: Path | None = None,
) -> None:
    """Serve until Ctrl-C, SIGTERM or a closed terminal. ``port`` 0 means a free one. ``hosts``: see
    `create_app`. ``scraping`` and ``token_file``: files with the tokens for /metrics and for the
    page. ``browse``: open the page in the browser. ``config``: see `create_app`. Raises
    RealtimeBgError."""
    known = kept_token(scraping) if scraping is not None else ""
    token = kept_token(token_file) if token_file is not None else new_token()
    if token == known:
        raise SettingsError(
            f"{scraping}: this token opens the whole page; give --metrics-token another file"
        )
    own, port = bind(host, port)
    app = create_app(settings, token, hosts=(*hosts, host), scrape_token=known, config=config)
    if not _is_loopback(host):
        say(
            f"{host} can be reached from other machines and the connection is not encrypted: "
            "anybody who reads the traffic gets the token",
            "yellow",
        )
    server = uvicorn.Server(configuration(app))

    def stop() -> None:
        server.should_exit = True

    with stop_signals(stop, names=("SIGHUP",)):  # uvicorn handles the others
        name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        address = f"http://{name}:{port}/?token="
        out.print(address + quote(token, safe=""), soft_wrap=True, highlight=False, markup=False)
        if browse:
            open_page(address + app.invite())
        for handler in logging.getLogger().handlers:  # a flood of requests is no flood of lines
            handler.addFilter(RateLimit())
        server.run(sockets=[own])


def configuration(app: Any) -> uvicorn.Config:
    """The configuration of uvicorn, without trusting proxy headers."""
    logging.getLogger("uvicorn.error").addFilter(_no_stack_of_clients)
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http=LimitedProtocol,
        ws="websockets-sansio",
        lifespan="on",
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _no_stack_of_clients(record: logging.LogRecord) -> bool:
    """Leave the traceback out of uvicorn's message about a client that sends invalid text."""
    if str(record.msg).startswith("Invalid UTF-8"):
        record.exc_info = None
    return True


def bind(host: str, port: int) -> tuple[socket.socket, int]:
    """A listening socket for the server, and its port. Raises SinkError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    # On Windows, REUSEADDR would let other programs take a port that is in use.
    option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    own.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        own.bind((host, port))
        own.listen()  # so that a client can connect as soon as the address is printed
    except (OSError, OverflowError) as error:
        own.close()
        raise SinkError(
            f"{host}:{port}: cannot listen here ({reason(error)}); choose another --port or --host"
        ) from None
    return own, own.getsockname()[1]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
