"""Access control for every request: token, Host, Origin, body size, and the security headers of
every response.

This protects the camera's picture, so each request passes here before any other code sees it.
"""

import hmac
import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from importlib import resources
from urllib.parse import parse_qs, quote, unquote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_bg.web.tokens import new_token

COOKIE = "realtime_bg_token"
SAFE = ("GET", "HEAD", "OPTIONS")
API = "/api/"
PUBLIC = "/static/"  # the files of the page, which are the same for everybody
METRICS = "/metrics"
SMALL = 64_000  # bytes of a body that is not an upload, such as JSON, which parsing multiplies
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HINT = (
    "open the address with ?token=... that `realtime-bg serve` printed, or send the token as Bearer"
)


IDENTIFY = {"WWW-Authenticate": "Bearer"}
NO_TOKEN = resources.files("realtime_bg.web").joinpath("page", "token.html").read_text("utf-8")


class TooLarge(Exception):  # noqa: N818 - an answer, not a defect
    """A request body exceeds its limit."""


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, token: str, hosts: Iterable[str], largest: int, scrape_token: str = ""
    ) -> None:
        """``hosts``: host names accepted in addition to localhost and IP addresses. ``largest``:
        maximum bytes of a request body. ``scrape_token``: grants access to /metrics only; empty
        means there is none."""
        self._scrape_token = scrape_token
        self._invitation = ""
        self._app, self._token, self._largest = app, token, largest
        self._hosts = {"localhost", *(host.lower() for host in hosts)}

    def invite(self) -> str:
        """A token that opens the page once, for the command line of a browser, which other users of
        this computer can read. It replaces the previous one."""
        self._invitation = new_token()
        return self._invitation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is not None:
                await receive()  # the connect event
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        sending = _with_headers(scope, send)
        if refusal is not None:
            await refusal(scope, receive, sending)
            return
        await self._limited(scope, receive, sending, headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The response to a request that is refused; None if it may pass."""
        host = headers.get("host", "")
        if not self._is_own(host):
            # A foreign page can make its own host name resolve to this machine (DNS rebinding).
            text = f"unknown host {host[:100]!r}; allow it with --allow-host"
            return _refused(scope, HTTPStatus.MISDIRECTED_REQUEST, text)
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        origin = headers.get("origin")
        if changes and origin is not None and _place(origin) != host.lower():
            return _refused(scope, HTTPStatus.FORBIDDEN, "another site may not do this")
        if changes and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _refused(scope, HTTPStatus.FORBIDDEN, "another site may not do this")
        path = scope["path"]
        if path.startswith(PUBLIC):
            return None
        if path == "/" and scope["type"] == "http" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._is_token(given) or self._accepts(given):
                return self._welcome(headers)
        presented = _presented(headers)
        if path == METRICS and not changes and self._is_scraper(presented):
            return None
        if not self._is_token(presented):
            if _is_navigation(scope, headers):
                return HTMLResponse(NO_TOKEN, HTTPStatus.UNAUTHORIZED, IDENTIFY)
            return _refused(scope, HTTPStatus.UNAUTHORIZED, f"no valid token; {HINT}")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._limit(headers):
            return self._too_large(scope, headers)
        return None

    def _welcome(self, headers: Headers) -> Response:
        """Move the token from the URL, which browsers keep in their history, to a cookie."""
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        name = _cookie_name(headers)
        value = quote(self._token, safe="")  # of a file, it may have signs that cookies cannot
        response.set_cookie(name, value, httponly=True, samesite="strict", path="/")
        return response

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token.encode())

    def _accepts(self, text: str) -> bool:
        """Whether it is the invitation, which is used up by that."""
        known = self._invitation
        if not known or not hmac.compare_digest(text.encode("utf-8", "replace"), known.encode()):
            return False
        self._invitation = ""
        return True

    def _is_scraper(self, text: str) -> bool:
        known = self._scrape_token
        return bool(known) and hmac.compare_digest(text.encode("utf-8", "replace"), known.encode())

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or _is_address(name)

    def _limit(self, headers: Headers) -> int:
        """The largest body of a request, in bytes."""
        is_upload = headers.get("content-type", "").lower().startswith("multipart/form-data")
        return self._largest if is_upload else min(SMALL, self._largest)

    def _too_large(self, scope: Scope, headers: Headers) -> Response:
        limit = self._limit(headers)
        text = f"{limit / 1e6:g} MB" if limit >= 1e6 else f"{limit / 1e3:g} kB"
        return _refused(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"larger than {text}")

    async def _limited(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Count the bytes of the body, because clients may omit its length or lie about it."""
        count, begun, largest = 0, False, self._limit(headers)

        async def receiving() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > largest:
                raise TooLarge
            return message

        async def sending(message: Message) -> None:
            nonlocal begun
            if count <= largest or begun:  # otherwise it is the parser's response to TooLarge
                begun = True
                await send(message)

        with suppress(TooLarge):
            await self._app(scope, receiving, sending)
        if count > largest and not begun:
            await self._too_large(scope, headers)(scope, receive, send)


def _cookie_name(headers: Headers) -> str:
    """The cookie name of this server. A browser sends the cookies of a host to all its ports, so
    two servers would overwrite each other's cookie."""
    port = headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isdecimal() else COOKIE


def _presented(headers: Headers) -> str:
    """The token in the header or the cookie of a request; empty if there is none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    # Not http.cookies: if it cannot parse one cookie of another server on this host, it returns
    # none at all.
    return unquote(cookie_parser(headers.get("cookie", "")).get(_cookie_name(headers), ""))


def _place(origin: str) -> str | None:
    """The host and port of an Origin header; None if it is malformed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    """Whether it is an IP address, to which no foreign DNS name can have led."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    """Whether a person has opened this address in a browser."""
    is_page = scope["type"] == "http" and not scope["path"].startswith(API)
    return is_page and "text/html" in headers.get("accept", "").lower()


def _refused(scope: Scope, status: HTTPStatus, text: str) -> Response:
    """The error response: JSON for programs, like all responses of the API, otherwise plain
    text."""
    headers = IDENTIFY if status == HTTPStatus.UNAUTHORIZED else None
    if scope["path"].startswith(API):
        return JSONResponse({"error": text}, status, headers)
    return PlainTextResponse(f"realtime-bg: {text}\n", status, headers)


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            have = {name.lower() for name, _ in message.get("headers", ())}
            more = dict(HEADERS)
            if not scope["path"].startswith(PUBLIC):
                more["Cache-Control"] = "no-store"
            message["headers"] = [*message.get("headers", ())] + [
                (name.lower().encode(), value.encode())
                for name, value in more.items()
                if name.lower().encode() not in have
            ]
        await send(message)

    return sending
