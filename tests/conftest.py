"""What all tests share: a clean environment, the optional shared data, a small RVM checkpoint."""

import logging
import os
import signal
from pathlib import Path

# Before PyTorch is loaded, and for what the tests start: tests run side by side, and threads of
# OpenMP that wait for each other on a busy processor cost ten times the work itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from helpers import ROOT
from helpers.desktop import Desktop

from realtime_bg.frames import Frame

pytest.register_assert_rewrite("realtime_bg.testing")
cv2.setNumThreads(1)

SHARED = Path(os.environ.get("REALTIME_BG_SHARED", ROOT.parent / "shared")).absolute()


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """What the tests start receives Ctrl-C and SIGHUP, also where a shell has started the tests in
    the background, or ``nohup`` has: a signal with a handler is not ignored in a new program."""
    before = {}
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) == signal.SIG_IGN:
        before[hang_up] = signal.signal(hang_up, lambda *_: None)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory, monkeypatch):
    """No setting, model, cache, configuration or daemon of the user reaches a test."""
    for name in [name for name in os.environ if name.startswith("REALTIME_BG_")]:
        monkeypatch.delenv(name)
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(base / "config"))
    (base / "run").mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / "run"))


@pytest.fixture(autouse=True)
def own_logging():
    """The program's commands set up logging; no test finds it so, whatever ran before."""
    root, own = logging.getLogger(), logging.getLogger("realtime_bg")
    before = root.handlers[:], root.level
    own.setLevel(logging.NOTSET)
    yield
    root.handlers[:], root.level = before
    own.setLevel(logging.NOTSET)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An own folder, and it is the present one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def shared():
    """The folder of real weights, people and clips, where there is one."""
    if not (SHARED / "models").is_dir():
        pytest.skip(f"no shared data at {SHARED} (REALTIME_BG_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def shared_path(shared):
    """A file or folder of the shared data by its relative path; the test is skipped without it."""

    def find(name):
        if not (shared / name).exists():
            pytest.skip(f"no {name} in {shared}")
        return shared / name

    return find


@pytest.fixture(scope="session")
def real_checkpoints(shared):
    """All checkpoints of RVM's MobileNetV3 with trained weights and without a refiner of their own,
    which are those for the fast guided filter. There is at least one."""
    from safetensors import safe_open

    def is_plain(path):
        with safe_open(path, "np") as tensors:
            return not any(name.startswith("refiner.") for name in tensors.keys())  # noqa: SIM118

    named = sorted((shared / "models").glob("rvm_mobilenetv3*.safetensors"))
    found = [path for path in named if is_plain(path)]
    if not found:
        pytest.skip(f"no rvm_mobilenetv3*.safetensors without a refiner in {shared / 'models'}")
    return found


@pytest.fixture(scope="session")
def real_checkpoint(real_checkpoints):
    """One of them, whichever is there."""
    return real_checkpoints[0]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """RVM with the released tensor names and random weights, as safetensors."""
    torch = pytest.importorskip("torch", reason='needs the extra "torch"')
    from safetensors.torch import save_file

    from realtime_bg.networks.rvm import RVM

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "rvm_random.safetensors"
    save_file(RVM().state_dict(), path)
    return path


@pytest.fixture
def portrait():
    """A frame with a plain figure before a grey, grained room, 320x180."""
    rng = np.random.default_rng(3)
    image = rng.integers(90, 130, (180, 320, 3), np.uint8)
    cv2.ellipse(image, (160, 175), (70, 75), 0, 0, 360, (170, 60, 30), -1)
    cv2.ellipse(image, (160, 75), (28, 36), 0, 0, 360, (130, 160, 220), -1)
    return Frame(image, 0, 0.0)


@pytest.fixture(scope="module")
def desktop_session():
    with Desktop() as made:
        yield made


@pytest.fixture
def desktop(desktop_session, monkeypatch):
    """A session with PipeWire, which this process uses, too; see `Desktop`."""
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(desktop_session.folder))
    return desktop_session
