"""The settings of layers: pictures, clips and lines of text over the background or over all."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from realtime_bg.settings.fields import File, Point, Share, parse_point
from realtime_bg.settings.section import Section, named_once

MOST = 16
FIELD = re.compile(r"\{([^{}]*)\}")
TIME = "time"
PLAIN_TIME = "%H:%M"


def filled(template: str, now: datetime) -> str:
    """A template with its fields replaced: ``{time}`` or ``{time:FORMAT}`` by the time ``now`` in a
    format of strftime. Raises ValueError for another field."""

    def value(field: re.Match[str]) -> str:
        name, _, form = field[1].partition(":")
        if name != TIME:
            raise ValueError(f"there is no field {{{name}}}; write {{time}} or {{time:%H:%M}}")
        return now.strftime(form or PLAIN_TIME)

    return FIELD.sub(value, template)


def _check_text(text: str | None) -> str | None:
    if text is not None:
        filled(text, datetime.now())
    return text


def check_colour(text: str) -> str:
    """Check that it is a colour in the forms of `find_colour`. Raises ValueError."""
    from realtime_bg.imaging.colours import find_colour

    if find_colour(text) is None:
        raise ValueError(f"{text!r} is not a colour; write a CSS colour name or #rrggbb")
    return text


class LayerSettings(Section):
    """One layer: a ``file`` or a ``text``.

    ``position``: (0, 0) puts it into the upper left corner, (1, 1) into the lower right one.
    ``scale``: its height as a fraction of the picture's. ``behind``: between background and person.
    ``colour``, ``plate`` (how dark the text's ground is) and ``font`` concern texts.
    """

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f/]+$")]
    file: File | None = None
    text: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    position: Annotated[Point, BeforeValidator(parse_point)] = (0.04, 0.94)
    scale: Annotated[float, Field(gt=0, le=1)] = 0.12
    opacity: Share = 1.0
    behind: bool = False
    shown: bool = True
    colour: Annotated[str, AfterValidator(check_colour)] = "white"
    plate: Share = 0.5
    font: File | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.file is None) == (self.text is None):
            raise ValueError(f"layer {self.name!r}: give either a file or a text")
        _check_text(self.text)
        return self


class LayersSettings(Section):
    """All layers, the lowest first; ``shown`` hides or shows all of them."""

    shown: bool = True
    items: Annotated[
        tuple[LayerSettings, ...], Field(max_length=MOST), AfterValidator(named_once("layers"))
    ] = ()
