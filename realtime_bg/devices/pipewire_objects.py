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


def properties(each: Object) -> dict[str, Any]:
    """The properties of an object."""
    return (each.get("info") or {}).get("props") or {}


def readers_of(name: str, objects: list[Object]) -> list[str]:
    """The names of the programs that are linked to the node ``name``, as they call themselves."""
    of_kind: dict[str, list[Object]] = {}
    for each in objects:
        of_kind.setdefault(str(each.get("type")).rpartition(":")[2], []).append(each)
    given = {each["id"]: properties(each) for each in objects}
    own = {
        each["id"] for each in of_kind.get("Node", []) if given[each["id"]].get("node.name") == name
    }
    found = set()
    for link in of_kind.get("Link", []):
        info = link.get("info") or {}
        if info.get("output-node-id") in own:
            node = given.get(info.get("input-node-id"), {})
            client = given.get(node.get("client.id"), {})
            for key in ("application.name", "application.process.binary", "node.name"):
                if text := node.get(key) or client.get(key):
                    found.add(str(text))
                    break
    return sorted(found)
