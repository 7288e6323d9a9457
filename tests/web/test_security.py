"""Nobody without the token sees or changes anything; other sites' pages neither."""

import http.client
import json
from contextlib import closing

import pytest
import requests

pytest.importorskip("fastapi")

from helpers.serving import TOKEN, served
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from realtime_bg.web.limits import Limits


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery"), limits=Limits(upload=200_000)) as client:
        yield client


def raw(web, method="GET", path="/api/stats", body=None, **headers):
    """A request that says just what it is told to."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
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
    answer = requests.get(f"{web.base}/?token={TOKEN}", allow_redirects=False, timeout=30)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    with requests.Session() as browser:
        assert "<title>realtime-bg" in browser.get(f"{web.base}/?token={TOKEN}", timeout=30).text
        assert browser.get(f"{web.base}/api/stats", timeout=30).status_code == 200
    bad = requests.get(f"{web.base}/?token=wrong", allow_redirects=False, timeout=30)
    assert (bad.status_code, "Set-Cookie" in bad.headers) == (401, False)


@pytest.mark.parametrize("odd", ['prefs={"a":1}', "a=b c", "nameless", "expires=soon"])
def test_another_servers_cookies_are_not_in_the_way(web, odd):
    own = requests.get(f"{web.base}/?token={TOKEN}", allow_redirects=False, timeout=30)
    (cookie,) = own.cookies
    for header in (f"{odd}; {cookie.name}={TOKEN}", f"{cookie.name}={TOKEN}; {odd}"):
        answer = requests.get(f"{web.base}/api/stats", headers={"Cookie": header}, timeout=30)
        assert answer.status_code == 200, header


def test_one_browser_opens_two_servers_of_a_host(web, tmp_path):
    with served(tmp_path, token="other") as second, requests.Session() as browser:
        for client, token in ((web, TOKEN), (second, "other")):
            assert browser.get(f"{client.base}/?token={token}", timeout=30).status_code == 200
        for client in (web, second):
            assert browser.get(f"{client.base}/api/stats", timeout=30).status_code == 200


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
    with closing(http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)) as connection:
        connection.request("POST", "/api/image", pieces, shown, encode_chunked=True)
        with connection.getresponse() as answer:
            assert answer.status == 413, answer.read()


def test_the_page_asks_nobody_else(web):
    for name in ("index.html", "style.css", "app.js"):
        text = web.get("/" if name == "index.html" else f"/static/{name}").text
        assert "https://" not in text.replace('location.protocol === "https:"', "")
        assert "http://" not in text.replace("http://www.w3.org", "")
