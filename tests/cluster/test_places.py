"""Paths and URLs: what is read, and that results are whole or not there."""

import pytest

fsspec = pytest.importorskip("fsspec", reason='needs the extra "cluster"')

from realtime_bg.cluster import places  # noqa: E402
from realtime_bg.errors import MissingPackageError, SinkError, SourceError  # noqa: E402


@pytest.fixture(params=["path", "file://", "memory://"])
def folder(request, tmp_path):
    """An empty folder: a path, and on two filesystems of fsspec."""
    if request.param == "path":
        yield str(tmp_path)
    elif request.param == "memory://":
        yield f"memory://{tmp_path.name}"
        fsspec.filesystem("memory").store.clear()
    else:
        yield f"{request.param}{tmp_path}"


def test_a_file_is_written_read_and_removed(folder):
    name = places.within(folder, "sub/a b.bin")
    assert not places.exists(name)
    places.write(name, b"one")
    assert places.exists(name)
    assert places.read(name) == b"one"
    assert places.size(name) == 3
    before = places.version(name)
    assert places.version(name) == before
    places.write(name, b"other")
    assert places.version(name) != before
    assert places.names(places.within(folder, "sub")) == ["a b.bin"]  # and nothing temporary
    places.remove(places.within(folder, "sub"))
    assert not places.exists(name)
    places.remove(name)  # no error


def test_a_file_is_fetched_and_delivered(folder, tmp_path):
    (tmp_path / "here").write_bytes(bytes(range(256)) * 100)
    name = places.within(folder, "there/x.bin")
    places.deliver(tmp_path / "here", name)
    places.fetch(name, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "here").read_bytes()
    assert places.names(places.within(folder, "there")) == ["x.bin"]


def test_what_cannot_be_written_leaves_the_old_file(folder, tmp_path):
    name = places.within(folder, "x.bin")
    places.write(name, b"old")
    with pytest.raises(SinkError, match=r"x\.bin: cannot be written"):
        places.deliver(tmp_path / "gone", name)
    assert places.read(name) == b"old"
    assert "x.bin" in places.names(folder)
    assert not [each for each in places.names(folder) if each.endswith(".part")]


def test_what_is_not_there_is_one_line(folder):
    for act in (places.read, places.version, places.size):
        with pytest.raises(SourceError, match=r"gone\.jpg: cannot be read"):
            act(places.within(folder, "gone.jpg"))
    assert places.names(places.within(folder, "gone")) == []


@pytest.mark.parametrize("start", ["file://", "memory://"])
def test_a_folder_or_pattern_is_searched_for_files(tmp_path, start):
    root = f"{start}{tmp_path}"
    for place in ("a.jpg", "sub/b.PNG", "sub/.hidden.png", ".x/c.jpg", "d.txt"):
        places.write(places.within(root, place), b"x")
    found = places.found(root, (".jpg", ".png"))
    assert [each.place for each in found] == ["a.jpg", "sub/b.PNG"]
    assert [each.name for each in found] == [f"{root}/a.jpg", f"{root}/sub/b.PNG"]
    assert [each.place for each in places.found(f"{root}/sub/*", (".png",))] == ["b.PNG"]
    assert [each.place for each in places.found(f"{root}/a.jpg", (".png",))] == ["a.jpg"]
    with pytest.raises(SourceError, match="no such files"):
        places.found(root, (".tiff",))
    with pytest.raises(SourceError, match="gone"):
        places.found(f"{root}/gone.jpg", (".jpg",))


def test_a_store_gets_a_file_under_its_name_at_once(monkeypatch):
    """An upload to a store is invisible until it is complete, and a rename would be another."""
    memory = fsspec.filesystem("memory")
    monkeypatch.setattr(type(memory), "protocol", "s3")
    monkeypatch.setattr(type(memory), "mv", None)
    places.write("memory://store/x", b"1")
    assert places.read("memory://store/x") == b"1"
    memory.store.clear()


def test_what_is_a_url():
    assert all(map(places.is_url, ("s3://b/k", "sftp://me@host/x", "simplecache::s3://b/k")))
    assert not any(map(places.is_url, ("a/b", "/a:b", "C:\\x", "c://x", "talk::x.mp4")))


def test_a_password_is_never_shown():
    with pytest.raises(SourceError) as raised:
        places.read("nosuch://me:secret@host/x.jpg")
    assert "secret" not in str(raised.value)
    assert "nosuch" in str(raised.value)


def test_the_package_of_a_protocol_is_named(monkeypatch):
    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingPackageError, match=r"Install s3fs.*run: .*install s3fs"):
        places.read("s3://bucket/x.jpg")
