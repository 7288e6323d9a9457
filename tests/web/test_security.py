"""Nobody without the token sees or changes anything; other sites' pages neither."""

import http.client
import json
import re
from contextlib import closing

import pytest
import requests

pytest.importorskip("fastapi")

from helpers.serving import TOKEN, served
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from realtime_bg.web.limits import Limits
from realtime_bg.web.tokens import new_token


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery"), limits=Limits(upload=200_000)) as client:
        yield client


def raw(web, method="GET", path="/api/stats", body=None, **headers):
    """A request that says just what it is told to."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=120)
    shown = {"Host": f"127.0.0.1:{web.port}", "Authorization": f"Bearer {TOKEN}"}
    shown |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {k: v for k, v in shown.items() if v is not None})
    answer = connection.getresponse()
    answer.text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer


def paths(web):
    """Every address of the API, with each of its methods."""
    document = web.get("/api/openapi.json").json()
    return [
        (method.upper(), path.replace("{job}", "x").replace("{name}", "x"))
        for path, methods in document["paths"].items()
        for method in methods
    ]


def test_without_a_token_there_is_nothing(web):
    asked = [*paths(web), ("GET", "/"), ("GET", "/api/openapi.json"), ("GET", "/nowhere")]
    assert len(asked) > 15
    for method, path in asked:
        for token in (
            None,
            "",
            "Bearer",
            "Bearer x",
            f"Bearer {TOKEN}x",
            f"Basic {TOKEN}",
            "Bearer \xff",
        ):
            answer = raw(web, method, path, Authorization=token)
            assert answer.status == 401, (method, path, token)
            assert "?token=" in answer.text
            assert not path.startswith("/api/") or "?token=" in json.loads(answer.text)["error"]
    assert raw(web, path=f"/api/stats?token={TOKEN}", Authorization=None).status == 401


def test_the_address_with_the_token_becomes_a_cookie(web):
    answer = requests.get(f"{web.base}/?token={TOKEN}", allow_redirects=False, timeout=120)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    with requests.Session() as browser:
        assert "<title>realtime-bg" in browser.get(f"{web.base}/?token={TOKEN}", timeout=120).text
        assert browser.get(f"{web.base}/api/stats", timeout=120).status_code == 200
    bad = requests.get(f"{web.base}/?token=wrong", allow_redirects=False, timeout=120)
    assert (bad.status_code, "Set-Cookie" in bad.headers) == (401, False)


@pytest.mark.parametrize("odd", ['prefs={"a":1}', "a=b c", "nameless", "expires=soon"])
def test_another_servers_cookies_are_not_in_the_way(web, odd):
    own = requests.get(f"{web.base}/?token={TOKEN}", allow_redirects=False, timeout=120)
    (cookie,) = own.cookies
    for header in (f"{odd}; {cookie.name}={TOKEN}", f"{cookie.name}={TOKEN}; {odd}"):
        answer = requests.get(f"{web.base}/api/stats", headers={"Cookie": header}, timeout=120)
        assert answer.status_code == 200, header


def test_one_browser_opens_two_servers_of_a_host(web, tmp_path):
    with served(tmp_path, token="other") as second, requests.Session() as browser:
        for client, token in ((web, TOKEN), (second, "other")):
            assert browser.get(f"{client.base}/?token={token}", timeout=120).status_code == 200
        for client in (web, second):
            assert browser.get(f"{client.base}/api/stats", timeout=120).status_code == 200


def test_the_pages_own_files_are_no_secret(web):
    answer = raw(web, path="/static/app.js", Authorization=None)
    assert answer.status == 200
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert raw(web, path=path, Authorization=None).status in (401, 404)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "",
        "127.0.0.1.evil.example",
        "[bad",
        "localhost.evil.example",
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(web, host):
    assert raw(web, Host=host).status in (400, 421)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:5003", "127.0.0.1", "192.168.1.7:5003", "[::1]:5003"]
)
def test_own_names_and_addresses_pass(web, host):
    assert raw(web, Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"]
)
def test_pages_of_other_sites_change_nothing(web, origin):
    for path, body in (("/api/live", '{"on": true}'), ("/api/keys", '{"key": "0"}')):
        assert raw(web, "POST", path, body, Origin=origin).status == 403
        assert raw(web, "POST", path, body, Origin="http://[x").status == 403
    assert raw(web, "PATCH", "/api/settings", "{}", Sec_Fetch_Site="cross-site").status == 403
    assert web.get("/api/stats").json()["running"] is False


def test_the_own_page_may(web):
    own = f"http://127.0.0.1:{web.port}"
    answer = raw(web, "PATCH", "/api/settings", "{}", Origin=own, Content_Type="application/json")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, True),
        ({}, False),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}, False),
    ],
)
def test_events_are_guarded_like_the_rest(web, headers, passes):
    address = f"ws://127.0.0.1:{web.port}/api/events"
    if passes:
        with connect(address, additional_headers=headers) as socket:
            assert '"type"' in socket.recv(10)
        return
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers=headers)
    assert refused.value.response.status_code == 403


def test_every_answer_has_the_headers(web):
    for answer in (
        raw(web),
        raw(web, Authorization=None),
        raw(web, path="/static/app.js"),
        raw(web, path="/"),
    ):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Server"] is None
    assert raw(web).headers["Cache-Control"] == "no-store"


def test_a_body_beyond_the_limit_is_refused(web):
    kind = {"Content_Type": "multipart/form-data; boundary=x"}
    assert raw(web, "POST", "/api/image", b"x" * 300_000, **kind).status == 413
    nonsense = raw(web, "POST", "/api/image", b"", Content_Length="nonsense", **kind)
    assert nonsense.status in (400, 413)
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    pieces = iter([head, *[b"x" * 50_000] * 6])  # chunked: without a length
    shown = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind["Content_Type"]}
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=120)) as connection:
        connection.request("POST", "/api/image", pieces, shown, encode_chunked=True)
        with connection.getresponse() as answer:
            assert answer.status == 413, answer.read()


def test_the_page_asks_nobody_else(web):
    from realtime_bg.web.app import PAGE

    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'<a href="https://github.com/realtime-bg/[^"]+" rel="noreferrer">', "", text)
        assert "https://" not in text.replace('location.protocol === "https:"', ""), path.name
        assert "http://" not in text.replace("http://www.w3.org", ""), path.name
        link = "/" if path.name == "index.html" else f"/static/{path.name}"
        assert web.get(link).status_code == 200


HEADERS = {
    "Content-Security-Policy": {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    },
    "X-Content-Type-Options": {"nosniff"},
    "X-Frame-Options": {"DENY"},
    "Referrer-Policy": {"no-referrer"},
    "Cross-Origin-Opener-Policy": {"same-origin"},
    "Cross-Origin-Resource-Policy": {"same-origin"},
    "Permissions-Policy": {"camera=(), microphone=(), geolocation=()"},
}


@pytest.mark.parametrize(
    ("path", "shown", "status"),
    [
        ("/api/stats", {}, 200),
        ("/", {}, 200),
        ("/static/app.js", {}, 200),
        ("/nowhere", {}, 404),
        ("/api/stats", {"Authorization": None}, 401),
        ("/api/stats", {"Host": "evil.example"}, 421),
        (f"/?token={TOKEN}", {}, 303),
    ],
)
def test_each_header_has_exactly_this_value(web, path, shown, status):
    answer = raw(web, path=path, **shown)
    assert answer.status == status
    found = {name: set(answer.headers.get_all(name, [])) for name in HEADERS}
    policy = "Content-Security-Policy"
    (text,) = found.pop(policy)
    assert set(text.split("; ")) == HEADERS[policy]
    assert found == {name: value for name, value in HEADERS.items() if name != policy}
    kept = answer.headers["Cache-Control"]
    assert (kept != "no-store") if path.startswith("/static/") else (kept == "no-store")


def test_a_refusal_says_how_to_identify_oneself(web):
    assert raw(web, Authorization=None).headers["WWW-Authenticate"] == "Bearer"
    assert raw(web, Host="evil.example").headers["WWW-Authenticate"] is None
    plain = raw(web, path="/", Authorization=None)
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert plain.text.startswith("realtime-bg: no valid token; ")
    assert raw(web, Authorization=None).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("site", "status"),
    [
        ("same-origin", 200),
        ("none", 200),
        ("same-site", 403),
        ("cross-site", 403),
        ("", 403),
        ("anything", 403),
    ],
)
def test_a_change_comes_from_the_own_page_or_from_the_user(web, site, status):
    answer = raw(
        web, "PATCH", "/api/settings", "{}", Sec_Fetch_Site=site, Content_Type="application/json"
    )
    assert answer.status == status
    assert raw(web, Sec_Fetch_Site=site).status == 200  # reading changes nothing


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_every_method_that_changes_is_refused_to_other_sites(web, method):
    for shown in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        answer = raw(web, method, "/api/settings", "{}", **shown)
        assert (answer.status, "another site may not" in answer.text) == (403, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_no_change(web, method):
    assert raw(web, method, Origin="https://evil.example").status in (200, 405)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A server that is also called MyBox.lan, and has a token for metrics alone."""
    folder = tmp_path_factory.mktemp("named")
    with served(folder, hosts=("MyBox.lan",), scrape_token="s" * 43) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mybox.lan:5003", 200),
        ("MYBOX.LAN", 200),
        ("MyBox.lan", 200),
        ("other.lan", 421),
        ("x.mybox.lan", 421),
        ("mybox.lan.evil.example", 421),
    ],
)
def test_a_host_that_is_allowed_passes_in_any_case(named, host, status):
    assert raw(named, Host=host).status == status


def test_the_own_origin_is_compared_with_the_host_in_any_case(named):
    for origin, status in (("http://MYBOX.lan:5003", 200), ("http://mybox.lan", 403)):
        answer = raw(
            named,
            "PATCH",
            "/api/settings",
            "{}",
            Host="MyBox.lan:5003",
            Origin=origin,
            Content_Type="application/json",
        )
        assert answer.status == status


def test_the_token_for_metrics_opens_nothing_else(named, web):
    scrape = f"Bearer {'s' * 43}"
    assert raw(named, path="/metrics", Authorization=scrape).status == 200
    assert raw(named, path="/metrics").status == 200  # the whole token does, too
    for other in ("Bearer x", f"Bearer {'s' * 42}", f"Bearer {'s' * 44}", "Bearer ", None):
        assert raw(named, path="/metrics", Authorization=other).status == 401, other
    for path in ("/", "/api/stats", "/metrics/", "/api/openapi.json", "/metrics2"):
        assert raw(named, path=path, Authorization=scrape).status == 401, path
    assert raw(named, "POST", "/metrics", Authorization=scrape).status == 401
    for token in (scrape, "Bearer", "Bearer ", None):  # here there is no such token
        assert raw(web, path="/metrics", Authorization=token).status == 401


def test_the_cookie_is_the_token_for_this_port_only(web):
    answer = raw(web, path=f"/?token={TOKEN}", Authorization=None)
    assert answer.status == 303
    cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert cookie == f"realtime_bg_token_{web.port}={TOKEN}"
    assert {one.lower() for one in attributes} == {"httponly", "samesite=strict", "path=/"}
    for name, status in ((f"realtime_bg_token_{web.port}", 200), ("realtime_bg_token", 401)):
        assert raw(web, Authorization=None, Cookie=f"{name}={TOKEN}").status == status
    bare = raw(web, path=f"/?token={TOKEN}", Authorization=None, Host="localhost")
    assert bare.headers["Set-Cookie"].startswith(f"realtime_bg_token={TOKEN}; ")
    # Only the page itself takes the token from its address, and only when it is read
    for method, path in (("POST", "/"), ("GET", "/api/stats"), ("GET", "/nowhere")):
        assert raw(web, method, f"{path}?token={TOKEN}", Authorization=None).status in (401, 403)


def test_a_token_is_long_and_never_the_same():
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {43}  # 32 bytes as base64


def test_the_limits_of_bodies_are_exact(web):
    kind = {"Content_Type": "Multipart/Form-Data; boundary=x"}
    for size, refused in ((200_000, False), (200_001, True)):
        status = raw(web, "POST", "/api/image", b"x" * size, **kind).status
        assert (status == 413) is refused, size
    for size, refused in ((64_000, False), (64_001, True)):
        kind = {"Content_Type": "application/json"}
        answer = raw(web, "PATCH", "/api/settings", b"{" + b" " * (size - 2) + b"}", **kind)
        assert (answer.status == 413) is refused, size
    for length in ("-1", "+1", "1e3", "0x10"):
        assert raw(web, "POST", "/api/image", b"", Content_Length=length).status in (400, 413)
