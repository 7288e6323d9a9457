"""Installing the daemon as a service of the user's session: systemd, launchd or the Task
Scheduler."""

import getpass
import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import platformdirs

from realtime_bg.errors import SettingsError, reason
from realtime_bg.system.files import write_whole

NAME = "realtime-bg"
UNDO = f"{NAME} install-service --remove"

# Left out on purpose: PrivateDevices and DevicePolicy (cameras, GPUs), ProtectProc and ProcSubset
# (/proc shows who reads the virtual camera), MemoryDenyWriteExecute (networks are compiled when
# they are loaded), ProtectHome=yes (models, backgrounds, recordings).
UNIT = """\
[Unit]
Description=realtime-bg: your webcam with another background
# The order only: it works without them, and starts nothing that the user has disabled.
After=pipewire.socket pipewire.service wireplumber.service
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# Invalid settings: a restart would not help.
RestartPreventExitStatus=2
TimeoutStopSec=10
WatchdogSec=20
SyslogIdentifier=realtime-bg
# Otherwise glibc keeps a heap for each short-lived thread, and memory use creeps up.
Environment=MALLOC_ARENA_MAX=2

NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=default.target
"""

TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>realtime-bg: your webcam with another background</Description>
    <URI>\\realtime-bg</URI>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger><Enabled>true</Enabled><UserId>{user}</UserId></LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>10</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{program}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A file that makes the system start the daemon, and the commands that register and start it.
    ``stop``: a command that runs first and ends a daemon with older options. ``remove``: stops and
    unregisters it."""

    path: Path
    data: bytes
    start: tuple[tuple[str, ...], ...]
    remove: tuple[str, ...]
    stop: tuple[str, ...] = ()


def systemd(command: list[str]) -> Service:
    """A user unit (Type=notify, with a watchdog)."""
    path = platformdirs.user_config_path() / "systemd/user" / f"{NAME}.service"
    text = UNIT.format(command=" ".join(map(_quoted, command)))
    start = (
        ("systemctl", "--user", "enable", str(path)),
        ("systemctl", "--user", "restart", NAME),  # --now would not restart a running one
    )
    return Service(path, text.encode(), start, ("systemctl", "--user", "disable", "--now", NAME))


def _quoted(word: str) -> str:
    """A word of ExecStart in systemd's quoting, with % and $ doubled."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if not word or set(word) & set(" \t'\"\\;") else word


def launchd(command: list[str]) -> Service:
    """A launch agent for this user."""
    label = f"io.github.{NAME}"
    path = Path.home() / "Library/LaunchAgents" / f"{label}.plist"
    log = str(Path.home() / "Library/Logs" / f"{NAME}.log")
    values = {
        "Label": label,
        "ProgramArguments": command,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ProcessType": "Interactive",
        "LimitLoadToSessionType": "Aqua",
        "Umask": 0o077,
        "StandardErrorPath": log,
    }
    start = (("launchctl", "load", "-w", str(path)),)
    return Service(
        path,
        plistlib.dumps(values),
        start,
        ("launchctl", "unload", "-w", str(path)),
        ("launchctl", "unload", str(path)),
    )


def task_scheduler(command: list[str]) -> Service:
    """A task at logon."""
    path = platformdirs.user_config_path(NAME, appauthor=False) / f"{NAME}.xml"
    domain = os.environ.get("USERDOMAIN")  # without the user, it would run at anybody's logon
    user = f"{domain}\\{getpass.getuser()}" if domain else getpass.getuser()
    text = TASK.format(
        user=escape(user),
        program=escape(command[0]),
        arguments=escape(subprocess.list2cmdline(command[1:])),
    )
    start = (
        ("schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(path)),
        ("schtasks", "/Run", "/TN", NAME),
    )
    # The Task Scheduler reads only UTF-16.
    return Service(
        path,
        text.replace("\n", "\r\n").encode("utf-16"),
        start,
        ("schtasks", "/Delete", "/F", "/TN", NAME),
        ("schtasks", "/End", "/TN", NAME),
    )


KINDS: dict[str, Callable[[list[str]], Service]] = {
    "systemd": systemd,
    "launchd": launchd,
    "task-scheduler": task_scheduler,
}
NATIVE = {"linux": "systemd", "darwin": "launchd", "win32": "task-scheduler"}


def service(kind: str | None, options: list[str]) -> Service:
    """The service of ``kind`` (None: that of this system) that runs the daemon with ``options``.
    Raises SettingsError."""
    kind = kind or NATIVE.get(sys.platform, "systemd")
    if kind not in KINDS:
        raise SettingsError(f"{kind}: no such kind of service; choose {', '.join(KINDS)}")
    return KINDS[kind]([*program(), "daemon", *options])


def program() -> list[str]:
    """The command that starts this installation of the program."""
    beside = Path(sys.executable).with_name(f"{NAME}.exe" if sys.platform == "win32" else NAME)
    if beside.exists():
        return [str(beside)]
    return [sys.executable, "-m", "realtime_bg"]


def install(service: Service, start: bool) -> str:
    """Write the file and, with ``start``, register and start (or restart) the service. Return what
    was done and what is left to do. Raises SinkError."""
    write_whole(service.path, service.data)
    words = " && ".join(" ".join(command) for command in service.start)
    if not start or shutil.which(service.start[0][0]) is None:
        return f"{service.path} is written; start it, now and at each login: {words}"
    if service.stop:
        with suppress(OSError, subprocess.SubprocessError):  # there may be no running service
            _run(service.stop)
    try:
        for command in service.start:
            _run(command)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{service.path} is written, but it was not started ({_why(error)}); run: {words}"
    return f"{service.path} is written and started; undo it with: {UNDO}"


def uninstall(service: Service) -> str:
    """Stop and unregister the service, and delete its file. Return what was done. Raises
    SettingsError, and then the file is still there, if the system refuses."""
    if not service.path.exists():
        return f"there is no service: {service.path} does not exist"
    words = " ".join(service.remove)
    if shutil.which(service.remove[0]) is not None:
        try:
            if service.stop:
                with suppress(subprocess.SubprocessError):  # it may not be running
                    _run(service.stop)
            _run(service.remove)
        except (OSError, subprocess.SubprocessError) as error:
            raise SettingsError(
                f"the service was not removed ({_why(error)}); run: {words}, "
                f"and delete {service.path}"
            ) from None
    service.path.unlink()
    return f"the service is stopped, and {service.path} is deleted"


def _why(error: Exception) -> str:
    """The first line that a command said when it failed."""
    said = str(getattr(error, "stderr", "") or reason(error)).strip()
    return said.splitlines()[0] if said else "no reason given"


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
