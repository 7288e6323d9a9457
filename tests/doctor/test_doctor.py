"""The doctor on machines that are described to it, and on this one."""

import errno
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT
from packaging.requirements import Requirement

from realtime_bg import doctor
from realtime_bg.cli import main as cli
from realtime_bg.devices import cameras as devices
from realtime_bg.devices import v4l2
from realtime_bg.devices.v4l2 import Format
from realtime_bg.doctor import isolation, packages, runtimes, speed, video, virtual, weights
from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.installing import add_extra, pip
from realtime_bg.runtimes import builds
from realtime_bg.settings import load, loading
from realtime_bg.zoo import packaged

CAPTURE, OUTPUT = 0x1, 0x2
ALL = Needs(camera="", window=True, virtualcam=True)
NOTHING = Needs(camera=None, window=False, virtualcam=False)
SETTINGS = load(flags={"engine.name": "embedded", "source.size": "320x180"})
WEBCAM = {
    "driver": b"uvcvideo",
    "name": b"HD Cam",
    "caps": CAPTURE,
    "formats": {
        b"MJPG": {(640, 480): (30, 15), (1920, 1080): (30,), (1280, 720): (60, 30)},
        b"YUYV": {(640, 480): (30,)},
    },
}
LOOPBACK = {"driver": b"v4l2 loopback", "name": b"realtime-bg", "caps": OUTPUT, "formats": {}}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux machine of files, and a kernel that answers for its video devices. It has no
    PipeWire."""
    pytest.importorskip("fcntl")
    opened, asked = {}, {}
    real_open = os.open

    def fake_open(path, flags, *rest):
        if str(path) not in asked:
            return real_open(path, flags, *rest)
        if asked[str(path)] is PermissionError:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        handle = real_open(path, flags)
        opened[handle] = asked[str(path)]
        return handle

    def fake_ioctl(handle, request, data):
        about = opened[handle]
        if request == devices.VIDIOC_QUERYCAP:
            text = struct.pack("16s32s32s", about["driver"], about["name"], b"usb")
            return text + struct.pack("=III12x", 0x060100, about["caps"], 0)
        index, *_ = struct.unpack_from("=I", data)
        formats = about["formats"]
        if request == v4l2.ENUM_FMT:
            pick(formats, index)
            return data[:44] + pick(formats, index) + data[48:]
        sizes = formats[data[4:8]]
        if request == v4l2.ENUM_SIZES:
            return data[:8] + struct.pack("=III", 1, *pick(sizes, index)) + data[20:]
        assert request == v4l2.ENUM_INTERVALS
        rate = pick(sizes[struct.unpack_from("=II", data, 8)], index)
        return data[:16] + struct.pack("=III", 1, 1, rate) + data[28:]

    def pick(options, index):
        if index >= len(options):
            raise OSError(errno.EINVAL, "Invalid argument")
        return list(options)[index]

    monkeypatch.setattr(os, "open", fake_open)
    monkeypatch.setattr("fcntl.ioctl", fake_ioctl)

    def build(files=None, nodes=None, environment=None):
        for name, text in (files or {}).items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for number, about in (nodes or {}).items():
            path = tmp_path / f"dev/video{number}"
            path.parent.mkdir(exist_ok=True)
            path.touch()
            asked[str(path)] = about
            if about is not PermissionError and about["driver"] == b"v4l2 loopback":
                (tmp_path / f"sys/devices/virtual/video4linux/video{number}").mkdir(parents=True)
                (tmp_path / "sys/module/v4l2loopback").mkdir(parents=True, exist_ok=True)
        return probing(tmp_path, NO_PIPEWIRE, environment or {})

    return build


def hold(machine, number, name="zoom", process=4242):
    """A process that has a device open, in the machine's /proc."""
    folder = machine.path(f"/proc/{process}")
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "fd/7").symlink_to(machine.path(f"/dev/video{number}"))


NO_PIPEWIRE = """
import json
print(json.dumps({"pipewire": None}))
print(json.dumps({"problem": "libpipewire-0.3.so.0: cannot open shared object file"}))
"""


def probing(tmp_path, code, environment=None):
    """A machine whose probe is this Python program."""
    path = tmp_path / "probe.py"
    path.write_text(code)
    return Machine(tmp_path, "linux", environment or {}, (sys.executable, str(path)))


def only(findings):
    (finding,) = findings
    return finding


# cameras


def test_a_camera_tells_its_formats(machine):
    finding = only(video.video(machine(nodes={0: WEBCAM}), SETTINGS, ALL))
    assert (finding.name, finding.state) == ("/dev/video0", "ok")
    assert finding.text == (
        "/dev/video0  HD Cam: MJPG 1920x1080 at 30, 1280x720 at 60, 640x480 at 30; "
        "YUYV 640x480 at 30"
    )
    assert {"code": "MJPG", "size": [1280, 720], "fps": 60.0} in finding.data["formats"]


def test_ranges_of_sizes_are_one_answer(monkeypatch):
    pytest.importorskip("fcntl")

    def ioctl(_, request, data):
        if struct.unpack_from("=I", data)[0]:
            raise OSError(errno.EINVAL, "Invalid argument")
        if request == v4l2.ENUM_FMT:
            return data[:44] + b"RGB3" + data[48:]
        if request == v4l2.ENUM_SIZES:
            return data[:8] + struct.pack("=7I", 3, 48, 4096, 8, 32, 2160, 8) + data[36:]
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert v4l2.formats(os.devnull) == [Format("RGB3", {(4096, 2160): 0.0})]


def test_formats_have_names_a_person_can_read(machine):
    strange = {"formats": {b"Y16 ": {}, b"Y16\xa0": {}, b"A": {}, b"BGR3": {}, b"RGB3": {}}}
    strange["formats"][b"A\0\0\0"] = strange["formats"].pop(b"A")
    finding = only(video.video(machine(nodes={0: WEBCAM | strange}), SETTINGS, ALL))
    assert finding.text.endswith("Y16; Y16-BE; BGR3; RGB3; and 1 more formats")


def test_the_only_camera_is_busy(machine):
    here = machine(nodes={0: WEBCAM})
    hold(here, 0)
    finding = only(video.video(here, SETTINGS, ALL))
    assert finding.state == "fault"
    assert finding.text.endswith("used by zoom (pid 4242)")
    assert finding.fix == "close zoom to free the camera"
    assert only(video.video(here, SETTINGS, NOTHING)).state == "note"


def test_another_camera_is_free(machine):
    here = machine(nodes={0: WEBCAM, 2: WEBCAM})
    hold(here, 0)
    assert [one.state for one in video.video(here, SETTINGS, ALL)] == ["note", "ok"]
    named = Needs(camera="0", window=True, virtualcam=False)
    assert [one.state for one in video.video(here, SETTINGS, named)] == ["fault", "ok"]


def test_our_own_use_of_a_camera_is_no_fault(machine):
    here = machine(nodes={0: WEBCAM})
    hold(here, 0, "realtime-bg")
    assert only(video.video(here, SETTINGS, ALL)).state == "ok"


def test_a_camera_that_may_not_be_opened(machine):
    here = machine({"/sys/class/video4linux/video0/name": "HD Cam\n"}, {0: PermissionError})
    finding = only(video.video(here, SETTINGS, ALL))
    assert finding.state == "fault"
    assert "HD Cam: cannot be opened (Permission denied)" in finding.text
    assert 'usermod -aG video "$USER"' in finding.fix


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "plug one in"),
        ({"/.dockerenv": ""}, "--device /dev/video0"),
        ({"/sys/bus/usb/devices/1-2:1.0/bInterfaceClass": "0e\n"}, "sudo modprobe uvcvideo"),
        ({"/sys/bus/usb/devices/1-2:1.0/bInterfaceClass": "03\n"}, "plug one in"),
    ],
)
def test_no_camera(machine, files, words):
    here = machine(files)
    assert words in only(video.video(here, SETTINGS, ALL)).fix
    assert [one.state for one in video.video(here, SETTINGS, ALL)] == ["fault"]
    assert [one.state for one in video.video(here, SETTINGS, NOTHING)] == ["note"]


def test_a_camera_that_was_named_and_is_not_there(machine):
    named = Needs(camera="/dev/video7", window=False, virtualcam=False)
    first, second = video.video(machine(nodes={0: WEBCAM}), SETTINGS, named)
    assert (first.state, second.state) == ("ok", "fault")
    assert "/dev/video7" in second.text


def test_a_camera_is_not_taken_for_another(machine):
    here = machine(nodes={1: WEBCAM, 10: WEBCAM})
    hold(here, 1)
    named = Needs(camera="10", window=False, virtualcam=False)
    assert [one.state for one in video.video(here, SETTINGS, named)] == ["note", "ok"]
    named = Needs(camera="1", window=False, virtualcam=False)
    assert [one.state for one in video.video(here, SETTINGS, named)] == ["fault", "ok"]


def test_a_camera_may_be_named_by_a_link_or_be_another_programs(machine):
    here = machine(nodes={2: WEBCAM, 10: LOOPBACK | {"caps": CAPTURE}})
    here.path("/dev/v4l/by-id").mkdir(parents=True)
    here.path("/dev/v4l/by-id/cam").symlink_to("../../video2")
    for target, states in (
        ("/dev/v4l/by-id/cam", ["ok"]),
        ("10", ["ok", "ok"]),
        ("3", ["ok", "fault"]),
    ):
        named = Needs(camera=target, window=False, virtualcam=False)
        assert [one.state for one in video.video(here, SETTINGS, named)] == states


# the virtual camera


def test_a_free_virtual_camera(machine):
    kept = {"/etc/modules-load.d/v4l2loopback.conf": "v4l2loopback\n"}
    finding = only(virtual.virtual(machine(kept, {10: LOOPBACK}), SETTINGS, ALL))
    assert finding.state == "ok"
    assert finding.text.startswith("/dev/video10  realtime-bg: free")


def test_a_virtual_camera_that_will_be_gone_after_a_restart(machine):
    _, note = virtual.virtual(machine(nodes={10: LOOPBACK}), SETTINGS, ALL)
    assert note.state == "note"
    assert "exclusive_caps=1" in note.fix
    assert "/etc/modules-load.d" in note.fix


def test_a_virtual_camera_that_is_fed(machine):
    here = machine(nodes={10: LOOPBACK | {"caps": CAPTURE}})
    hold(here, 10, "obs")
    first, _ = virtual.virtual(here, SETTINGS, ALL)
    assert (first.state, "used by obs (pid 4242)" in first.text) == ("ok", True)
    assert list(video.video(here, SETTINGS, NOTHING))[-1].text == "no camera found"


def test_browsers_pass_over_a_device_without_exclusive_caps(machine):
    here = machine(nodes={10: LOOPBACK | {"caps": CAPTURE | OUTPUT}})
    first, _ = virtual.virtual(here, SETTINGS, ALL)
    assert first.state == "fault"
    assert "browsers will not list it" in first.text
    assert first.fix.startswith("sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback ")
    assert next(virtual.virtual(here, SETTINGS, NOTHING)).state == "note"


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("ID=debian", "sudo apt install v4l2loopback-dkms"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"', "sudo apt install v4l2loopback-dkms"),
        ("ID=fedora", "sudo dnf install akmod-v4l2loopback"),
        ("ID=arch", "sudo pacman -S v4l2loopback-dkms"),
        ('ID=opensuse-leap\nID_LIKE="suse opensuse"', "sudo zypper install v4l2loopback"),
    ],
)
def test_a_module_that_is_not_installed(machine, name, install):
    finding = only(virtual.virtual(machine({"/etc/os-release": name}), SETTINGS, ALL))
    assert finding.state == "fault"
    first, second, third = finding.fix.splitlines()
    assert first.startswith("PipeWire, for browsers: ")
    assert second.startswith(f"v4l2loopback, for all: {install}")
    assert third == virtual.LOAD
    assert "exclusive_caps=1" in third


@pytest.mark.parametrize(("value", "said"), [(b"\6\0\0\0\1", True), (b"\6\0\0\0\0", False)])
def test_a_module_that_is_not_loaded_and_secure_boot(machine, value, said):
    release = os.uname().release
    here = machine(
        {
            f"/lib/modules/{release}/updates/dkms/v4l2loopback.ko.xz": "",
            "/etc/os-release": "ID=ubuntu\nID_LIKE=debian",
            virtual.SECURE_BOOT: value,
        }
    )
    finding = only(virtual.virtual(here, SETTINGS, ALL))
    assert "is installed but not loaded" in finding.text
    assert finding.fix.splitlines()[1].endswith(virtual.LOAD)
    assert ("update-secureboot-policy" in finding.fix) is said


def test_a_loaded_module_without_a_device_and_a_container(machine):
    here = machine()
    here.path("/sys/module/v4l2loopback").mkdir(parents=True)
    assert only(virtual.virtual(here, SETTINGS, ALL)).fix.endswith(virtual.RELOAD)
    machine({"/.dockerenv": ""})
    assert "on the host: " in only(virtual.virtual(here, SETTINGS, ALL)).fix


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_the_virtual_camera_is_opened(tmp_path, platform):
    good = "import json; print(json.dumps({'device': 'OBS Virtual Camera', 'backend': 'obs'}))"
    here = probing(tmp_path, good)
    here = Machine(here.root, platform, {}, here.probe)
    assert only(virtual.virtual(here, SETTINGS, ALL)).state == "ok"
    probing(tmp_path, 'print(\'{"problem": "not installed"}\'); raise SystemExit(1)')
    finding = only(virtual.virtual(here, SETTINGS, ALL))
    assert finding.state == "fault"
    assert "not installed" in finding.text
    assert "OBS Studio" in finding.fix


# the checks that run in a separate process


def test_a_probe_that_crashes_hangs_or_chatters(tmp_path):
    crash = "import os; print('{\"a\": 1}', flush=True); print('noise'); os.abort()"
    outcome = isolation.run_isolated(probing(tmp_path, crash))
    assert (outcome.results, outcome.problem) == ([{"a": 1}], "it crashed (SIGABRT)")
    start = time.monotonic()
    # A child that holds the pipe open must not hold us up.
    hang = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    outcome = isolation.run_isolated(probing(tmp_path, hang), seconds=0.5)
    assert outcome.problem == "no answer within 0.5 s"
    assert time.monotonic() - start < 10
    outcome = isolation.run_isolated(Machine(probe=(str(tmp_path / "nowhere"),)))
    assert "cannot be started" in outcome.problem


PROVIDERS = """
import json, os, sys
if sys.argv[1] == "providers":
    print(json.dumps({"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}))
elif sys.argv[1] == "onnxruntime":
    grid = {"CPUExecutionProvider": [0.0, 1.0], "CUDAExecutionProvider": [0.0, %s]}[sys.argv[2]]
    print(json.dumps({"problem": "", "milliseconds": 1.0, "grid": grid}))
else:
    os.abort()
"""


def test_a_provider_that_answers_something_else_is_found_out(tmp_path):
    cuda = load(flags={"engine.device": "cuda"})
    here = probing(tmp_path, PROVIDERS % "0.5")
    found = {one.name: one for one in runtimes.runtimes(here, cuda, ALL)}
    assert found["ONNX Runtime CPU"].state == "ok"
    assert found["ONNX Runtime CUDA"].state == "fault"
    assert "by up to 0.50" in found["ONNX Runtime CUDA"].text
    for name in ("OpenVINO", "PyTorch"):
        if found[name].fix.startswith(pip("install")) and "not installed" in found[name].text:
            continue
        assert "it crashed (SIGABRT)" in found[name].text
    here = probing(tmp_path, PROVIDERS % "0.99")
    found = {one.name: one for one in runtimes.runtimes(here, SETTINGS, ALL)}
    assert found["ONNX Runtime CUDA"].state == "ok"


def test_a_broken_onnx_runtime_is_a_fault(tmp_path):
    code = 'print(\'{"problem": "no libonnxruntime"}\'); raise SystemExit(1)'
    finding = only(runtimes.runtimes(probing(tmp_path, code), SETTINGS, ALL))
    assert (finding.state, "no libonnxruntime" in finding.text) == ("fault", True)


def test_packages_that_crash_or_miss_a_library(tmp_path):
    code = """
import json, os, sys
for name in sys.argv[2:]:
    if name == "onnx":
        os.abort()
    problem = "libGL.so.1: cannot open shared object file" if name == "cv2" else ""
    print(json.dumps({"module": name, "problem": problem}), flush=True)
"""
    found = {one.name: one for one in packages.packages(probing(tmp_path, code), SETTINGS, ALL)}
    assert found["cv2"].state == found["onnx"].state == "fault"
    assert found["cv2"].fix.startswith("sudo apt install libgl1")
    assert "it crashed (SIGABRT)" in found["onnx"].text
    assert "numpy" in found["packages"].text


def test_packages_that_are_old_or_in_each_others_way(tmp_path, monkeypatch):
    code = """
import json, sys
for name in sys.argv[2:]:
    print(json.dumps({"module": name, "problem": ""}))
"""
    versions = {
        "numpy": "1.19.5",
        "opencv-python": "5.0",
        "opencv-python-headless": "5.0",
        "onnxruntime": "1.30",
        "av": "14.0.0",
    }
    wanted = [Requirement("numpy>=1.26"), Requirement("av>=14.0")]
    monkeypatch.setattr(packages, "installed_version", lambda name: versions.get(name, ""))
    monkeypatch.setattr(packages, "requirements", lambda: wanted)
    found = {one.name: one for one in packages.packages(probing(tmp_path, code), SETTINGS, ALL)}
    assert found["numpy"].text == "numpy: numpy 1.19.5 is not >=1.26"
    assert found["numpy"].fix == pip("install -U numpy")
    assert "overwrite each other" in found["cv2"].text
    assert "av 14.0" in found["packages"].text
    assert found["torch"].fix == add_extra("torch")
    del versions["opencv-python"]
    found = {one.name: one for one in packages.packages(probing(tmp_path, code), SETTINGS, ALL)}
    assert (found["cv2"].state, "headless" in found["cv2"].text) == ("note", True)


def test_the_wrong_build_of_onnx_runtime_is_a_fault(tmp_path, monkeypatch):
    code = """
import json, sys
for name in sys.argv[2:]:
    print(json.dumps({"module": name, "problem": ""}))
"""
    both = {"onnxruntime": "1.32", "onnxruntime-gpu": "1.31"}
    for where in (packages, builds):
        monkeypatch.setattr(where, "installed_version", lambda name: both.get(name, ""))
    monkeypatch.setattr("onnxruntime.get_available_providers", list)
    found = {one.name: one for one in packages.packages(probing(tmp_path, code), SETTINGS, ALL)}
    assert found["onnxruntime"].state == "fault"
    assert "overwritten onnxruntime-gpu" in found["onnxruntime"].text
    assert found["onnxruntime"].fix.endswith("--force-reinstall --no-deps onnxruntime-gpu")


def test_models_are_compared_with_what_was_published(tmp_path, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(tmp_path))
    fine = only(weights.weights(Machine(), SETTINGS, ALL))
    assert (fine.name, fine.state) == ("embedded", "ok")
    data = bytearray((packaged() / "embedded.onnx").read_bytes())
    data[1000] ^= 1
    (tmp_path / "embedded.onnx").write_bytes(data)
    finding = only(weights.weights(Machine(), SETTINGS, ALL))
    assert finding.state == "fault"
    assert "differs" in finding.text
    *_, missing = weights.weights(Machine(), load(), ALL)
    assert missing.state == "note"
    assert "embedded is used instead" in missing.text


def test_the_speed_is_measured():
    finding = only(speed.speed(Machine(), SETTINGS, ALL))
    assert finding.text.startswith("embedded on CPU")
    report = finding.data
    assert report["size"] == [320, 180]
    assert 5 < report["frames"] < 10**6
    assert report["fps"]["p50"] > 0


def test_a_speed_that_cannot_be_measured_is_a_fault(tmp_path):
    settings = load(flags={"engine.name": "semantic"})
    found = list(speed.speed(Machine(), settings, ALL))
    assert found[-1].state == "fault"
    assert "put it into one of" in found[-1].text
    found = only(speed.speed(probing(tmp_path, "import os; os.abort()"), SETTINGS, ALL))
    assert "it crashed (SIGABRT)" in found.text


# the whole


@pytest.mark.parametrize(
    ("flags", "needs"),
    [
        ({}, Needs("", True, False)),
        ({"source.spec": "demo", "output.sinks": ("x.mp4",)}, Needs(None, False, False)),
        ({"source.spec": "camera:2", "output.sinks": ("virtualcam",)}, Needs("2", False, True)),
        ({"output.virtualcam": True, "output.sinks": ("window",)}, Needs("", True, True)),
        ({"output.sinks": ("pipewire",)}, Needs("", False, True, pipewire=True)),
        ({"output.sinks": ("pipewire:Desk",)}, Needs("", False, True, pipewire=True)),
        ({"output.sinks": ("virtualcam:/dev/video10",)}, Needs("", False, True, driver=True)),
    ],
)
def test_what_is_needed_follows_from_the_settings(flags, needs):
    assert Needs.of(load(flags=flags)) == needs


def test_a_check_that_breaks_does_not_end_the_examination(monkeypatch):
    def broken(*_):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(doctor, "CHECKS", {"Cameras": "video:video", "Models": "weights:weights"})
    monkeypatch.setattr(video, "video", broken)
    found = list(doctor.examine(SETTINGS))
    assert [section for section, _ in found][:2] == ["Cameras", "Models"]
    assert found[0][1].state == "fault"
    assert "no such luck" in found[0][1].text


def command(*words, **environment):
    variables = os.environ | {"DISPLAY": "", "WAYLAND_DISPLAY": ""} | environment
    call = [sys.executable, "-m", "realtime_bg", "doctor", *words]
    return subprocess.run(
        call, check=False, capture_output=True, text=True, timeout=110, env=variables
    )


def test_this_machine_for_files(tmp_path):
    done = command(
        "-s",
        "demo",
        "-o",
        "x.mp4",
        "--size",
        "320x180",
        "-e",
        "embedded",
        "--json",
        HOME=str(Path(sys.prefix).parent),
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0, report
    assert report["ok"]
    sections = [finding["section"] for finding in report["findings"]]
    assert list(dict.fromkeys(sections)) == list(doctor.CHECKS)
    cpu = next(one for one in report["findings"] if one["name"] == "ONNX Runtime CPU")
    assert cpu["state"] == "ok"
    assert cpu["data"]["milliseconds"] > 0
    assert str(Path(sys.prefix).parent) not in done.stdout
    assert "~/" in done.stdout


@pytest.mark.parametrize("home", ["/home/jérôme", r"C:\Users\me", '/home/"me"'])
def test_the_home_folder_is_in_no_report(home, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: home)
    data = {f"{home}/a": {"paths": [f"{home}/b", 3, None]}, "pair": (f"{home}/c", 1.5)}
    found = Finding("models", "ok", f"in {home}/x", f"delete {home}/y", data)
    one = json.loads(doctor.as_json([("Models", found)]))["findings"][0]
    assert (one["text"], one["fix"]) == ("in ~/x", "delete ~/y")
    assert one["data"] == {"~/a": {"paths": ["~/b", 3, None]}, "pair": ["~/c", 1.5]}


def test_this_machine_without_a_display():
    done = command("-s", "demo", "--size", "320x180", "-e", "embedded")
    assert done.returncode == 1
    assert "FAULT no preview window: no display" in done.stdout
    assert "1 fault: see FAULT above" in done.stdout
    assert done.stderr == ""


def test_the_users_own_settings_are_what_is_examined(monkeypatch, tmp_path, capsys):
    own = tmp_path / "config.yaml"
    own.write_text("nonsense: 1\n")
    monkeypatch.setattr(loading, "default_config", lambda: own)
    monkeypatch.setattr(sys, "argv", ["realtime-bg", "doctor"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "config.yaml, line 1: nonsense" in capsys.readouterr().err


def test_settings_that_cannot_be_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["realtime-bg", "doctor", "-o", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_about_it_knows_every_section():
    text = (ROOT / "docs/doctor.md").read_text()
    for section in doctor.CHECKS:
        assert f"\n{section}\n" in text  # in the example
        assert f"\n| {section} |" in text
