"""The command `models`: listing, downloading and verifying models."""

import json
from typing import Annotated

import typer

from realtime_bg.cli import completion
from realtime_bg.cli.columns import columns
from realtime_bg.errors import RealtimeBgError
from realtime_bg.system.console import show_logs

models_app = typer.Typer(help="List, download and verify model files.", no_args_is_help=True)


@models_app.command("list")
def models_list(
    engines: Annotated[bool, typer.Option("--engines", help="List the engines instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List models with their licences and locations or, with --engines, the engines."""
    rows = _engines() if engines else _models()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for line in columns([_in_words(row) for row in rows]):
        typer.echo(line)


def _models() -> list[dict[str, str | None]]:
    from realtime_bg import zoo

    return [
        {
            "name": model.name,
            "engine": model.engine,
            "licence": model.licence,
            "file": model.file,
            "path": str(path) if (path := zoo.find(model)) else None,
            "url": model.url,
        }
        for model in zoo.models().values()
    ]


def _in_words(row: dict[str, str | None]) -> dict[str, str | None]:
    """A row without its address, but with what to do about a missing file."""
    if row.get("path", "") is None:
        row = row | {"path": "not here" if row["url"] else "not here (put it there by hand)"}
    return {key: text for key, text in row.items() if key != "url"}


def _engines() -> list[dict[str, str | None]]:
    from realtime_bg.engines import ENGINES
    from realtime_bg.errors import EngineError
    from realtime_bg.registry import load_class

    rows: list[dict[str, str | None]] = []
    for name in ENGINES:
        try:
            text = load_class(ENGINES, name, "engine", EngineError).description
        except RealtimeBgError as error:
            text = f"not usable here: {error}"
        rows.append({"name": name, "description": text})
    return rows


ModelName = Annotated[
    str,
    typer.Argument(help="A name from `models list`.", autocompletion=completion.models),
]


@models_app.command("fetch")
def models_fetch(
    name: ModelName = "rvm-mobilenetv3",
    force: Annotated[
        bool, typer.Option("--force", help="Download again even if it is here.")
    ] = False,
) -> None:
    """Download a model into the user cache and verify it."""
    from realtime_bg import zoo

    show_logs(False)
    typer.echo(zoo.fetch(zoo.row(name), force=force))


@models_app.command("path")
def models_path(name: ModelName = "rvm-mobilenetv3") -> None:
    """Print the location of a model's file."""
    from realtime_bg import zoo
    from realtime_bg.errors import ModelError

    path = zoo.find(zoo.row(name))
    if path is None:
        raise ModelError(f"{name} is not here; run: realtime-bg models fetch {name}")
    typer.echo(path)


@models_app.command("verify")
def models_verify() -> None:
    """Check the size and SHA-256 of every model file on this machine."""
    from realtime_bg import zoo
    from realtime_bg.errors import ModelError

    bad = []
    for model in zoo.models().values():
        path = zoo.find(model)
        if path is None:
            typer.echo(f"{model.name}: not here")
        elif model.sha256 is None:
            typer.echo(f"{model.name}: {path}: no hash is known for this file")
        elif zoo.digest(path) == model.sha256:
            typer.echo(f"{model.name}: {path}: as published")
        else:
            typer.echo(f"{model.name}: {path}: DIFFERS from the published file")
            bad.append(f"delete {path} and run: realtime-bg models fetch --force {model.name}")
    if bad:
        raise ModelError(f"damaged or foreign files; {'; '.join(bad)}")
