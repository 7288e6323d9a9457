"""The command line around ``--cluster``, and that nothing of Ray is loaded without it."""

import os
import subprocess
import sys

import cv2
import pytest
from helpers.clips import picture

pytestmark = pytest.mark.usefixtures("place")

PHOTO = ("image", "me.png", "-o", "out/")


@pytest.fixture(autouse=True)
def me(place):
    cv2.imwrite(str(place / "me.png"), picture(1))


def refused(result, *words):
    code, lines = result
    assert (code, len(lines)) == (2, 1), lines
    assert all(word in lines[0] for word in words), lines
    return True


def test_nothing_of_ray_is_loaded_without_the_option():
    program = """
import sys
from realtime_bg.cli.main import main
sys.argv = ["realtime-bg", "image", "me.png", "-o", "out.png", "-e", "threshold"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
loaded = {"ray", "fsspec", "realtime_bg.cluster"} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_ray_the_command_that_installs_it_is_said(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused(command(*PHOTO, "--cluster", "local"), "'ray'", "run: ", "cluster")


def test_options_of_a_cluster_need_one(command):
    assert refused(command(*PHOTO, "--workers", "2"), "--workers", "--cluster local")
    assert refused(command(*PHOTO, "--cpus-per-worker", "2"), "--cluster local")
    assert refused(command(*PHOTO, "--gpus-per-worker", "0.5"), "--cluster local")


def test_an_address_is_checked(command):
    assert refused(command(*PHOTO, "--cluster", "head:10001"), "auto, local or ray://HOST:10001")


def test_an_output_folder_is_needed(command):
    assert refused(command("image", "me.png", "--cluster", "local"), "give --directory")
    assert refused(command("image", "-", "-o", "x/", "--cluster", "local"), "give --directory")
    file = ("video", "v.mp4", "-o", "out.mp4", "--cluster", "local")
    assert refused(command(*file), "called like a file; write out.mp4/")
    assert refused(command("image", "me.png", "-o", "a.PNG", "--cluster", "local"), "a.PNG/")
    pipe = ("image", "me.png", "-o", "-", "--cluster", "local")
    assert refused(command(*pipe), "give --directory")


def test_what_cannot_work_is_said_before_a_cluster_is_asked(command, monkeypatch, place):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ("--cluster", "local")
    assert refused(command(*PHOTO, *words, "-b", "nosuch.jpg"), "nosuch.jpg")
    assert refused(command("image", "no.png", "-o", "out/", *words), "no.png: no such file")
    sequence = ("video", "v.mp4", "-o", "out/", "--alpha", "png-sequence")
    assert refused(command(*sequence, *words), "png-sequence", "leave --cluster out")
    twice = ("video", "a/v.mp4", "b/v.mp4", "-o", "out/")
    assert refused(command(*twice, *words), "two videos would become v.mp4")
    (place / "talks").mkdir()
    assert refused(command("video", "talks", "-o", "out/", *words), "talks/*.mp4")


def test_several_videos_need_a_folder(command):
    assert refused(command("video", "a.mp4", "b.mp4", "-o", "c.mp4"), "need a folder")


@pytest.mark.parametrize("kept", [True, False])
def test_a_token_of_a_cluster_is_shown_to_one_elsewhere(command, monkeypatch, place, kept):
    """Ray's client would not look for it, and would wait in vain for half a minute."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(place))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "")  # is put back afterwards
    monkeypatch.delenv("RAY_AUTH_MODE")
    if kept:
        (place / ".ray").mkdir()
        (place / ".ray/auth_token").write_text("0123")
    modes = []

    class Ray:
        @staticmethod
        def init(address, **_):
            modes.append(os.environ.get("RAY_AUTH_MODE"))
            raise ConnectionError

    monkeypatch.setitem(sys.modules, "ray", Ray)
    answer = command(*PHOTO, "--cluster", "ray://head:10001")
    assert refused(answer, "ray://head:10001", "no cluster answers", "RAY_AUTH_TOKEN")
    assert modes == ["token" if kept else None]
