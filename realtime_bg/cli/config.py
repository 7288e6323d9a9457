"""The command `config`: shows, explains and creates the configuration file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from realtime_bg.cli.options import ConfigOrDefault

config_app = typer.Typer(help="Show or create the configuration file.", no_args_is_help=True)


@config_app.command()
def show(config: ConfigOrDefault = None) -> None:
    """Print the settings that would be used, from the file and the environment, as YAML."""
    import yaml

    from realtime_bg.settings import chosen_config, load
    from realtime_bg.system.urls import without_password

    values = load(chosen_config(config)).model_dump(mode="json")
    values["source"]["spec"] = without_password(values["source"]["spec"])
    typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


@config_app.command()
def path() -> None:
    """Print where your own config.yaml is, or would be."""
    from realtime_bg.settings import default_config

    typer.echo(default_config())


@config_app.command()
def schema() -> None:
    """Print the JSON schema of config.yaml, for editors and scripts."""
    from realtime_bg.settings.template import schema as described

    typer.echo(json.dumps(described(), indent=2))


@config_app.command()
def init(
    file: Annotated[
        Path | None,
        typer.Argument(show_default="config.yaml in your configuration folder"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Write a config.yaml with every setting, its default and its meaning, and the schema with
    which editors complete it."""
    from realtime_bg.errors import SettingsError
    from realtime_bg.settings import at_home, default_config
    from realtime_bg.settings.template import FIRST_LINE, SCHEMA_NAME, template
    from realtime_bg.settings.template import schema as described
    from realtime_bg.system.files import write_whole

    target = at_home(file) if file is not None else default_config()
    if target.exists() and not overwrite:
        raise SettingsError(f"{target} already exists; give --overwrite to replace it")
    described_text = json.dumps(described(), indent=2) + "\n"
    write_whole(target.with_name(SCHEMA_NAME), described_text.encode())
    write_whole(target, (FIRST_LINE + template()).encode())
    typer.echo(f"written: {target}, and {SCHEMA_NAME} beside it for editors")
