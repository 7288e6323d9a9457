"""Requests as the guard alone sees them: the bytes of a body, its length, tokens, WebSockets."""

import asyncio

import pytest

pytest.importorskip("fastapi")

from realtime_bg.web.security import Guard, TooLarge

LARGEST = 1000
UPLOAD_KIND = (b"content-type", b"multipart/form-data; boundary=x")


def asked(app, pieces, *headers):
    """What the guard answers to an upload that comes in pieces: (status or None, body)."""
    kind = {"type": "http", "method": "POST", "path": "/api/image", "query_string": b""}
    shown = [(b"host", b"localhost"), (b"authorization", b"Bearer secret"), UPLOAD_KIND]
    scope = kind | {"headers": [*shown, *headers]}
    waiting = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, "secret", (), LARGEST)(scope, receive, send))
    status = next((one["status"] for one in sent if "status" in one), None)
    return status, b"".join(one.get("body", b"") for one in sent)


async def reads_all(scope, receive, send):
    """Answers when it has the whole body, as the routes do."""
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


async def answers_first(scope, receive, send):
    """Begins to answer before it has the body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        await reads_all(scope, receive, lambda _: asyncio.sleep(0))
    finally:
        await send({"type": "http.response.body", "body": b"cut off"})


async def hides_it(scope, receive, send):
    """Answers by itself when reading fails, as a parser does."""
    try:
        await reads_all(scope, receive, send)
    except TooLarge:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"bad form"})


async def says_nothing(scope, receive, send):
    """Neither reads nor answers."""


@pytest.mark.parametrize("app", [reads_all, hides_it])
def test_a_body_without_a_length_is_counted_to_the_byte(app):
    assert asked(app, [b"x" * 600, b"x" * 400]) == (200, b"done")
    status, body = asked(app, [b"x" * 600, b"x" * 401])
    assert (status, body) == (413, b'{"error":"larger than 1 kB"}')


def test_a_length_that_lies_is_no_help():
    assert asked(reads_all, [b"x" * 1001], (b"content-length", b"10"))[0] == 413
    assert asked(reads_all, [b"x" * 10], (b"content-length", b"1001"))[0] == 413
    assert asked(reads_all, [b"x" * 10], (b"content-length", b"1000"))[0] == 200


def test_an_answer_that_has_begun_is_not_answered_again():
    assert asked(answers_first, [b"x" * 2000]) == (200, b"cut off")


def test_what_is_not_answered_is_not_called_too_large():
    assert asked(says_nothing, [b"x"]) == (None, b"")


@pytest.mark.parametrize(
    ("largest", "text"), [(2_000_000_000, "2000 MB"), (1_000_000, "1 MB"), (999_000, "999 kB")]
)
def test_a_limit_is_named_in_its_unit(monkeypatch, largest, text):
    monkeypatch.setattr(f"{__name__}.LARGEST", largest)
    status, body = asked(reads_all, [], (b"content-length", str(largest + 1).encode()))
    assert (status, body) == (413, f'{{"error":"larger than {text}"}}'.encode())


def test_other_events_of_the_server_pass():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(Guard(app, "secret", (), LARGEST)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    "text", ["", "Secret", "secret ", "secre", "s\u00e9cret", "\udcff", "\ud800x"]
)
def test_whatever_is_presented_is_compared_and_is_no_token(text):
    """Also text that cannot be encoded."""
    guard = Guard(says_nothing, "secret", (), LARGEST, "scrape")
    assert not guard._is_token(text)
    assert not guard._is_scraper(text)
    assert guard._is_token("secret")
    assert guard._is_scraper("scrape")
    assert not guard._is_token("scrape")
    assert not Guard(says_nothing, "secret", (), LARGEST)._is_scraper(text)


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", "", "1e2", "\xb2"])
def test_a_length_that_is_no_number_is_refused(length):
    assert asked(reads_all, [], (b"content-length", length.encode("latin-1")))[0] == 413


def test_the_end_of_a_connection_has_no_length():
    """After a body that is exactly as long as it may be."""
    messages = [{"type": "http.request", "body": b"x" * LARGEST}, {"type": "http.disconnect"}]
    seen = []

    async def app(scope, receive, send):
        seen.extend([await receive(), await receive()])

    async def receive():
        return messages.pop(0)

    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer secret"), UPLOAD_KIND]
    scope = {"type": "http", "method": "POST", "path": "/api/image", "query_string": b""}
    asyncio.run(Guard(app, "secret", (), LARGEST)(scope | {"headers": headers}, receive, None))
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize("path", ["/", "/api/events", "/metrics"])
@pytest.mark.parametrize("query", [b"", b"token=secret"])
def test_a_websocket_without_a_token_in_its_head_is_closed(path, query):
    """Also where a page would get its cookie."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": path, "query_string": query}
    scope |= {"headers": [(b"host", b"localhost")]}
    asyncio.run(Guard(says_nothing, "secret", (), LARGEST, "scrape")(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
