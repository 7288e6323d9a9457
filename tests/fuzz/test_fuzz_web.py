"""Damaged files, random JSON and random frames to every endpoint of a real server: no 5xx, no
traceback, no end, and no growth."""

import json
import socket
from base64 import b64encode
from contextlib import suppress

import psutil
import pytest
import requests
from helpers.fuzzing import JSON, bounded, files, samples, served
from helpers.waiting import until
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from realtime_bg.settings import Settings, flattened

pytest.importorskip("fastapi")

GROWTH = 150e6  # bytes; caches and the allocator's heaps, but no leak of pictures
KEYS = sorted(flattened(Settings().model_dump()))
METHODS = st.sampled_from(["GET", "POST"])
FIELDS = {"/api/image": "image", "/api/backgrounds": "image", "/api/jobs": "video"}


class Web:
    """A server in a process of its own."""

    def __init__(self, address, token, process, log):
        self.address, self.token, self.process, self.log = address, token, process, log
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, **options):
        answer = self.session.request(method, self.address + path, timeout=120, **options)
        assert answer.status_code < 500, answer.text
        return answer

    def upload(self, path, data, **fields):
        """Upload a file and delete what it became."""
        upload = {FIELDS[path]: ("../a/\x00b.png", data)} | {
            name: ("b.png", value) for name, value in fields.items()
        }
        answer = self.ask("POST", path, files=upload)
        if answer.status_code == 201:
            made = answer.json()
            if "id" in made:
                job = f"{path}/{made['id']}"
                until(lambda: self.ask("GET", job).json()["state"] not in ("queued", "running"))
            self.ask("DELETE", f"{path}/{made.get('id') or made['name']}")
        return answer.status_code

    @property
    def memory(self):
        return self.process.memory_info().rss


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def web(tmp_path_factory, kinds):
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as stderr, served(stderr) as (address, token, process):
        web = Web(address, token, process, log)
        with web.session:
            for path in FIELDS:  # loads the engine, and fills caches
                for data in kinds["video" if path == "/api/jobs" else "picture"]:
                    assert web.upload(path, data) in (200, 201)
            before = web.memory
            yield web
            assert web.memory < before + GROWTH
            assert process.is_running()
            assert process.status() != psutil.STATUS_ZOMBIE
        said = log.read_text()
    assert "Traceback" not in said, said[-4000:]


@pytest.mark.parametrize(("path", "count"), [("/api/image", 60), ("/api/backgrounds", 60)])
def test_a_damaged_photo(web, kinds, path, count):
    @bounded(count)
    @given(files(kinds["picture"]))
    def send(data):
        assert web.upload(path, data) in (200, 201, 413, 422)

    send()


def test_a_damaged_video(web, kinds):
    @bounded(20)
    @given(files(kinds["video"]))
    def send(data):
        assert web.upload("/api/jobs", data) in (201, 413, 422)

    send()


def test_a_damaged_background_of_a_photo(web, kinds):
    @bounded(20)
    @given(files(kinds["picture"]))
    def send(data):
        assert web.upload("/api/image", kinds["picture"][0], background=data) in (200, 413, 422)

    send()


def test_random_names_and_settings_of_a_photo(web, kinds):
    sections = st.one_of(JSON, st.builds(nested, st.sampled_from(KEYS), JSON)).map(json.dumps)

    @bounded(60)
    @given(st.text(max_size=300), st.one_of(sections, st.text(max_size=50)), st.text(max_size=9))
    def send(name, settings, format):
        upload = {"image": (name or "x", kinds["picture"][0])}
        fields = {"settings": settings, "format": format}
        answer = web.ask("POST", "/api/image", files=upload, data=fields)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 422:
            assert "\n" not in answer.json()["error"]

    send()


def nested(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


CHANGES = st.one_of(JSON, st.builds(nested, st.sampled_from(KEYS), JSON))


@pytest.mark.parametrize(
    ("method", "path", "body", "count"),
    [
        ("PATCH", "/api/settings", CHANGES, 100),
        ("POST", "/api/keys", st.one_of(JSON, st.fixed_dictionaries({"key": JSON})), 60),
        ("POST", "/api/live", st.one_of(JSON, st.fixed_dictionaries({"on": JSON})), 40),
    ],
)
def test_random_json(web, method, path, body, count):
    @bounded(count)
    @given(body)
    def send(value):
        kind = {"Content-Type": "application/json"}
        text = json.dumps(value).encode("utf-8", "surrogatepass")
        assert web.ask(method, path, data=text, headers=kind).status_code in (200, 403, 422, 503)

    send()
    web.ask("POST", "/api/live", json={"on": False})


def test_bytes_instead_of_json(web):
    @bounded(50)
    @given(st.sampled_from(["/api/keys", "/api/live", "/api/image"]), st.binary(max_size=300))
    def send(path, data):
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        kind = kind if path == "/api/image" else {"Content-Type": "application/json"}
        assert web.ask("POST", path, data=data, headers=kind).status_code in (200, 400, 422)

    send()


def test_random_names_in_paths(web):
    videos = ("", "/result", "/thumbnail", "/preview", "/cancel", "/retry")
    paths = [f"/api/jobs/{{}}{end}" for end in videos]
    paths += ["/api/backgrounds/{}/thumbnail", "/static/{}"]

    @bounded(80)
    @given(
        st.sampled_from(["GET", "POST"]), st.sampled_from(paths), st.text(min_size=1, max_size=40)
    )
    def ask(method, path, name):
        quoted = requests.utils.quote(name.encode("utf-8", "surrogatepass"), safe="")
        web.ask(method, path.format(quoted))

    ask()


def test_random_frames(web):
    """After a valid handshake, anything: wrong opcodes, lengths that are never sent, no masks."""
    host, _, port = web.address.rpartition("//")[2].partition(":")
    key = b64encode(bytes(16)).decode()
    request = (
        f"GET /api/events HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {web.token}\r\n\r\n"
    ).encode()

    def frame(opcode, data):
        head = bytes([0x80 | opcode, 0x80 | min(len(data), 125)])
        return head + bytes(4) + data[:125]  # masked with zeros

    frames = st.one_of(st.binary(max_size=200), st.builds(frame, st.integers(0, 15), st.binary()))

    @bounded(40)
    @given(st.lists(frames, max_size=4))
    def send(parts):
        with socket.create_connection((host, int(port)), timeout=120) as own:
            own.sendall(request)
            answer = own.recv(4096)
            # The places of those who have just left may not be free yet.
            assert answer.startswith(b"HTTP/1.1 101") or b" 403 " in answer.split(b"\r\n")[0]
            with suppress(OSError):  # the server may close it at any time
                for part in parts:
                    own.sendall(part)

    send()
    assert web.ask("GET", "/api/about").ok


def test_text_that_is_no_text_leaves_no_traceback(web):
    """uvicorn's message about it had one."""
    url = f"{web.address.replace('http', 'ws', 1)}/api/events"
    headers = {"Authorization": f"Bearer {web.token}"}
    with connect(url, additional_headers=headers, proxy=None) as own, suppress(ConnectionClosed):
        own.send(b"\xd5\x00", text=True)
        while own.recv(10):
            pass
    until(lambda: "Invalid UTF-8" in web.log.read_text())
    assert "Traceback" not in web.log.read_text()
