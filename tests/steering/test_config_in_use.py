"""What an edit of config.yaml says, what it means for the virtual camera, and what is watched."""

import pytest

from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats
from realtime_bg.steering.checks import prepare
from realtime_bg.steering.config_file import ConfigFile, in_use


def test_a_bad_edit_is_shown_in_the_window_and_logged_once(tmp_path, caplog):
    path, stats = tmp_path / "config.yaml", Stats()
    path.write_text("refine: {feather: 1}\n")
    file = ConfigFile(path, Live(load(path)), stats)
    assert stats.current_notice() == ""
    path.write_text("refine: {feather: soft}\n")
    for _ in range(2):
        assert not file.reload()
        assert stats.current_notice() == "config.yaml has an error, see the log"
    assert caplog.text.count("the old settings stay") == 1
    path.write_text("refine: {feather: 99}\n")  # another mistake
    assert not file.reload()
    assert caplog.text.count("the old settings stay") == 2


def test_the_camera_that_a_file_names_beats_what_its_outputs_mean(tmp_path):
    """`output.virtualcam: false` in the same edit as other outputs."""
    path = tmp_path / "config.yaml"

    def start(path):
        return prepare(load(path), "daemon")

    path.write_text("output: {sinks: ['null']}\n")
    live = Live(start(path))
    file = ConfigFile(path, live, Stats(), start)
    path.write_text("output: {sinks: [virtualcam], virtualcam: false}\n")
    assert file.reload()
    assert live.now.output.virtualcam is False
    path.write_text("output: {sinks: ['null'], virtualcam: true}\n")
    assert file.reload()
    assert live.now.output.virtualcam is True


@pytest.mark.parametrize("kind", ["image", "video", "folder", "gone", "name"])
def test_whatever_is_read_from_a_disk_is_watched(tmp_path, kind):
    """Whether it is an image, a clip or a folder, or not there at present."""
    path = tmp_path / {"image": "a.png", "video": "a.mp4", "folder": "a"}.get(kind, "a.jpg")
    if kind == "folder":
        path.mkdir()
    elif kind in ("image", "video"):
        path.write_bytes(b"x")
    live, stats, model = Live(load()), Stats(), tmp_path / "own.onnx"
    spec = "beach" if kind == "name" else str(path)
    config = ConfigFile(tmp_path / "config.yaml", live, stats)
    processor = Processor(live, stats, wait=False)
    live.update(background__current=spec)
    assert set(in_use(config, live, stats, None)) == {config.path}
    expected = {config.path} | (set() if kind == "name" else {path})
    assert set(in_use(config, live, stats, processor)) == expected
    stats.model = str(model)
    assert set(in_use(config, live, stats, processor)) == expected | {model}
    processor.close()
