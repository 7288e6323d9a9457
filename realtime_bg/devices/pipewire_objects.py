"""The objects of the running PipeWire, such as nodes and clients, as its tool `pw-dump` lists
them."""

import json
import subprocess
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


def pipewire_objects(seconds: float) -> list[Object]:
    """All objects. Raises OSError, also if `pw-dump` is missing or PipeWire does not answer within
    ``seconds``."""
    try:
        done = subprocess.run(
            ["pw-dump"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=True,
            encoding="utf-8",
            errors="replace",
        )
        return listed(done.stdout)
    except (subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        raise OSError(f"pw-dump: {error}") from None


def listed(text: str) -> list[Object]:
    """The objects in what `pw-dump` prints. Raises ValueError, LookupError and TypeError."""
    found: dict[int, Object] = {}
    decoder, text = json.JSONDecoder(), text.strip()
    while text:  # what changes in the meantime follows in further lists
        part, end = decoder.raw_decode(text)
        text = text[end:].strip()
        for each in part:
            found[each["id"]] = {**found.get(each["id"], {}), **each}
    return list(found.values())
