"""A browser with the page, for the tests of the rooms."""

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi")

from helpers.browser import MISSING, Page, chromium_with
from helpers.serving import served

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.web.limits import Limits


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    if MISSING:
        pytest.skip(MISSING)
    with chromium_with(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page_server(tmp_path_factory):
    """A server whose list of backgrounds has a file and a colour, and its own config.yaml."""
    folder = tmp_path_factory.mktemp("mine")
    den = folder / "den.png"
    cv2.imwrite(str(den), np.zeros((36, 64, 3), np.uint8))
    flags = {"background.items": ("blur", "beach", "#0000ff", str(den))}
    with served(
        tmp_path_factory.mktemp("gallery"),
        flags,
        limits=Limits(backgrounds=4),
        config=folder / "config.yaml",
    ) as client:
        client.config = folder / "config.yaml"
        yield client


@pytest.fixture
def page(chromium, page_server):
    before = page_server.get("/api/settings").json()
    yield Page(chromium, page_server)
    chromium.get("about:blank")
    page_server.post("/api/live", json={"on": False})
    same = {key: before[key] for key in ("refine", "harmonise", "light", "paused", "frozen")}
    same["background"] = {"current": before["background"]["current"]}
    same["output"] = {key: before["output"][key] for key in ("mirror", "record", "virtualcam")}
    same["engine"] = {"name": before["engine"]["name"]}
    assert page_server.patch("/api/settings", json=same).ok


@pytest.fixture(scope="session")
def demo():
    return DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)


@pytest.fixture(scope="session")
def photo_file(demo, tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "me.png"
    cv2.imwrite(str(path), demo.image(45))
    return path


@pytest.fixture
def room_file(tmp_path):
    """Make a picture of one colour (BGR)."""

    def make(colour, name="room.png"):
        cv2.imwrite(str(tmp_path / name), np.full((36, 64, 3), colour, np.uint8))
        return tmp_path / name

    return make
