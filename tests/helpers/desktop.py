"""A private desktop session for PipeWire, and real programs that read a camera in it: D-Bus,
PipeWire, WirePlumber and the camera portal, without a display, a login or a camera."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from helpers.waiting import until
from realtime_bg.devices.pipewire_objects import listed

BUS = """<busconfig><type>session</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"""
# The portal offers cameras only if a backend can ask the user. The answer is in the permission
# store already, so the backend that is named here is never called for it. For hot keys it is, see
# helpers/shortcuts.py.
BACKEND_NAME = "org.freedesktop.impl.portal.desktop.tests"
BACKEND = f"""[portal]
DBusName={BACKEND_NAME}
Interfaces=org.freedesktop.impl.portal.Access;org.freedesktop.impl.portal.GlobalShortcuts;
UseIn=tests
"""
STORE = "org.freedesktop.impl.portal.PermissionStore"
LIBEXEC = Path("/usr/libexec")
NEEDED = "pipewire", "wireplumber", "dbus-daemon", "dbus-send", "pw-dump", "pw-cli"
MISSING = [name for name in NEEDED if not shutil.which(name)] + [
    name for name in ("xdg-desktop-portal", "xdg-permission-store") if not (LIBEXEC / name).exists()
]
GSTREAMER = shutil.which("gst-launch-1.0")
CHROMIUM, FIREFOX = shutil.which("chromium"), shutil.which("firefox-esr")


class Desktop:
    """The session; ``environment`` is that of its programs."""

    def __init__(self, cameras=True, portal=True):
        """``cameras``: whether PipeWire runs. ``portal``: whether the desktop portal does."""
        self._cameras, self._with_portal = cameras, portal
        self.folder = Path(tempfile.mkdtemp(prefix="desk-"))  # paths of sockets must be short
        hidden = ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
        folder = str(self.folder)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in hidden},
            "XDG_RUNTIME_DIR": folder,
            "PIPEWIRE_RUNTIME_DIR": folder,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
            "XDG_CURRENT_DESKTOP": "tests",
            "XDG_CONFIG_HOME": f"{folder}/config",
            "XDG_STATE_HOME": f"{folder}/state",
            "XDG_DATA_HOME": f"{folder}/data",
            "XDG_DESKTOP_PORTAL_DIR": f"{folder}/portals",
            "GSETTINGS_BACKEND": "memory",
            "NO_AT_BRIDGE": "1",
        }
        self._running = []

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _begin(self):
        (self.folder / "bus.conf").write_text(BUS.format(folder=self.folder))
        portals = self.folder / "portals"
        portals.mkdir()
        (portals / "tests.portal").write_text(BACKEND)
        (portals / "tests-portals.conf").write_text("[preferred]\ndefault=tests\n")
        self.start(
            "dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile"
        )
        until((self.folder / "bus").exists, "no D-Bus")
        if self._cameras:
            self._begin_cameras()
        if self._with_portal:
            self.start_portal()

    def _begin_cameras(self):
        self.start_pipewire()
        self.start(LIBEXEC / "xdg-permission-store")
        self._owned(STORE)
        self._call(
            STORE,
            f"/{STORE.replace('.', '/')}",
            f"{STORE}.SetPermission",
            "string:devices",
            "boolean:true",
            "string:camera",
            "string:",
            "array:string:yes",
        )
        self.start_session_manager()

    def start_portal(self):
        self.portal = self.start(LIBEXEC / "xdg-desktop-portal")
        self._owned("org.freedesktop.portal.Desktop")

    def close(self):
        while self._running:
            self.stop(self._running[-1])
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *command, log="services.log", **options):
        """Start a program in a process group of its own. It gives way to other tests."""
        with (self.folder / log).open("ab") as file:
            options = {"stdout": file, "stderr": file} | options
            child = subprocess.Popen(
                ["nice", *(str(word) for word in command)],
                env=self.environment,
                start_new_session=True,
                **options,
            )
        self._running.append(child)
        return child

    def stop(self, child, how=signal.SIGTERM):
        """End a program and its children."""
        if child in self._running:
            self._running.remove(child)
        for number in (how, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(60)

    def start_pipewire(self):
        self.pipewire = self.start("pipewire")
        until(lambda: self.run("pw-cli", "info", "0").returncode == 0, self.logs)

    def start_session_manager(self):
        self.manager = self.start("wireplumber")
        until(lambda: "WirePlumber" in self.run("pw-cli", "ls", "Client").stdout, self.logs)

    def restart_pipewire(self):
        self.stop(self.manager)
        self.stop(self.pipewire)
        self.start_pipewire()
        self.start_session_manager()

    def run(self, *command):
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def node(self, name):
        """The state of the node with this name ("suspended", "idle", "running"); None without."""
        for each in self._objects("Node"):
            if each["info"]["props"].get("node.name") == name:
                return each["info"]["state"]
        return None

    def _objects(self, kind):
        found = listed(self.run("pw-dump").stdout)
        kinds = (each for each in found if each.get("type", "").endswith(f":{kind}"))
        return [each for each in kinds if each.get("info")]

    def logs(self):
        files = sorted(self.folder.glob("*.log"))
        return "".join(f"--- {file.name}\n{file.read_text()[-3000:]}" for file in files)

    def _call(self, destination, path, method, *arguments):
        answer = self.run(
            "dbus-send",
            "--session",
            "--print-reply",
            f"--dest={destination}",
            path,
            method,
            *arguments,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def _owned(self, name):
        """Wait for a service."""

        def is_there():
            method = "org.freedesktop.DBus.NameHasOwner"
            return "true" in self._call("org.freedesktop.DBus", "/", method, f"string:{name}")

        until(is_there, self.logs)

    def gstreamer(self, name, frames=None):
        """Start a reader that takes a number of frames, or reads until it is stopped."""
        count = [] if frames is None else [f"num-buffers={frames}"]
        source = ["pipewiresrc", f"target-object={name}", *count]
        words = ["-q", *source, "!", "video/x-raw", "!", "fakesink", "sync=false"]
        return self.start(GSTREAMER, *words, log="gstreamer.log")

    def chromium(self, url):
        profile = tempfile.mkdtemp(dir=self.folder)
        return self.start(
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--use-fake-ui-for-media-stream",
            "--enable-features=WebRtcPipeWireCamera",
            f"--user-data-dir={profile}",
            url,
            log="chromium.log",
        )

    def firefox(self, url):
        profile = Path(tempfile.mkdtemp(dir=self.folder))
        wishes = {
            "media.webrtc.camera.allow-pipewire": True,
            "media.navigator.permission.disabled": True,
            "browser.shell.checkDefaultBrowser": False,
            "browser.aboutwelcome.enabled": False,
            "browser.startup.homepage_override.mstone": "ignore",
            "datareporting.policy.dataSubmissionEnabled": False,
            "toolkit.telemetry.reportingpolicy.firstRun": False,
        }
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in wishes.items())
        (profile / "user.js").write_text("".join(lines))
        words = ["--headless", "--no-remote", "--profile", profile, url]
        return self.start(FIREFOX, *words, log="firefox.log")


class CallPage:
    """A web page that opens the first camera, as a call does, and returns what it sees."""

    def __init__(self, html=None):
        """``html``: another page, which posts JSON to "/"; see `told`."""
        page, self.told, self.pictures = self, {}, []
        html = html or PAGE

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(html.encode())

            def do_POST(self):
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                coded = told.pop("picture", None)
                page.told |= told
                if coded:
                    data = np.frombuffer(base64.b64decode(coded), np.uint8)
                    page.pictures.append(cv2.imdecode(data, cv2.IMREAD_COLOR))

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def until(self, condition, logs):
        """Wait for a picture, BGR ``uint8 (H, W, 3)``, that meets a condition; return it."""

        def found():
            assert "error" not in self.told, f"{self.told}\n{logs()}"
            newest = self.pictures[-1:]
            return newest if newest and condition(newest[0]) else None

        said = lambda: f"{self.told}, {len(self.pictures)} pictures\n{logs()}"  # noqa: E731
        return until(found, said, timeout=120)[0]


PAGE = """<!doctype html><video id=video muted playsinline></video><script>
const tell = what => fetch('/', {method: 'POST', body: JSON.stringify(what)});
const pause = ms => new Promise(done => setTimeout(done, ms));
async function opened() {  // a browser that has just started may know no camera yet
  const video = {width: 1280, height: 720};
  for (let tries = 0; ; tries++)
    try { return await navigator.mediaDevices.getUserMedia({video}); }
    catch (error) { if (error.name != 'NotFoundError' || tries > 20) throw error; }
    finally { await pause(300); }
}
(async () => {
  const track = (video.srcObject = await opened()).getVideoTracks()[0];
  await video.play();
  const devices = await navigator.mediaDevices.enumerateDevices();
  await tell({label: track.label,
              labels: devices.filter(d => d.kind == 'videoinput').map(d => d.label),
              size: [video.videoWidth, video.videoHeight]});
  track.onended = () => tell({ended: true});
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  for (;;) {
    await new Promise(done => video.requestVideoFrameCallback(done));
    canvas.getContext('2d').drawImage(video, 0, 0);
    const blob = await canvas.convertToBlob({type: 'image/png'}), reader = new FileReader();
    await new Promise(done => { reader.onload = done; reader.readAsDataURL(blob); });
    await tell({picture: reader.result.split(',')[1]});
  }
})().catch(error => tell({error: String(error)}));
</script>"""
