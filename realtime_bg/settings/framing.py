"""The settings of framing: which part of the picture is shown."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from realtime_bg.settings.fields import Share, parse_off
from realtime_bg.settings.section import Section

Framed = Annotated[Literal["off", "auto", "fixed"], BeforeValidator(parse_off)]


class FrameSettings(Section):
    """Which part of the camera's picture fills the output. ``x`` and ``y``: the middle of a
    ``fixed`` part, in fractions of the camera's picture. ``zoom``: that of ``fixed``, and the
    largest of ``auto``. ``portrait``: the output is 9:16, unless the mode is ``off``."""

    mode: Framed = "off"
    portrait: bool = False
    x: Share = 0.5
    y: Share = 0.5
    zoom: Annotated[float, Field(ge=1, le=4)] = 2.0
