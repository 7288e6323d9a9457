"""What is written down of a bulk run, and what a second one concludes from it."""

import json
from contextlib import closing

import pytest

from realtime_bg.cluster import places
from realtime_bg.cluster.manifest import NAME, Manifest
from realtime_bg.errors import SinkError
from realtime_bg.videos.segments import Segment


@pytest.fixture(params=["path", "memory://"])
def folder(request, tmp_path):
    if request.param == "path":
        yield str(tmp_path / "out")
        return
    fsspec = pytest.importorskip("fsspec", reason='needs the extra "cluster"')
    yield f"memory://{tmp_path.name}/out"
    fsspec.filesystem("memory").store.clear()


def begun(folder, settings="s1", overwrite=False):
    manifest = Manifest(folder)
    manifest.begin(settings, overwrite)
    return closing(manifest)


def test_a_finished_unit_is_known_to_the_next_run(folder):
    with begun(folder) as manifest:
        manifest.note("a.png", state="done", version="1", input="a.jpg")
        manifest.note("b.png", state="failed", version="1", input="b.jpg")
        manifest.end()
    with begun(folder) as manifest:
        assert manifest.state("a.png", "1") == "done"
        assert manifest.state("a.png", "2") == "changed"
        assert manifest.state("b.png", "1") == manifest.state("c.png", "1") == ""
    with begun(folder, "s2") as manifest:
        assert manifest.state("a.png", "1") == "changed"


@pytest.mark.parametrize("ended", [True, False])
def test_overwriting_forgets_what_an_ended_run_has_done(folder, ended):
    with begun(folder) as manifest:
        first = manifest.run
        manifest.note("a.png", state="done", version="1", input="a.jpg")
        if ended:
            manifest.end()
    with begun(folder, overwrite=True) as manifest:
        assert (manifest.run == first) is not ended  # an interrupted run goes on
        assert manifest.state("a.png", "1") == ("" if ended else "done")


def test_another_run_does_not_go_on_with_other_settings(folder):
    with begun(folder) as manifest:
        first = manifest.run
    with begun(folder, "s2", overwrite=True) as manifest:
        assert manifest.run != first


def test_each_unit_has_one_line_when_a_run_begins(folder):
    with begun(folder) as manifest:
        for state in ("failed", "failed", "done"):
            manifest.note("a.png", state=state, version="1", input="a.jpg")
    with begun(folder):
        text = places.read(places.within(folder, NAME)).decode()
    first, *lines = [json.loads(line) for line in text.splitlines()]
    assert first["state"] == "begun"
    assert [(line["unit"], line["state"]) for line in lines] == [("a.png", "done")]
    assert [name for name in places.names(folder) if not name.startswith(".")] in (
        [NAME],
        [NAME, f"{NAME}.d"],
    )


def test_a_torn_line_is_left_out(tmp_path):
    with begun(str(tmp_path)) as manifest:
        manifest.note("a.png", state="done", version="1", input="a.jpg")
    with (tmp_path / NAME).open("a") as file:
        file.write('{"unit": "b.png", "sta')
    with begun(str(tmp_path)) as manifest:
        assert manifest.state("a.png", "1") == "done"


def test_segments_are_known_until_they_are_joined(folder):
    cut = [Segment(None, 9), Segment(9, None)]
    with begun(folder) as manifest:
        manifest.note("v.mp4", state="divided", version="1", input="v", segments=cut)
        manifest.note("v.mp4#0001", state="done", version="1", input="v")
        manifest.note("v.mp4#x", state="done", version="1", input="another")
    with begun(folder) as manifest:
        assert manifest.segments("v.mp4", "1") == cut
        assert manifest.segments("v.mp4", "2") == []
        assert manifest.state("v.mp4#0001", "1") == "done"
        manifest.forget_segments("v.mp4")
        assert manifest.state("v.mp4#0001", "1") == ""
        assert manifest.state("v.mp4#x", "1") == "done"


def test_two_commands_do_not_fill_one_folder(tmp_path):
    with begun(str(tmp_path)), pytest.raises(SinkError, match="another process; wait for it"):
        Manifest(str(tmp_path))
    with begun(str(tmp_path)):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]
