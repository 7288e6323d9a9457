"""The types of values that settings have: sizes, boxes, points, colours, files."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Size
from realtime_bg.system.file_names import is_unicode, readable

LARGEST_SIDE = 16384


def parse_size(text: object) -> object:
    """``"1280x720"`` -> (1280, 720); pairs and None pass through. Raises ValueError."""
    if not isinstance(text, str):
        return text
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size; write WIDTHxHEIGHT, for example 1280x720")
    return int(match[1]), int(match[2])


def check_size(size: Size | None) -> Size | None:
    """Check that the sides are from 1 to 16384 pixels. Raises ValueError."""
    if size is not None and not all(1 <= side <= LARGEST_SIDE for side in size):
        raise ValueError(
            f"'{size[0]}x{size[1]}' is not a size: sides must be from 1 to {LARGEST_SIDE} pixels"
        )
    return size


def parse_work_size(text: object) -> object:
    """Like `parse_size`, and ``"auto"`` becomes None."""
    return None if text == "auto" else parse_size(text)


_as_text = PlainSerializer(
    lambda size: size and "x".join(map(str, size)), return_type=str | None, when_used="json"
)
SizeField = Annotated[
    Size | None, BeforeValidator(parse_size), AfterValidator(check_size), _as_text
]
WorkSizeField = Annotated[
    Size | None, BeforeValidator(parse_work_size), AfterValidator(check_size), _as_text
]


def parse_auto(text: object) -> object:
    """``"auto"`` becomes None."""
    return None if text == "auto" else text


ThreadsField = Annotated[Annotated[int, Field(ge=1, le=256)] | None, BeforeValidator(parse_auto)]
EveryField = Annotated[Annotated[int, Field(ge=1, le=3)] | None, BeforeValidator(parse_auto)]


def parse_off(value: object) -> object:
    """``off``, which YAML reads as false, as the word; others pass through."""
    return "off" if value is False else value


def check_device(text: str) -> str:
    """Check that it is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Raises ValueError."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise ValueError(f"{text!r} is not a device; choose auto, cpu, cuda or cuda:N")
    return text


def _numbers(text: object, names: str) -> object:
    """``"0.1,0.2"`` -> (0.1, 0.2), as many as ``names`` has; others pass. Raises ValueError."""
    if not isinstance(text, str):
        return text
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(names.split(",")):
        raise ValueError(f"{text!r} is not {names}; write numbers from 0 to 1")
    return numbers


def parse_box(text: object) -> object:
    """``"0.3,0.1,0.4,0.9"`` -> (0.3, 0.1, 0.4, 0.9); others pass through. Raises ValueError."""
    return _numbers(text, "X,Y,WIDTH,HEIGHT")


def parse_point(text: object) -> object:
    """``"0.1,0.1"`` -> (0.1, 0.1); others pass through. Raises ValueError."""
    return _numbers(text, "X,Y")


def parse_levels(text: object) -> object:
    """``"0.1,0.9"`` -> (0.1, 0.9); others pass through. Raises ValueError."""
    return _numbers(text, "LOW,HIGH")


Quad = tuple[float, float, float, float]


def check_box(box: Quad | None) -> Quad | None:
    """Check that a box has an area and lies inside the picture. Raises ValueError."""
    if box is not None and not (
        min(box[2:]) > 0 and box[0] + box[2] <= 1.001 and box[1] + box[3] <= 1.001
    ):
        raise ValueError(
            "the box is empty or extends beyond the picture; write x, y, width, height "
            "as fractions, for example 0.3,0.1,0.4,0.9"
        )
    return box


def check_home(path: Path) -> Path:
    """``path``, unless it begins with an unknown user. Raises ValueError."""
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no user {path.parts[0][1:]}") from None
    return path


def at_home(name: str | Path) -> Path:
    """``name`` as a path, with ``~`` replaced by the user's home folder. Raises SettingsError."""
    try:
        return check_home(Path(name)).expanduser()
    except ValueError as error:
        raise SettingsError(f"{error}; write the full path") from None


File = Annotated[Path, AfterValidator(check_home)]


def check_screen(text: str) -> str:
    """Check that it is ``auto`` or a colour that is not grey, in the forms of `find_colour`. Raises
    ValueError."""
    from realtime_bg.imaging.colours import find_colour

    colour = None if text == "auto" else find_colour(text)
    if text != "auto" and colour is None:
        raise ValueError(f"{text!r} is not a colour; write auto, green, blue or #rrggbb")
    if colour is not None and max(colour) - min(colour) < 40:
        raise ValueError(f"{text!r} is too close to grey to be told from a person")
    return text


def _any_encoding(value: object, check: ValidatorFunctionWrapHandler) -> Any:
    """Accept the names of files that are not UTF-8, which Python writes with lone surrogates."""
    return check(value) if not isinstance(value, str) or is_unicode(value) else value.strip()


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    WrapValidator(_any_encoding),
    PlainSerializer(readable, when_used="json"),
]


def _as_list(value: object) -> object:
    """Convert a single string to a list of one."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list)]
Triple = tuple[float, float, float]
Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
"""A point in a picture, in fractions of its width and height from the upper left corner."""
