"""The password of a camera's address is shown nowhere."""

import pytest

from realtime_bg.errors import SourceError
from realtime_bg.settings import SourceSettings
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import load
from realtime_bg.sources import open_source
from realtime_bg.system.urls import without_password
from realtime_bg.web import remote
from realtime_bg.web.gallery import Gallery
from realtime_bg.web.pixel_gate import PixelGate

URL = "rtsp://me:s3cret@127.0.0.1:9/1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (URL, "rtsp://me:***@127.0.0.1:9/1"),
        ("http://me:p@ss:word@cam/x", "http://me:***@cam/x"),
        ("rtsp://:only@cam/", "rtsp://:***@cam/"),
        (f"a {URL} b", "a rtsp://me:***@127.0.0.1:9/1 b"),
        ("rtsp://cam:554/a@b", "rtsp://cam:554/a@b"),
        ("clip.mp4", "clip.mp4"),
        ("C:\\\\clips\\a@b.mp4", "C:\\\\clips\\a@b.mp4"),
    ],
)
def test_only_the_password_of_a_url_is_hidden(text, shown):
    assert without_password(text) == shown


def test_an_address_that_cannot_be_reached_does_not_tell_it():
    with pytest.raises(SourceError) as refused:
        open_source(SourceSettings(spec=URL), paced=True)
    assert "s3cret" not in str(refused.value)
    assert "rtsp://me:***@127.0.0.1:9/1" in str(refused.value)


def test_the_page_does_not_see_it(tmp_path):
    live = Live(load(flags={"source.spec": URL}))
    shown = remote.shown(live, Gallery(tmp_path, 10**6, 5, PixelGate(10**6)))
    assert "s3cret" not in str(shown)
