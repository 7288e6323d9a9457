"""The zoo finds weights in order, fetches them whole or not at all, and says why it cannot."""

import hashlib
import http.server
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import ROOT

from realtime_bg import zoo
from realtime_bg.cli import main as cli
from realtime_bg.engines._rvm_export import export_cached
from realtime_bg.errors import ModelError
from realtime_bg.settings import EngineSettings

BODY = bytes(range(256)) * 300
SHA256 = hashlib.sha256(BODY).hexdigest()


def make_row(name="first", **changes):
    values = {"engine": "rvm", "file": f"{name}.onnx", "licence": "MIT", "card": "https://x"}
    return zoo.Model(name=name, **(values | changes))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An own cache, an own working folder and no proxy."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


@pytest.fixture
def rows(monkeypatch):
    """Replace the rows of models.yaml."""

    def use(*models):
        monkeypatch.setattr(zoo, "models", lambda: {model.name: model for model in models})

    use(make_row("first"), make_row("second"), make_row("other", engine="modnet"))
    return use


@pytest.fixture
def server():
    """A web server on this machine; its address, and the paths that were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked.append(self.path)
            if self.path == "/missing.onnx":
                self.send_error(404)
                return
            self.send_response(200)
            if self.path != "/unsized.onnx":
                self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            whole = self.path == "/good.onnx"
            self.wfile.write(BODY if whole else BODY[: len(BODY) // 2])

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    httpd.address, httpd.asked = f"http://127.0.0.1:{httpd.server_port}", asked
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def put(folder, name, data=b"weights"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refused(call, *args, **kwargs):
    with pytest.raises(ModelError) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


# the table


def test_every_row_of_the_table_is_complete():
    rows = zoo.models()
    assert rows
    for name, row in rows.items():
        assert row.name == name
        assert row.file.endswith(zoo.WEIGHT_SUFFIXES)
        assert row.url is None or (row.url.startswith("https://") and row.sha256)
        assert row.sha256 is None or len(row.sha256) == 64
        assert row.licence
        assert row.card.startswith("https://") or (ROOT / row.card).is_file()


def test_an_unknown_row_names_those_there_are(rows):
    message = refused(zoo.row, "frist")
    assert "'frist'" in message
    assert "first, second, other" in message


# where weights are found


def test_folders_are_asked_in_order(rows, place, monkeypatch):
    one, two = place / "one", place / "two"
    monkeypatch.setenv("REALTIME_BG_MODELS", os.pathsep.join([str(one), "", str(two)]))
    order = [zoo.cache_folder(), two, one]
    for folder in order:  # from the last to the first: each new one wins
        path = put(folder, "first.onnx")
        assert zoo.resolve("rvm", EngineSettings()) == path
        assert zoo.find(zoo.row("first")) == path
    assert zoo.folders() == [*order[::-1], zoo.packaged()]


def test_a_folder_called_models_where_it_runs_supplies_nothing(rows):
    put(Path("models"), "first.onnx")
    assert zoo.find(zoo.row("first")) is None


def packaged_at(folder, monkeypatch, *there):
    """What `zoo.packaged` finds for a package in ``folder`` where the files ``there`` are."""
    for name in there:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(zoo, "__file__", str(folder / "realtime_bg" / "zoo.py"))
    return zoo.packaged.__wrapped__().relative_to(folder).as_posix()


MODELS = "models/models.yaml"


def test_an_installed_package_has_its_models_inside(tmp_path, monkeypatch):
    inside = f"realtime_bg/{MODELS}"
    assert packaged_at(tmp_path, monkeypatch, inside, MODELS) == "realtime_bg/models"
    # Also in a checkout: a wheel that was unpacked there says which models it was built with.
    assert packaged_at(tmp_path, monkeypatch, "pyproject.toml") == "realtime_bg/models"


def test_a_checkout_has_its_models_beside_the_package(tmp_path, monkeypatch):
    assert packaged_at(tmp_path, monkeypatch, "pyproject.toml", MODELS) == "models"


def test_models_of_another_package_never_win(tmp_path, monkeypatch):
    assert packaged_at(tmp_path, monkeypatch, MODELS) == "realtime_bg/models"


def test_an_earlier_folder_beats_a_preferred_row(rows, place, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(place / "one"))
    put(zoo.cache_folder(), "first.onnx")
    assert zoo.resolve("rvm", EngineSettings()).name == "first.onnx"
    put(place / "one", "second.onnx")
    assert zoo.resolve("rvm", EngineSettings()).name == "second.onnx"


def test_in_one_folder_the_preferred_row_wins(rows):
    put(zoo.cache_folder(), "second.onnx")
    put(zoo.cache_folder(), "first.onnx")
    assert zoo.resolve("rvm", EngineSettings()).name == "first.onnx"


def test_a_folder_of_that_name_is_no_file(rows):
    (zoo.cache_folder() / "first.onnx").mkdir(parents=True)
    assert zoo.find(zoo.row("first")) is None


def test_a_given_path_wins_over_everything(rows, place):
    put(zoo.cache_folder(), "first.onnx")
    mine = put(place / "mine", "own.safetensors")
    assert zoo.resolve("rvm", EngineSettings(model=mine)) == mine


def test_a_given_name_means_its_row(rows):
    put(zoo.cache_folder(), "first.onnx")
    path = put(zoo.cache_folder(), "second.onnx")
    assert zoo.resolve("rvm", EngineSettings(model=Path("second"))) == path


def test_only_files_the_engine_can_read_count(rows):
    rows(make_row("first"), make_row("second", file="second.pth"))
    put(zoo.cache_folder(), "first.onnx")
    path = put(zoo.cache_folder(), "second.pth")
    assert zoo.resolve("rvm", EngineSettings(), (".pth",)) == path


def test_a_model_of_another_engine_is_refused(rows):
    message = refused(zoo.resolve, "rvm", EngineSettings(model=Path("other")))
    assert "'other'" in message
    assert "--engine modnet" in message


def test_a_name_nobody_knows_is_refused(rows):
    message = refused(zoo.resolve, "rvm", EngineSettings(model=Path("nothing")))
    assert "'nothing'" in message
    assert "no such file" in message
    assert "models list" in message


def test_a_file_of_another_kind_is_refused(rows):
    path = put(zoo.cache_folder(), "notes.txt")
    message = refused(zoo.resolve, "rvm", EngineSettings(model=path))
    assert "notes.txt" in message
    assert ".onnx" in message


def test_an_engine_without_rows_asks_for_a_file(rows):
    assert "--model" in refused(zoo.resolve, "unheard-of", EngineSettings())


@pytest.mark.parametrize("given", [None, Path("first")])
def test_a_truncated_file_is_found_out_by_its_size(rows, given):
    rows(make_row(bytes=100))
    path = put(zoo.cache_folder(), "first.onnx", b"x" * 99)
    message = refused(zoo.resolve, "rvm", EngineSettings(model=given))
    assert str(path) in message
    assert "99 bytes instead of 100" in message
    assert "models fetch first" in message
    put(zoo.cache_folder(), "first.onnx", b"x" * 100)
    assert zoo.resolve("rvm", EngineSettings(model=given)) == path


def test_a_whole_file_further_on_wins_over_a_damaged_one(rows, place, monkeypatch):
    rows(make_row(bytes=100))
    monkeypatch.setenv("REALTIME_BG_MODELS", str(place / "one"))
    put(place / "one", "first.onnx", b"x" * 99)
    path = put(zoo.cache_folder(), "first.onnx", b"x" * 100)
    assert zoo.resolve("rvm", EngineSettings()) == path


def test_a_row_whose_file_the_engine_cannot_read_names_those_it_can(rows):
    rows(make_row("first"), make_row("second", file="second.pth"))
    put(zoo.cache_folder(), "first.onnx")
    message = refused(zoo.resolve, "rvm", EngineSettings(model=Path("first")), (".pth",))
    assert "'first' is not a .pth file" in message
    assert "use second" in message


# fetching


def test_what_comes_with_the_program_needs_no_address(capsys):
    embedded = zoo.row("embedded")
    assert zoo.fetch(embedded, offline=True) == zoo.find(embedded)


def test_offline_names_the_command_that_helps(rows):
    rows(make_row(url="https://example.invalid/first.onnx"))
    message = refused(zoo.resolve, "rvm", EngineSettings(offline=True))
    assert "first.onnx" in message
    assert "--offline" in message
    assert "realtime-bg models fetch first" in message


def test_a_row_without_address_says_where_to_put_it(rows, place):
    message = refused(zoo.resolve, "rvm", EngineSettings())
    assert "first.onnx" in message
    assert str(place / "cache" / "realtime-bg") in message


def test_a_closed_port_is_an_error_at_once(rows, place):
    rows(make_row(url=f"http://127.0.0.1:{closed_port()}/first.onnx"))
    start = time.monotonic()
    message = refused(zoo.resolve, "rvm", EngineSettings())
    assert time.monotonic() - start < 5
    assert "first.onnx" in message
    assert "127.0.0.1 cannot be reached (Connection refused)" in message
    assert files_in(place) == []


def test_a_resolver_that_hangs_is_not_waited_for(rows, monkeypatch):
    release = threading.Event()

    def hang(*_args, **_kwargs):
        release.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert zoo.CONNECT_SECONDS <= 4  # what a user waits; shortened here
    monkeypatch.setattr(zoo, "CONNECT_SECONDS", 0.2)
    rows(make_row(url="https://models.example/first.onnx"))
    start = time.monotonic()
    message = refused(zoo.resolve, "rvm", EngineSettings())
    assert time.monotonic() - start < 5
    assert "models.example cannot be reached (no answer" in message
    release.set()


def test_the_proxy_is_what_must_be_reached(rows, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port()}")
    rows(make_row(url="https://models.example/first.onnx"))
    assert "127.0.0.1 cannot be reached" in refused(zoo.resolve, "rvm", EngineSettings())


def test_a_proxy_without_scheme_is_named_too(rows, monkeypatch):
    monkeypatch.setenv("https_proxy", f"localhost:{closed_port()}")
    rows(make_row(url="https://models.example/first.onnx"))
    assert "localhost cannot be reached" in refused(zoo.resolve, "rvm", EngineSettings())


def test_a_host_excluded_from_the_proxy_is_asked_itself(rows, server, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    rows(make_row(file="good.onnx", url=f"{server.address}/good.onnx", sha256=SHA256))
    assert zoo.resolve("rvm", EngineSettings()).is_file()


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_a_download_lands_whole_and_is_found_afterwards(rows, server, place, folder, caplog):
    row = make_row(url=f"{server.address}/good.onnx", sha256=SHA256, bytes=len(BODY))
    rows(row)
    target = place / folder if folder else place / "cache" / "realtime-bg"
    path = zoo.fetch(row, folder=place / folder if folder else None)
    assert path == target / "first.onnx"
    assert path.read_bytes() == BODY
    assert files_in(target) == ["first.onnx"]
    assert "licence of the weights: MIT" in caplog.text  # never silently
    assert row.url in caplog.text
    if folder is None:
        assert zoo.resolve("rvm", EngineSettings(offline=True)) == path
        assert len(server.asked) == 1


def test_resolve_downloads_what_is_nowhere(rows, server):
    rows(make_row(url=f"{server.address}/good.onnx", sha256=SHA256))
    assert zoo.resolve("rvm", EngineSettings()).read_bytes() == BODY


def test_a_download_that_is_another_file_leaves_nothing(rows, server, place):
    row = make_row(url=f"{server.address}/good.onnx", sha256="0" * 64)
    message = refused(zoo.fetch, row)
    assert row.url in message
    assert "SHA-256" in message
    assert files_in(place) == []


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_server_that_cuts_off_leaves_nothing(rows, server, place, sha256):
    row = make_row(url=f"{server.address}/cut.onnx", sha256=sha256)
    message = refused(zoo.fetch, row)
    assert row.url in message
    assert "try again" in message
    assert files_in(place) == []


def test_a_cut_download_without_hash_is_found_out_by_its_size(rows, server, place):
    row = make_row(url=f"{server.address}/unsized.onnx", bytes=len(BODY))
    refused(zoo.fetch, row)
    assert files_in(place) == []


def test_a_file_the_server_does_not_have(rows, server, place):
    row = make_row(url=f"{server.address}/missing.onnx", sha256=SHA256)
    assert "404" in refused(zoo.fetch, row)
    assert files_in(place) == []


def test_a_cache_that_cannot_be_written_is_our_error(rows, server, place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(put(place, "a-file")))
    row = make_row(url=f"{server.address}/good.onnx", sha256=SHA256)
    refused(zoo.fetch, row)


def test_a_file_that_is_here_and_right_needs_no_network(rows, place):
    path = put(place / "cache" / "realtime-bg", "first.onnx", BODY)
    row = make_row(url=f"http://127.0.0.1:{closed_port()}/good.onnx", sha256=SHA256)
    assert zoo.fetch(row) == path


def test_fetching_again_keeps_the_old_file_when_it_fails(rows, place, monkeypatch, capsys):
    path = put(place / "cache" / "realtime-bg", "first.onnx", BODY)
    rows(make_row(url=f"http://127.0.0.1:{closed_port()}/good.onnx", sha256=SHA256))
    monkeypatch.setattr(sys, "argv", ["realtime-bg", "models", "fetch", "--force", "first"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert path.read_bytes() == BODY


# exporting a checkpoint


def test_a_checkpoint_is_exported_once_and_kept_by_its_content(checkpoint, place):
    first = export_cached(checkpoint)
    assert first.is_relative_to(place / "cache")
    assert first.name.startswith(checkpoint.stem)
    stamp = first.stat().st_mtime_ns
    assert export_cached(checkpoint) == first
    assert first.stat().st_mtime_ns == stamp
    copy = put(place / "copy", checkpoint.name, checkpoint.read_bytes())
    assert export_cached(copy) == first  # the same content, elsewhere
    assert files_in(place / "cache") == [first.name]  # nothing half-made beside it
    import onnx

    inputs = {value.name for value in onnx.load(first).graph.input}
    assert inputs == {"src", "downsample_ratio", "r1i", "r2i", "r3i", "r4i"}


def test_another_content_under_the_same_name_is_exported_anew(checkpoint, place):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(checkpoint)
    changed = place / checkpoint.name
    name = next(name for name in tensors if name.endswith("bias"))
    save_file(tensors | {name: tensors[name] + 1}, changed)
    assert export_cached(changed) != export_cached(checkpoint)


def test_a_checkpoint_of_another_network_is_refused(place):
    import numpy as np
    from safetensors.numpy import save_file

    path = place / "other.safetensors"
    save_file({"encoder.weight": np.zeros((2, 2), np.float32)}, path)
    message = refused(export_cached, path)
    assert message.startswith(f"{path}: not an RVM checkpoint")
    assert files_in(place / "work") == []
    assert not (place / "cache").exists()


def test_a_checkpoint_with_tensors_of_other_shapes_is_refused(checkpoint, place):
    from safetensors.numpy import load_file, save_file

    path = place / "shapes.safetensors"
    save_file({name: value.reshape(-1) for name, value in load_file(checkpoint).items()}, path)
    assert str(path) in refused(export_cached, path)


@pytest.mark.parametrize("name", ["junk.safetensors", "junk.pth"])
def test_a_damaged_checkpoint_is_refused(place, name):
    if name.endswith(".pth"):
        pytest.importorskip("torch", reason='needs the extra "torch"')
    path = put(place, name, b"junk" * 10)
    assert str(path) in refused(export_cached, path)


def test_an_export_that_cannot_be_kept_is_our_error(checkpoint, place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(put(place, "a-file")))
    refused(export_cached, checkpoint)
