"""Plug-ins by name: a literal dict says which module and class; other packages add to it."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from realtime_bg.errors import MissingPackageError, RealtimeBgError

# Which extra brings an optional package; everything else is a base dependency.
EXTRAS = {"torch": "torch", "skimage": "demo", "torchvision": "train", "pycocotools": "train"}


def with_plugins(own: dict[str, str], group: str) -> dict[str, str]:
    """``own`` and what other packages offer as entry points of ``group``; own names win."""
    others = {entry.name: entry.value for entry in entry_points(group=group)}
    return own | {name: value for name, value in others.items() if name not in own}


def split_name(registry: Mapping[str, str], spec: str) -> tuple[str, str, bool]:
    """``NAME`` or ``NAME:TARGET`` as name, target, and whether there is a colon; the name is empty
    where the registry has none of it."""
    name, colon, target = spec.partition(":")
    return (name, target, bool(colon)) if name in registry else ("", "", False)


def find_entry(
    registry: Mapping[str, str], name: str, kind: str, error: type[RealtimeBgError]
) -> str:
    """``registry[name]``; raises ``error`` with the nearest name for one that is unknown."""
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(registry)}"
        raise error(f"unknown {kind} {name!r}; {hint}")
    return registry[name]


def missing_package(kind: str, name: str, package: str) -> MissingPackageError:
    """The error that says how to install what the plug-in ``name`` needs."""
    extra = EXTRAS.get(package)
    install = f'pip install "realtime-bg[{extra}]"' if extra else f"pip install {package}"
    return MissingPackageError(f"{kind} {name!r} needs the package {package!r}; run: {install}")


def load_class(
    registry: Mapping[str, str], name: str, kind: str, error: type[RealtimeBgError]
) -> type[Any]:
    """The class behind ``registry[name]`` ("module:Class"), imported now.

    Raises ``error`` for an unknown name (with the nearest one) and MissingPackageError, with
    its install command, when the module needs a package that is not there.
    """
    module, _, cls = find_entry(registry, name, kind, error).partition(":")
    try:
        return getattr(import_module(module), cls)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "realtime_bg":
            raise
        raise missing_package(kind, name, package) from None
    except Exception as problem:  # another package's module may raise anything
        reason = f"{type(problem).__name__}: {problem}"
        raise error(f"{kind} {name!r} cannot be loaded ({reason})") from problem


def open_plugin(
    registry: Mapping[str, str],
    name: str,
    kind: str,
    error: type[RealtimeBgError],
    *arguments: Any,
) -> Any:
    """Construct the class behind ``registry[name]`` with ``arguments``.

    Raises RealtimeBgError: its own, or ``error`` around whatever a library raised.
    """
    cls = load_class(registry, name, kind, error)
    try:
        return cls(*arguments)
    except RealtimeBgError:
        raise
    except Exception as problem:  # a library's own word for "I cannot"
        reason = f"{type(problem).__name__}: {problem}"
        raise error(f"{kind} {name!r} cannot be opened ({reason})") from problem
