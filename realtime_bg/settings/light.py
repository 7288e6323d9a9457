"""The settings of the light on the person."""

from typing import Annotated

from pydantic import Field

from realtime_bg.settings.fields import Share
from realtime_bg.settings.section import Section


class LightSettings(Section):
    """How the person is lit, if ``active``; 0 means not at all.

    ``exposure`` and ``white``: how much of a wrong exposure and white balance is corrected.
    ``denoise``: how much noise is averaged away where nothing moves. ``key``: the strength of an
    added lamp, which stands at ``angle`` degrees as seen in the shown picture (0 above, -90 on the
    left, 90 on the right) and has a colour temperature of ``warmth`` kelvin. ``matting``: in a
    dark picture, people are looked for in a brightened copy.
    """

    active: bool = False
    exposure: Share = 1.0
    white: Share = 1.0
    denoise: Share = 0.5
    key: Share = 0.3
    angle: Annotated[float, Field(ge=-180, le=180)] = -45.0
    warmth: Annotated[int, Field(ge=2000, le=10000)] = 5000
    matting: bool = True
