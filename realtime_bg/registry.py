"""Loads plug-ins by name, from a dict of "module:Class" and from other packages' entry points."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from realtime_bg.errors import MissingPackageError, RealtimeBgError
from realtime_bg.installing import add_extra, pip

# The extra that installs an optional package; all other packages are base dependencies.
EXTRAS = {"torch": "torch", "torchvision": "train", "pycocotools": "train"}


def with_plugins(own: dict[str, str], group: str) -> dict[str, str]:
    """Return ``own`` and the entry points of ``group`` in other packages; own names take
    precedence."""
    others = {entry.name: entry.value for entry in entry_points(group=group)}
    return own | {name: value for name, value in others.items() if name not in own}


def split_name(registry: Mapping[str, str], spec: str) -> tuple[str, str, bool]:
    """Split ``NAME`` or ``NAME:TARGET`` into name, target, and whether there is a colon; name and
    target are empty if the name is not in the registry."""
    name, colon, target = spec.partition(":")
    return (name, target, bool(colon)) if name in registry else ("", "", False)


def find_entry(
    registry: Mapping[str, str], name: str, kind: str, error: type[RealtimeBgError]
) -> str:
    """Return ``registry[name]``; raises ``error`` with the closest match for an unknown name."""
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(registry)}"
        raise error(f"unknown {kind} {name!r}; {hint}")
    return registry[name]


def missing_package(kind: str, name: str, package: str) -> MissingPackageError:
    """Return the error that says how to install a package that the plug-in ``name`` needs."""
    extra = EXTRAS.get(package)
    install = add_extra(extra) if extra else pip(f"install {package}")
    return MissingPackageError(f"{kind} {name!r} needs the package {package!r}; run: {install}")


def load_class(
    registry: Mapping[str, str], name: str, kind: str, error: type[RealtimeBgError]
) -> type[Any]:
    """Import and return the class of ``registry[name]`` ("module:Class").

    Raises ``error`` for an unknown name (with the closest match) or a module that fails to load,
    and MissingPackageError, with an install command, if the module needs a missing package.
    """
    module, _, cls = find_entry(registry, name, kind, error).partition(":")
    try:
        return getattr(import_module(module), cls)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == "realtime_bg":
            raise
        raise missing_package(kind, name, package) from None
    except Exception as problem:  # modules of other packages may raise anything
        reason = f"{type(problem).__name__}: {problem}"
        raise error(f"{kind} {name!r} cannot be loaded ({reason})") from problem


def open_plugin(
    registry: Mapping[str, str],
    name: str,
    kind: str,
    error: type[RealtimeBgError],
    *arguments: Any,
) -> Any:
    """Construct the class of ``registry[name]`` with ``arguments``.

    Raises RealtimeBgError: the class's own, or ``error`` for any exception of a library.
    """
    cls = load_class(registry, name, kind, error)
    try:
        return cls(*arguments)
    except RealtimeBgError:
        raise
    except Exception as problem:  # libraries may raise anything
        reason = f"{type(problem).__name__}: {problem}"
        raise error(f"{kind} {name!r} cannot be opened ({reason})") from problem
