"""Whether settings can work: the one place that knows, asked before anything is opened or changed.

`prepare` is for a program that starts, `check_changes` for one that runs. Both look settings up in
one table, so a value that is refused on the command line is refused from `ctl`, a key, the page and
config.yaml as well, with the same words.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from realtime_bg import backgrounds, engines, sinks, sources, zoo
from realtime_bg.errors import BackgroundError, RealtimeBgError, SettingsError
from realtime_bg.settings import Settings
from realtime_bg.settings.loading import value_of
from realtime_bg.sinks.window import CHOICES, display_problem

log = logging.getLogger(__name__)

Use = Literal["run", "daemon", "page", "program", "file"]
"""Who uses settings: `realtime-bg run`, the daemon, `realtime-bg serve`, another program through
the Python API, or a photo or video."""


class Refused(SettingsError):  # noqa: N818 - an answer
    """A change that cannot be applied, and the ``key`` it is about."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}", key)
        self.reason = reason


def check_sinks(settings: Settings) -> None:
    """Whether every output is one, named once, and writes over nothing that is read. Raises
    RealtimeBgError."""

    def whole(spec: str) -> str:
        return os.path.realpath(os.path.expanduser(spec))

    background = settings.background
    backgrounds = {whole(spec) for spec in (background.current, *background.items)}
    source = whole(settings.source.spec)
    written: set[str] = set()
    for spec in settings.output.sinks:
        is_file = sinks.file_of(spec) is not None
        name = whole(spec) if is_file else spec
        if name in written:
            raise SettingsError(f"output {spec} is given twice; give each --output another name")
        written.add(name)
        if name == source:
            raise SettingsError(f"{spec} is the source itself; give --output another name")
        if is_file and name in backgrounds:
            raise SettingsError(f"{spec} is one of the backgrounds; give --output another name")


def _check_engine(name: str | None) -> None:
    if name not in (None, "auto"):
        engines.check_installed(str(name))


def _check_model(model: Any) -> None:
    if model is not None:
        zoo.check_named(model)


def _check_backgrounds(settings: Settings) -> None:
    for item in settings.background.items:
        backgrounds.classify(item)


# Setting -> whether what it names is there. Raises RealtimeBgError.
CHECKS: Mapping[str, Callable[[Settings], object]] = {
    "engine.name": lambda s: _check_engine(s.engine.name),
    "engine.combine.engine": lambda s: _check_engine(s.engine.combine.engine),
    "engine.model": lambda s: _check_model(s.engine.model),
    "engine.combine.model": lambda s: _check_model(s.engine.combine.model),
    "background.current": lambda s: backgrounds.classify(s.background.current),
    "background.items": _check_backgrounds,
    "source.spec": lambda s: sources.classify(s.source.spec),
    "output.sinks": check_sinks,
}


def check(settings: Settings, leave_out: Iterable[str] = ()) -> None:
    """Find what cannot work before anything is opened; keys in ``leave_out`` are not looked at.
    Raises RealtimeBgError."""
    for key, look in CHECKS.items():
        if key not in leave_out:
            look(settings)


def check_changes(new: Settings, keys: Iterable[str], now: Settings) -> None:
    """Whether a running program can change from ``now`` to ``new``, which differ in ``keys``.
    Raises Refused."""
    for key in keys:
        if key in CHECKS and value_of(new, key) != value_of(now, key):
            try:
                CHECKS[key](new)
                if key == "output.sinks" and "window" in set(new.output.sinks) - set(
                    now.output.sinks
                ):
                    raise SettingsError("a running program cannot open a window; leave it out")
            except RealtimeBgError as error:
                raise Refused(key, str(error)) from None


def prepare(settings: Settings, use: Use) -> Settings:
    """Settings as ``use`` starts with them: checked, with what they leave open filled in.

    * ``run``: the preview window where no output is named;
    * ``daemon``: no window, and the virtual camera where no output is named; a background that
      cannot be found must not keep a service from starting, so blur takes its place;
    * ``page``: as they are, since it converts photos and videos as well;
    * ``program``: no output but those named;
    * ``file``: no outputs.

    The quality ``auto`` becomes that of the use, except for ``page``.

    Raises RealtimeBgError for what cannot work.
    """
    if use == "daemon":
        settings = _for_daemon(settings)
        check(settings, leave_out=("background.current", "background.items"))
        return with_current_item(_with_a_background(settings)).at_quality("fast")
    check(settings)
    if use == "page":
        return with_current_item(settings)
    if use == "program":
        return with_virtual_camera(with_current_item(settings)).at_quality("fast")
    if use == "file":
        return settings.at_quality("fine")
    settings = with_virtual_camera(_with_window(with_current_item(settings)))
    return settings.at_quality("fast" if runs_live(settings) else "fine")


def with_current_item(settings: Settings) -> Settings:
    """Settings whose list of backgrounds holds the present one, so that its key comes back."""
    background = settings.background
    if background.current in (*background.items, "none"):
        return settings
    items = (background.current, *background.items)
    return settings.model_copy(
        update={"background": background.model_copy(update={"items": items})}
    )


def _with_window(settings: Settings) -> Settings:
    """Settings whose outputs are explicit: the window where none is given and there is a
    display. Raises SettingsError without one."""
    output = settings.output
    if output.sinks or output.virtualcam:
        return settings
    problem = display_problem()
    if problem:
        raise SettingsError(f"no preview window: {problem}; {CHOICES}")
    return settings.model_copy(update={"output": output.model_copy(update={"sinks": ("window",)})})


def with_virtual_camera(settings: Settings) -> Settings:
    """Settings in which a virtual camera that is listed is switched on."""
    output = settings.output
    if sinks.lists_virtual_camera(output):
        output = output.model_copy(update={"virtualcam": True})
    return settings.model_copy(update={"output": output})


def _for_daemon(settings: Settings) -> Settings:
    output = settings.output
    if "window" in output.sinks:
        raise SettingsError(
            "output.sinks: the daemon has no window; leave it out, or use `realtime-bg run`"
        )
    if not output.sinks:
        output = output.model_copy(update={"virtualcam": True})
    return with_virtual_camera(settings.model_copy(update={"output": output}))


def _with_a_background(settings: Settings) -> Settings:
    try:
        backgrounds.classify(settings.background.current)
    except BackgroundError as error:
        log.error("%s; blur takes its place", error)
        background = settings.background.model_copy(update={"current": "blur"})
        return settings.model_copy(update={"background": background})
    return settings


def runs_live(settings: Settings) -> bool:
    """Whether somebody watches while it runs, so that late frames are worth less than new ones."""
    if sources.is_live(settings.source.spec) or settings.output.virtualcam:
        return True
    return any(sinks.is_live(spec) for spec in settings.output.sinks)
