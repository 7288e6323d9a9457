"""The settings of the subject: who is shown."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from realtime_bg.settings.fields import Point, parse_point
from realtime_bg.settings.section import Section


class SubjectSettings(Section):
    """Which people are shown; the others count as room. ``point`` is the place of the last click,
    in fractions of the camera's picture, and ``picks`` how many there were, as for `Settings`."""

    mode: Literal["all", "main", "pick"] = "all"
    point: Annotated[Point, BeforeValidator(parse_point)] = (0.5, 0.5)
    picks: Annotated[int, Field(ge=0)] = 0
