"""A file is there whole or not at all, whatever happens while it is written."""

import stat
import sys

import pytest

from realtime_bg.errors import SinkError
from realtime_bg.system.files import whole, write_private, write_whole


def test_a_new_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole(path) as partial:
        partial.write_text("x")
        assert not path.exists()
        assert partial.parent == path.parent
    assert path.read_text() == "x"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_was_there_stays_when_the_block_raises(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), whole(path) as partial:  # noqa: PT012
        partial.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_changes_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(FileNotFoundError), whole(path):
        pass
    assert path.read_text() == "before"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"a\.txt: cannot be written \("):
        write_whole(tmp_path / "file" / "a.txt", b"x")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_a_private_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
