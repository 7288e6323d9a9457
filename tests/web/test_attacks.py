"""What a local program without a token, or a client with bad intentions, cannot do to the page."""

import contextlib
import io
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from helpers.serving import served
from helpers.waiting import PATIENCE, until
from PIL import Image as Pillow
from websockets.sync.client import connect

from realtime_bg.web import connections, job_folders
from realtime_bg.web.job_folders import JobFolder, remove_abandoned
from realtime_bg.web.pixel_gate import PixelGate


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("attacked")) as client:
        yield client


@contextlib.contextmanager
def half_requests(port, count):
    """Connections that have sent half of a request's head, and wait."""
    opened = []
    try:
        for _ in range(count):
            own = socket.create_connection(("127.0.0.1", port), timeout=120)
            own.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            opened.append(own)
        yield opened
    finally:
        for own in opened:
            own.close()


def is_closed(own):
    own.settimeout(0.01)
    try:
        return own.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_half_requests_are_closed_after_a_while(web, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with half_requests(web.port, 3) as opened:
        until(lambda: all(is_closed(own) for own in opened))


def test_half_a_second_request_is_closed_like_the_first(web, monkeypatch):
    """Of a connection that was kept alive; no token is needed for an answer."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=120) as own:
        own.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert own.recv(100_000).startswith(b"HTTP/1.1 401")
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
        own.send(b"GET / HTTP/1.1\r\nX: ")
        until(lambda: is_closed(own))


def test_there_is_a_limit_of_connections_and_the_page_comes_back(web, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 16)
    with half_requests(web.port, 40) as opened:
        until(lambda: sum(is_closed(own) for own in opened) >= 24)
    until(lambda: web.get("/api/about").status_code == 200)


def test_an_idle_keep_alive_connection_is_no_half_request(web, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 30)
    assert web.get("/api/about").ok
    assert web.get("/api/about").ok


def test_the_limit_leaves_most_handles_to_the_program(monkeypatch):
    monkeypatch.setattr(connections, "most_handles", lambda: 256)
    assert connections.most_connections() == 64
    monkeypatch.setattr(connections, "most_handles", lambda: 1_000_000)
    assert connections.most_connections() == connections.MOST


def test_json_has_a_small_limit_of_its_own(web):
    body = b'{"refine": {' + b'"a": 1,' * 20_000 + b'"b": 1}}'
    answer = web.patch("/api/settings", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"] == "larger than 64 kB"

    def chunks():  # without a stated length
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    kind = {"Content-Type": "application/json"}
    assert web.patch("/api/settings", data=chunks(), headers=kind).status_code == 413


def test_messages_of_any_kind_do_not_end_the_events(web):
    address = f"ws://127.0.0.1:{web.port}/api/events"
    headers = {"Authorization": web.headers["Authorization"]}
    with connect(address, additional_headers=headers) as events:
        events.send(b"\x00\xff" * 100)
        events.send("text")
        for _ in range(3):
            assert events.recv(timeout=120)


def test_an_open_websocket_is_no_half_request(web, monkeypatch):
    """The deadline of a request does not close what has become a WebSocket."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    address = f"ws://127.0.0.1:{web.port}/api/events"
    headers = {"Authorization": web.headers["Authorization"]}
    with connect(address, additional_headers=headers) as events, half_requests(web.port, 1) as half:
        until(lambda: is_closed(half[0]))  # its deadline began after that of the WebSocket
        assert events.ping().wait(PATIENCE)


def test_a_list_of_files_is_no_video(web):
    for name in ("x.mp4", "source"):
        data = b"ffconcat version 1.0\nfile " + name.encode() + b"\n"
        answer = web.post("/api/jobs", files={"video": (name, data)})
        assert answer.status_code == 422
        assert "playlists and lists of files are not opened" in answer.json()["error"]
    assert web.get("/api/jobs").json() == []


def empty_png(width, height):
    """A PNG header and a stream of zeros: few bytes, many pixels."""
    buffer = io.BytesIO()
    Pillow.new("L", (width, height)).save(buffer, "png", compress_level=9)
    return buffer.getvalue()


def test_a_picture_is_not_decoded_before_it_has_a_place(web):
    photos, entered, leave = web.context.photos, threading.Event(), threading.Event()

    def waiting():
        entered.set()
        leave.wait(20)

    small, taken = empty_png(8, 8), web.context.limits.photos
    from realtime_bg.web.form_checks import FormChoice

    choice = FormChoice(None, None)
    threads = [
        threading.Thread(target=photos.process, args=(small, choice, waiting)) for _ in range(taken)
    ]
    for thread in threads:
        thread.start()
    assert entered.wait(PATIENCE)
    until(lambda: not photos._places._value)
    try:
        files = {"image": ("a.png", small), "background": ("b.png", b"no picture")}
        assert web.post("/api/image", files=files).status_code == 429  # and not 422
    finally:
        leave.set()
        for thread in threads:
            thread.join(60)


def test_the_gate_bounds_the_pixels_in_flight():
    gate, inside, most = PixelGate(100), [], []
    lock, leave = threading.Lock(), threading.Event()

    def decode(pixels):
        with gate.admit(pixels):
            with lock:
                inside.append(pixels)
                most.append(sum(inside))
            leave.wait(10)
            with lock:
                inside.remove(pixels)

    threads = [threading.Thread(target=decode, args=(40,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(inside) == 2)  # there is no place for a third one
    leave.set()
    for thread in threads:
        thread.join(60)
    assert len(most) == 8
    assert max(most) == 80
    with gate.admit(1000):  # larger than the gate: alone
        assert gate._inside == 100


def test_folders_of_a_killed_server_are_deleted_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = JobFolder()
    left = tmp_path / f"{job_folders.PREFIX}left"
    foreign = tmp_path / f"{job_folders.PREFIX}without-a-lock"
    for folder in (left, foreign):
        folder.mkdir()
    (left / job_folders.LOCK).touch()
    (left / "film").write_bytes(b"somebody")
    remove_abandoned()
    assert not left.exists()
    assert foreign.exists()
    assert mine.path.exists()
    assert (Path(mine.path).stat().st_mode & 0o777) == 0o700 or os.name == "nt"
    mine.remove()
    assert not mine.path.exists()
