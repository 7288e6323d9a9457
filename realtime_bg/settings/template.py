"""The commented configuration file with all defaults, and the schema by which editors check it."""

from pathlib import Path
from typing import Any

from realtime_bg.settings.schema import Settings

SCHEMA_NAME = "config.schema.json"
# The language server for YAML, which most editors use, looks for this line.
FIRST_LINE = f"# yaml-language-server: $schema={SCHEMA_NAME}\n"


def template() -> str:
    """The text of config.yaml: the one in the installed package, or that of a checkout."""
    beside = Path(__file__).parent / "config.yaml"
    path = beside if beside.is_file() else Path(__file__).parents[2] / "config.yaml"
    return path.read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """The JSON schema of the settings."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "config.yaml of realtime-bg",
    }
