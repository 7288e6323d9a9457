"""The base of every section of the settings: frozen, without unknown keys, without NaN."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


def named_once(kind: str) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a check for items with a ``name``, which raises ValueError if two have the same one.
    ``kind``: what the items are, in the plural, for the message."""

    def check(items: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [item.name for item in items]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two {kind} called {name!r}; rename one")
        return items

    return check
