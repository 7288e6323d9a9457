"""The screen of `realtime-bg top`: shows the state of a running realtime-bg in a terminal.

It shows a report, a dict as returned by `/api/stats`; missing keys are left out. A function without
arguments obtains the report from a server or a daemon, see `reporter`.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from realtime_bg.errors import DaemonError, SettingsError

Report: TypeAlias = dict[str, Any]
Ask: TypeAlias = Callable[[], Report]
"""Returns a report. Raises RealtimeBgError if there is no reply."""

SECONDS = 5.0  # how long a reply may take
PERIOD = 0.5
HISTORY = 60  # values in a curve
BLOCKS = "▁▂▃▄▅▆▇█"
BAR = 40  # columns for the duration of one frame at 30 frames a second
FRAME = 1000 / 30  # milliseconds
WIDTH = 76
VARIABLE = "REALTIME_BG_ADDRESS"
HOW = f"give the address that `realtime-bg serve` printed, or set {VARIABLE} to it"
DAEMON = "the daemon"


def reporter(address: str | None) -> Ask:
    """A function that obtains reports from the server at ``address``, as it printed it, or from
    this user's daemon if None. Raises SettingsError."""
    if not address:
        return _daemon
    parts = urlsplit(address)
    token = parse_qs(parts.query).get("token", [""])[0]
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # an invalid port
        usable = False
    if not usable or not token:
        raise SettingsError(f"{address!r} is not an address with a token; {HOW}")
    return _Server(f"{parts.scheme}://{parts.netloc}", token)


def _daemon() -> Report:
    from realtime_bg.daemon.control import ask_once

    try:
        return {"address": DAEMON, **ask_once({"command": "status"})}
    except DaemonError as error:
        raise SettingsError(f"{error}; or {HOW}") from None


class _Server:
    """`realtime-bg serve`, over its API."""

    def __init__(self, base: str, token: str) -> None:
        import requests

        self._base, self._session = base, requests.Session()
        self._session.trust_env = False  # so that no proxy sees the token
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self) -> Report:
        import requests

        url = f"{self._base}/api/stats"
        try:
            answer = self._session.get(url, timeout=SECONDS, allow_redirects=False)
            report = answer.json() if answer.ok else None
        except requests.ConnectionError:
            raise SettingsError(f"nobody answers at {self._base}; is it still running?") from None
        except requests.Timeout:
            raise SettingsError(f"no answer from {self._base} for {SECONDS:g} s") from None
        except (requests.RequestException, ValueError):  # including invalid host names
            raise SettingsError(f"{self._base} is not a realtime-bg server; {HOW}") from None
        if answer.status_code == requests.codes.unauthorized:
            raise SettingsError(f"{self._base} rejects this token; {HOW}")
        if not isinstance(report, dict) or "fps" not in report:
            raise SettingsError(f"{self._base} is not a realtime-bg server; {HOW}")
        return {"address": self._base, **report}


class View:
    """The newest report, with rates computed from the earlier ones."""

    def __init__(self) -> None:
        self._fps: deque[float] = deque(maxlen=HISTORY)
        self._latency: deque[float] = deque(maxlen=HISTORY)
        self._dropped: deque[tuple[float, int]] = deque(maxlen=round(10 / PERIOD))

    def drawn(self, report: Report, now: float) -> RenderableType:
        """Render the screen for a report received at ``now``, in seconds."""
        self._fps.append(float(report.get("fps", 0)))
        self._latency.append(float(report.get("latency_ms", 0)))
        self._dropped.append((now, int(report.get("dropped", 0))))
        parts: list[RenderableType] = [about(report), self._figures(report)]
        if report.get("stages_ms"):
            parts += ["", stages(report["stages_ms"])]
        for key, style in (("problem", "red"), ("config_problem", "red"), ("notice", "yellow")):
            if report.get(key):
                parts += ["", Text(str(report[key]), style)]
        title = " ".join(str(report[key]) for key in ("address", "pid") if key in report)
        return Panel(Group(*parts), title=f"realtime-bg {title}".strip(), width=WIDTH)

    def _figures(self, report: Report) -> Table:
        table = grid()
        table.add_column(style="cyan")
        table.add_row("fps", f"{self._fps[-1]:.1f}", curve(self._fps))
        table.add_row("latency", f"{self._latency[-1]:.1f} ms", curve(self._latency))
        table.add_row("dropped", str(report.get("dropped", 0)), f"{self._rate():.1f} a second")
        table.add_row("failures", str(report.get("failures", 0)))
        return table

    def _rate(self) -> float:
        """The recent rate of dropped frames per second; never negative after a restart."""
        (then, before), (now, after) = self._dropped[0], self._dropped[-1]
        return max(0, after - before) / (now - then) if now > then else 0.0


def grid() -> Table:
    """A table of names and values without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", min_width=10)
    table.add_column(no_wrap=True)
    return table


def about(report: Report) -> Table:
    """Source, engine, background and outputs."""
    table = grid()
    table.add_row("state", state(report))
    if report.get("engine"):
        where = f" on {report['provider']}" if report.get("provider") else ""
        size = "x".join(map(str, report.get("work_size", ())))
        at = f" at {size}" if size not in ("", "0x0") else ""
        table.add_row("engine", Text(f"{report['engine']}{where}{at}"))
    for name, why in report.get("given_up", {}).items():
        table.add_row("given up", Text(f"{name}: {why}", "yellow"))
    for key in ("source", "background", "outputs"):
        value = report.get(key)
        if value:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(key, Text(text))
    return table


def state(report: Report) -> Text:
    """The state in one word."""
    word = report.get("state") or ("running" if report.get("running") else "camera off")
    text = Text(str(word), "green" if word == "running" else "yellow")
    if report.get("recording"):
        text.append("  REC", "red")
    if report.get("shows_camera"):
        text.append("  the room is shown", "red")
    return text


def stages(milliseconds: dict[str, float]) -> Table:
    """A bar for each stage; a full bar is the duration of one frame at 30 frames a second."""
    table = grid()
    table.columns[1].justify = "right"
    table.add_column(style="cyan")
    for stage, value in milliseconds.items():
        length = min(BAR, round(BAR * value / FRAME))
        table.add_row(stage, f"{value:.1f} ms", "━" * length)
    return table


def curve(values: "deque[float]") -> str:
    """The values as a line of blocks, scaled from zero to the largest."""
    most = max(values, default=0.0)
    if most <= 0:
        return ""
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[round(last * max(0.0, value) / most)] for value in list(values)[-40:])


def show(ask: Ask, console: Console, once: bool) -> None:
    """Draw until Ctrl-C, or only once if ``once`` or if the output is not a terminal. Raises
    RealtimeBgError if there is no longer a reply."""
    view = View()
    if once or not console.is_terminal:
        console.print(view.drawn(ask(), time.monotonic()))
        return
    with Screen(view.drawn(ask(), time.monotonic()), console=console, auto_refresh=False) as screen:
        try:
            while True:
                time.sleep(PERIOD)
                screen.update(view.drawn(ask(), time.monotonic()), refresh=True)
        except KeyboardInterrupt:
            return
