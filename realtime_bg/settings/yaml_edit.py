"""Changing values in a YAML file while keeping its comments and order."""

from typing import Any

import yaml

from realtime_bg.errors import SettingsError
from realtime_bg.settings.yaml_text import parsed


def with_values(text: str, values: dict[str, Any]) -> str:
    """``text`` with the values of ``{"section.key": value}`` replaced in place or added; a path
    without a dot is a key outside of all sections.

    Raises SettingsError if that is not possible: invalid YAML, or not made of sections of keys.
    """
    for path, value in values.items():
        before = _read(text)
        text = _with(text, path, value)
        section, _, key = path.partition(".")
        new = (before.get(section) or {}) | {key: value} if key else value
        wanted = before | {section: new}
        if _read(text) != wanted:  # an alias, a second document ...
            raise SettingsError(
                f"{path} cannot be set in this file automatically; write it there by hand"
            )
    return text


def _with(text: str, path: str, value: Any) -> str:
    section, _, key = path.partition(".")
    shown = _dumped(value)
    under = _find(parsed(text)[0], section)
    if under is None:
        end = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{end}{section}:" + (f"\n  {key}: {shown}\n" if key else f" {shown}\n")
    old = _find(under, key) if key else under
    if old is not None:
        return _replaced(text, old, shown)
    if isinstance(under, yaml.MappingNode) and under.value:
        first = under.value[0][0].start_mark
        then = ", " if under.flow_style else f"\n{' ' * first.column}"
        return f"{text[: first.index]}{key}: {shown}{then}{text[first.index :]}"
    if isinstance(under, yaml.MappingNode) or under.start_mark.index == under.end_mark.index:
        begin, end_at = under.start_mark.index, under.end_mark.index
        return f"{text[:begin].rstrip(' ')}\n  {key}: {shown}{text[end_at:]}"
    raise SettingsError(f"{section} is a value, not a section; correct the file by hand")


def _replaced(text: str, old: yaml.Node, shown: str) -> str:
    begin, end_at = old.start_mark.index, old.end_mark.index
    # A block ends where the next one begins
    while end_at > begin and text[end_at - 1].isspace():
        end_at -= 1
    space = " " if begin == end_at else ""  # an empty value
    return f"{text[:begin]}{space}{shown}{text[end_at:]}"


def _read(text: str) -> dict[str, Any]:
    node, read = parsed(text)
    if node is None:
        return {}
    if not isinstance(read, dict):
        raise SettingsError("expected 'section: key: value', see config.yaml")
    return read


def _find(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _dumped(value: Any) -> str:
    """The value as YAML on one line, with quotes if needed."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("...\n").strip()
