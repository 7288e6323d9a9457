"""The command line: parsing only; what a command does stands in the module it calls."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from realtime_bg import __version__
from realtime_bg.cli import daemon as cli_daemon
from realtime_bg.cli import doctor as cli_doctor
from realtime_bg.cli import files as cli_files
from realtime_bg.cli import setup_command as cli_setup
from realtime_bg.cli import top_command as cli_top
from realtime_bg.cli.options import (
    Background,
    Box,
    Classes,
    Combine,
    CombineModel,
    Config,
    Device,
    Engine,
    Instances,
    Model,
    Offline,
    OwnConfig,
    Pick,
    Score,
    Size,
    Source,
    Verbose,
    WorkSize,
    background_flags,
    combined,
    engine_flags,
    listed,
)
from realtime_bg.errors import RealtimeBgError, reason
from realtime_bg.system.console import out, say, show_logs


class _DefaultRun(TyperGroup):
    """``realtime-bg --background x`` means ``realtime-bg run --background x``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = ("--help", "-h", "--version", "--install-completion", "--show-completion")
        completing = ctx.resilient_parsing and not args  # nothing is typed yet but the last word
        if not completing and (not args or args[0] not in (*self.commands, *own)):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The commands and, as they may stand without it, the options of ``run``."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            run = self.commands["run"]
            with run.make_context("run", [], parent=ctx, resilient_parsing=True) as inner:
                known = {item.value for item in found}
                found += [
                    item
                    for item in run.shell_complete(inner, incomplete)
                    if item.value not in known
                ]
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The commands, and the options of the one that is meant when none is named."""
        super().format_help(ctx, formatter)
        run = self.commands["run"]
        with run.make_context("run", [], parent=ctx, resilient_parsing=True) as inner:
            run.format_help(inner, formatter)


app = typer.Typer(
    cls=_DefaultRun,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(
    help="Model files: what there is, where it lies, fetching, checking.", no_args_is_help=True
)
app.add_typer(models_app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"realtime-bg {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
]


@app.callback()
def _root(version: Version = False) -> None:
    """Your webcam with another background, live: in a window, a virtual camera or a file."""


@app.command()
def run(
    background: Background = None,
    source: Source = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            show_default="window",
            help="window, virtualcam, virtualcam:/dev/video10, a video file, or null. "
            "Several times: all of them.",
        ),
    ] = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    classes: Classes = None,
    instances: Instances = None,
    score: Score = None,
    box: Box = None,
    pick: Pick = None,
    combine: Combine = None,
    combine_model: CombineModel = None,
    size: Size = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second to ask for.")] = None,
    work_size: WorkSize = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", show_default="no-mirror", help="Mirror the picture."),
    ] = None,
    loop: Annotated[
        bool | None,
        typer.Option(
            "--loop/--no-loop", show_default="no-loop", help="Play a video source again and again."
        ),
    ] = None,
    config: OwnConfig = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Stop after so many seconds "
            "(of the source's own time when only files are written).",
        ),
    ] = None,
    offline: Offline = False,
    stats: Annotated[bool, typer.Option("--stats", help="Print rates and times.")] = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Replace the background of a camera, video, image or the demo (the default command)."""
    from realtime_bg.app import run as runner
    from realtime_bg.settings import load
    from realtime_bg.steering.config_file import chosen_config

    show_logs(verbose)
    flags = {
        **background_flags(background),
        "source.spec": source,
        "source.size": size,
        "source.fps": fps,
        "source.loop": loop,
        "output.sinks": tuple(output) if output else None,
        "output.mirror": mirror,
        "engine.instance.classes": listed(classes),
        "engine.instance.instances": instances,
        "engine.instance.score": score,
        "engine.grabcut.box": box,
        "engine.chroma.pick": pick,
        "engine.combine.model": combine_model,
        **combined(combine),
        **engine_flags(engine, model, device, work_size, offline),
    }
    config = chosen_config(config)
    settings = load(config, flags)
    runner.run(settings, duration, stats, config, flags)


app.command()(cli_files.image)
app.command()(cli_files.video)
app.command()(cli_doctor.doctor)
app.command()(cli_setup.setup)
app.command()(cli_top.top)
app.command()(cli_daemon.daemon)
app.add_typer(cli_daemon.ctl, name="ctl")
app.command("install-service")(cli_daemon.install_service)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 5003,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=("A name, besides localhost, under which browsers may ask.")
        ),
    ] = None,
    metrics_token: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "A token that opens /metrics and nothing else, for Prometheus; "
                "made if it is not there."
            ),
        ),
    ] = None,
    source: Source = None,
    size: Size = None,
    background: Background = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    work_size: WorkSize = None,
    config: OwnConfig = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """A web page for photos, videos and the live picture; prints the address to open."""
    from realtime_bg.settings import load
    from realtime_bg.steering.checks import prepare
    from realtime_bg.steering.config_file import chosen_config
    from realtime_bg.web.server import serve as run_server

    show_logs(verbose)
    flags = {
        "source.spec": source,
        "source.size": size,
        **background_flags(background),
        **engine_flags(engine, model, device, work_size, offline),
    }
    config = chosen_config(config)
    settings = prepare(load(config, flags), "page")
    run_server(settings, host, port, tuple(allow_host or ()), metrics_token)


@app.command()
def bench(
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    size: Size = None,
    sizes: Annotated[
        str | None, typer.Option(help="Several, for example 1280x720,1920x1080.")
    ] = None,
    work_size: WorkSize = None,
    frames: Annotated[int, typer.Option(min=2, help="How many frames are measured.")] = 300,
    source: Annotated[str, typer.Option("--source", "-s", help="demo or a video file.")] = "demo",
    background: Annotated[str, typer.Option("--background", "-b", help="As in `run`.")] = "beach",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    config: Config = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Measure every stage on this machine: milliseconds, rates, latency, CPU and memory."""
    from realtime_bg.app import bench as bencher
    from realtime_bg.settings import load

    show_logs(verbose)
    every = listed(sizes) or (size or ("1280x720" if source == "demo" else None),)
    flags = {
        "source.spec": source,
        "source.loop": True,
        "background.current": background,
        **engine_flags(engine, model, device, work_size, offline),
    }
    reports = [bencher.bench(load(config, flags | {"source.size": one}), frames) for one in every]
    if json:
        typer.echo(bencher.as_json(reports if sizes else reports[0]))
        return
    for report in reports:
        out.print(bencher.as_table(report))


@app.command()
def devices() -> None:
    """List cameras and virtual cameras, and who uses them."""
    from realtime_bg.devices.cameras import cameras, held_by, virtual_cameras

    found = cameras()
    for camera in found:
        holder = held_by(camera.path)
        kind = "virtual camera" if camera.virtual else "camera"
        typer.echo(f"{camera.path}  {kind}  {camera.name}{f'  used by {holder}' if holder else ''}")
    for camera in virtual_cameras():
        if camera not in found:
            typer.echo(f"{camera.path}  virtual camera  {camera.name}  (free to write to)")
    if not found:
        typer.echo("no camera found; `realtime-bg --source demo` needs none")


@models_app.command("list")
def models_list(
    engines: Annotated[bool, typer.Option("--engines", help="List the engines instead.")] = False,
) -> None:
    """List models, their licences and where they lie; or, with --engines, the engines."""
    from realtime_bg import zoo

    if engines:
        _list_engines()
        return
    for model in zoo.models().values():
        path = zoo.find(model)
        where = str(path) if path else "not here" + ("" if model.url else " (put it there by hand)")
        typer.echo(f"{model.name:<21}{model.engine:<10}{model.licence:<9}{model.file:<32}{where}")


def _list_engines() -> None:
    from realtime_bg.engines import ENGINES
    from realtime_bg.errors import EngineError
    from realtime_bg.registry import load_class

    for name in ENGINES:
        try:
            text = load_class(ENGINES, name, "engine", EngineError).description
        except RealtimeBgError as error:
            text = f"not usable here: {error}"
        typer.echo(f"{name:<12}{text}")


ModelName = Annotated[str, typer.Argument(help="A name from `models list`.")]


@models_app.command("fetch")
def models_fetch(
    name: ModelName = "rvm-mobilenetv3",
    force: Annotated[bool, typer.Option("--force", help="Fetch again what is here.")] = False,
) -> None:
    """Download a model into the user cache, verified."""
    from realtime_bg import zoo

    show_logs(False)
    typer.echo(zoo.fetch(zoo.row(name), force=force))


@models_app.command("path")
def models_path(name: ModelName = "rvm-mobilenetv3") -> None:
    """Print where a model's file lies."""
    from realtime_bg import zoo
    from realtime_bg.errors import ModelError

    path = zoo.find(zoo.row(name))
    if path is None:
        raise ModelError(f"{name} is not here; run: realtime-bg models fetch {name}")
    typer.echo(path)


@models_app.command("verify")
def models_verify() -> None:
    """Check every model file that is here against its size and SHA-256."""
    from realtime_bg import zoo
    from realtime_bg.errors import ModelError

    bad = []
    for model in zoo.models().values():
        path = zoo.find(model)
        if path is None:
            typer.echo(f"{model.name}: not here")
        elif model.sha256 is None:
            typer.echo(f"{model.name}: {path}: no hash is known for it")
        elif zoo.digest(path) == model.sha256:
            typer.echo(f"{model.name}: {path}: as published")
        else:
            typer.echo(f"{model.name}: {path}: DIFFERS from the published file")
            bad.append(f"delete {path} and run: realtime-bg models fetch --force {model.name}")
    if bad:
        raise ModelError(f"damaged or foreign files; {'; '.join(bad)}")


def main() -> None:
    """The console script: whatever the user can mend becomes one line and exit code 2."""
    # OpenCV's own remarks would stand beside our one line; they are kept when asked for.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    usage_error: Any = typer.BadParameter.__mro__[1]  # typer does not export it
    try:
        code = app(standalone_mode=False)
    except RealtimeBgError as error:
        code = _refused(str(error))
    except usage_error as error:
        problem = error.format_message().rstrip(".")  # empty where a bare group has shown its help
        path = error.ctx.command_path if getattr(error, "ctx", None) else "realtime-bg"
        code = _refused(f"{problem}; `{path} --help` lists the options") if problem else 2
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:  # a name too long, a folder that may not be read
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        code = _refused(f"{error.filename or 'input or output'}: {reason(error)}")
    except Exception as error:  # a defect of ours: one line, the rest with --verbose
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        say(f"{type(error).__name__}: {error} (details: --verbose)", "red")
        code = 1
    sys.exit(code or 0)


def _refused(problem: str) -> int:
    say(problem, "red")
    return 2
