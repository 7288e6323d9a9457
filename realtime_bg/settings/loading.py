"""Loading settings: defaults < config.yaml < environment < flags, each layer validated."""

import os
from pathlib import Path
from typing import Any

import platformdirs
import yaml
from pydantic import (
    ValidationError,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentError_

from realtime_bg.errors import SettingsError
from realtime_bg.settings.schema import Settings
from realtime_bg.settings.section import Section
from realtime_bg.settings.yaml_text import parsed

ENVIRONMENT_PREFIX = "REALTIME_BG_"
HINTS = {  # advice for errors whose message has none, by pydantic's type of error
    "string_type": 'write text; a colour needs quotes: "#00b140"',
    "string_too_short": "it must not be empty",
}


class _Environment(Settings, BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``changes`` merged into it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        under = result.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        result[key] = merged(under, value) if both else value  # type: ignore[arg-type]
    return result


def nested(dotted: dict[str, Any]) -> dict[str, Any]:
    """``{"engine.name": "rvm"}`` -> ``{"engine": {"name": "rvm"}}``."""
    result: dict[str, Any] = {}
    for path, value in dotted.items():
        *sections, key = path.split(".")
        level = result
        for section in sections:
            level = level.setdefault(section, {})
            if not isinstance(level, dict):
                raise SettingsError(f"{path}: {section} is a value, not a section")
        level[key] = value
    return result


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The inverse of `nested`; empty sections disappear."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        both = flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        result |= {f"{prefix}{key}": value} if both is None else both
    return result


def validated(values: dict[str, Any], origin: str = "settings", lines: Any = None) -> Settings:
    """A settings tree from plain values. Raises SettingsError of one line: origin, key, reason.

    ``lines`` maps a key path (tuple of str) to its line in the file named by ``origin``.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        known = [path[:n] for n in range(len(path), 0, -1) if lines and path[:n] in lines]
        place = f"{origin}, line {lines[known[0]]}" if known else origin
        key = ".".join(part for part in path if not part.startswith(("function-", "tuple[")))
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] in HINTS:
            reason += f"; {HINTS[first['type']]}"
        if first["type"] == "extra_forbidden":
            reason = "no such setting; config.yaml in the repository lists them all"
        raise SettingsError(f"{place}: {key}: {reason}", key) from None


def default_config() -> Path:
    """The path of the user's own config.yaml, which need not exist."""
    return platformdirs.user_config_path("realtime-bg", appauthor=False) / "config.yaml"


def chosen_config(given: Path | None) -> Path | None:
    """The file ``given``, otherwise the user's own config.yaml if it exists, otherwise None."""
    own = default_config()
    return given if given is not None else own if own.is_file() else None


def read_file(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The values of a YAML file and the line of each key path. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: {reason}; give an existing YAML file to --config") from None
    node, values = parsed(text, str(path))
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected 'section: key: value', see config.yaml")
    lines: dict[tuple[str, ...], int] = {}

    def walk(mapping: yaml.Node | None, path: tuple[str, ...]) -> None:
        if isinstance(mapping, yaml.MappingNode):
            for key, value in mapping.value:
                lines[(*path, str(key.value))] = key.start_mark.line + 1
                walk(value, (*path, str(key.value)))

    try:
        walk(node, ())
    except RecursionError:
        raise SettingsError(f"{path}: an anchor contains itself") from None
    return _without_empty(values, Settings()), lines


def _without_empty(values: dict[str, Any], section: Section) -> dict[str, Any]:
    """A section whose keys are all commented out reads as null; it becomes empty."""
    result = dict(values)
    for key, value in values.items():
        under = getattr(section, str(key), None)
        if isinstance(under, Section) and (value is None or isinstance(value, dict)):
            result[key] = _without_empty(value or {}, under)
    return result


def read_environment() -> dict[str, Any]:
    """The values of ``REALTIME_BG_SECTION__KEY`` variables. Raises SettingsError."""
    place = f"environment ({ENVIRONMENT_PREFIX}SECTION__KEY)"
    for name in os.environ:
        section, nested_key, _ = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        ours = name.startswith(ENVIRONMENT_PREFIX) and nested_key
        if ours and section.lower() not in Settings.model_fields:
            raise SettingsError(f"{place}: {name}: there is no section {section.lower()}")
    source = EnvSettingsSource(
        _Environment, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )
    try:
        values = source()
    except EnvironmentError_ as error:
        raise SettingsError(
            f'{place}: {error}; write lists and sections as JSON, for example ["beach", "office"]'
        ) from None
    validated(values, place)
    return values


def load(
    config: Path | None = None, flags: dict[str, Any] | None = None, origin: str = "command line"
) -> Settings:
    """Merge defaults, ``config``, the environment and ``flags`` (by dotted key; None means not
    given). Errors in flags call them ``origin``.

    Raises SettingsError, which names the layer with the invalid value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values, lines = read_file(config)
        validated(values, str(config), lines)
    environment = read_environment()
    values = merged(values, environment)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    return validated(merged(values, nested(given)), origin)


def value_of(settings: Settings, key: str) -> Any:
    """The value at ``section.key``. Raises SettingsError for an unknown key."""
    value: Any = settings
    for part in key.split("."):
        if part not in getattr(type(value), "model_fields", ()):
            raise SettingsError(f"{key}: no such setting; config.yaml lists them all")
        value = getattr(value, part)
    return value
