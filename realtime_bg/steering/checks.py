"""Checks whether settings can work, before anything is opened or changed: the only place that
decides this.

`prepare` is for a program that starts, `check_changes` for one that is running. Both use the same
table, so a value that is refused on the command line is also refused from `ctl`, a key, the page
and config.yaml, with the same message.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from realtime_bg import backgrounds, engines, sinks, sources, zoo
from realtime_bg.errors import BackgroundError, RealtimeBgError, SettingsError, SinkError
from realtime_bg.settings import Settings
from realtime_bg.settings.loading import value_of
from realtime_bg.sinks.pipe import pipe_problem
from realtime_bg.sinks.window import CHOICES, display_problem

log = logging.getLogger(__name__)

Use = Literal["run", "daemon", "page", "program", "file"]
"""What the settings are used for: `realtime-bg run`, the daemon, `realtime-bg serve`, another
program through the Python API, or a photo or video."""


class Refused(SettingsError):  # noqa: N818 - an answer
    """A change that cannot be applied; ``key`` is the setting concerned."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}", key)
        self.reason = reason


def check_sinks(settings: Settings) -> None:
    """Check that every output is valid, is named only once, and overwrites nothing that is read.
    Raises RealtimeBgError."""

    def whole(spec: str) -> str:
        return os.path.realpath(os.path.expanduser(spec))

    background = settings.background
    backgrounds = {whole(spec) for spec in (background.current, *background.items)}
    source = whole(settings.source.spec)
    written: set[str] = set()
    for spec in settings.output.sinks:
        file = sinks.file_of(spec)
        name = whole(str(file)) if file is not None else spec
        if sinks.is_pipe(spec):
            name = "standard output"
            if name in written:
                raise SettingsError(
                    f"output {spec}: only one output can be a pipe; write the other to a file"
                )
        if name in written:
            raise SettingsError(f"output {spec} is given twice; give each --output its own name")
        written.add(name)
        if name == source:
            raise SettingsError(f"output {spec} is the source itself; give --output another name")
        if file is not None and name in backgrounds:
            raise SettingsError(
                f"output {spec} is one of the backgrounds; give --output another name"
            )


def _check_engine(name: str | None) -> None:
    if name not in (None, "auto"):
        engines.check_installed(str(name))


def _check_model(model: Any) -> None:
    if model is not None:
        zoo.check_named(model)


def _check_backgrounds(settings: Settings) -> None:
    for item in settings.background.items:
        backgrounds.check(item)


def _check_idle(spec: str | None) -> None:
    if spec is None:
        return
    backgrounds.check(spec)
    if backgrounds.background_class(backgrounds.classify(spec)[0]).needs_frame:
        raise SettingsError(
            f"the idle scene {spec!r} is made from the camera's picture; give a picture, a clip, a "
            "colour or null"
        )


# Setting -> a check that what it names exists and can be used. Raises RealtimeBgError.
CHECKS: Mapping[str, Callable[[Settings], object]] = {
    "engine.name": lambda s: _check_engine(s.engine.name),
    "engine.combine.engine": lambda s: _check_engine(s.engine.combine.engine),
    "engine.model": lambda s: _check_model(s.engine.model),
    "engine.combine.model": lambda s: _check_model(s.engine.combine.model),
    "background.current": lambda s: backgrounds.check(s.background.current),
    "background.items": _check_backgrounds,
    "idle.background": lambda s: _check_idle(s.idle.background),
    "source.spec": lambda s: sources.classify(s.source.spec),
    "output.sinks": check_sinks,
}


def check(settings: Settings, leave_out: Iterable[str] = ()) -> None:
    """Check all settings before anything is opened, except the keys in ``leave_out``. Raises
    RealtimeBgError."""
    for key, look in CHECKS.items():
        if key not in leave_out:
            look(settings)


def check_changes(new: Settings, keys: Iterable[str], now: Settings) -> None:
    """Check that a running program can change from ``now`` to ``new``, which differ in ``keys``.
    Raises Refused."""
    for key in keys:
        if key in CHECKS and value_of(new, key) != value_of(now, key):
            try:
                CHECKS[key](new)
                if key == "output.sinks":
                    _check_new_sinks(set(new.output.sinks) - set(now.output.sinks))
            except RealtimeBgError as error:
                raise Refused(key, str(error)) from None


def _check_new_sinks(specs: set[str]) -> None:
    """Check the outputs that a running program is told to open. Raises SettingsError."""
    if "window" in specs:
        raise SettingsError("a running program cannot open a window; leave it out")
    for spec in filter(sinks.is_pipe, specs):
        raise SettingsError(f"a running program cannot begin to write to {spec}; leave it out")


def _check_pipes(settings: Settings, use: Use) -> None:
    """Check that a pipe is used only by a program whose standard output is for it. Raises
    SettingsError or SinkError."""
    for spec in filter(sinks.is_pipe, settings.output.sinks):
        if use != "run":
            raise SettingsError(f"output.sinks: {spec} is for `realtime-bg run` only; leave it out")
        if problem := pipe_problem(sinks.classify(spec)[1]):
            raise SinkError(problem)


def prepare(settings: Settings, use: Use) -> Settings:
    """Check settings and fill in what they leave open, for ``use``.

    * ``run``: the preview window if no output is named;
    * ``daemon``: no window, and the virtual camera if no output is named; blur replaces a
      background that cannot be found, which must not keep a service from starting;
    * ``page``: unchanged, because the page also converts photos and videos;
    * ``program``: only the outputs that are named;
    * ``file``: no outputs.

    The quality ``auto`` is replaced by that of the use, except for ``page``.

    Raises RealtimeBgError for what cannot work.
    """
    if use != "file":
        _check_pipes(settings, use)
    if use == "daemon":
        settings = _for_daemon(settings)
        check(settings, leave_out=("background.current", "background.items", "idle.background"))
        return with_current_item(_with_a_background(settings)).at_quality("fast")
    check(settings)
    if use == "page":
        return with_current_item(settings)
    if use == "program":
        return with_virtual_camera(with_current_item(settings)).at_quality("fast")
    if use == "file":
        return settings.at_quality("fine")
    settings = with_virtual_camera(_with_window(with_current_item(settings)))
    # The demo stands for a camera, also where a file shows what a call would look like.
    is_demo = sources.classify(settings.source.spec)[0] == "demo"
    return settings.at_quality("fast" if is_demo or runs_live(settings) else "fine")


def with_current_item(settings: Settings) -> Settings:
    """Settings whose list of backgrounds includes the current one, so that the key b returns to
    it."""
    background = settings.background
    if background.current in (*background.items, "none"):
        return settings
    items = (background.current, *background.items)
    return settings.model_copy(
        update={"background": background.model_copy(update={"items": items})}
    )


def _with_window(settings: Settings) -> Settings:
    """Settings with explicit outputs: the preview window if none is given. Raises SettingsError if
    there is no display for it."""
    output = settings.output
    if output.sinks or output.virtualcam:
        return settings
    problem = display_problem()
    if problem:
        raise SettingsError(f"no preview window: {problem}; {CHOICES}")
    return settings.model_copy(update={"output": output.model_copy(update={"sinks": ("window",)})})


def with_virtual_camera(settings: Settings) -> Settings:
    """Settings in which a listed virtual camera is switched on."""
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
        log.error("%s; using blur instead", error)
        background = settings.background.model_copy(update={"current": "blur"})
        return settings.model_copy(update={"background": background})
    return settings


def runs_live(settings: Settings) -> bool:
    """Whether the output is watched while the program runs, so that new frames matter more than
    late ones."""
    if sources.is_live(settings.source.spec) or settings.output.virtualcam:
        return True
    return any(sinks.is_live(spec) for spec in settings.output.sinks)
