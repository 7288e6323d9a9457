"""Every setting, its default, its range: the schema of config.yaml, environment and flags.

The tree is frozen: a change builds a new validated tree (see `live.py`). Precedence:
defaults < config.yaml < environment (``REALTIME_BG_SECTION__KEY``) < flags.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentError_

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Size
from realtime_bg.settings.yaml_text import parsed

ENVIRONMENT_PREFIX = "REALTIME_BG_"
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
    """Sides from 1 to 16384 pixels. Raises ValueError."""
    if size is not None and not all(1 <= side <= LARGEST_SIDE for side in size):
        raise ValueError(
            f"'{size[0]}x{size[1]}' is not a size: sides go from 1 to {LARGEST_SIDE} pixels"
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


def check_device(text: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Raises ValueError."""
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
    """A box with an area, inside the picture. Raises ValueError."""
    if box is not None and not (
        min(box[2:]) > 0 and box[0] + box[2] <= 1.001 and box[1] + box[3] <= 1.001
    ):
        raise ValueError(
            "the box leaves the picture or is empty; write x, y, width, height in shares of it, "
            "for example 0.3,0.1,0.4,0.9"
        )
    return box


def check_home(path: Path) -> Path:
    """``path``, unless it begins with a user there is not. Raises ValueError."""
    try:
        path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: there is no user {path.parts[0][1:]}") from None
    return path


def at_home(name: str | Path) -> Path:
    """The path that ``name`` is, with the folder of the user for ``~``. Raises SettingsError."""
    try:
        return check_home(Path(name)).expanduser()
    except ValueError as error:
        raise SettingsError(f"{error}; write the whole path") from None


File = Annotated[Path, AfterValidator(check_home)]


def check_screen(text: str) -> str:
    """``auto``, or a colour that is no grey, as `find_colour` reads it. Raises ValueError."""
    from realtime_bg.backgrounds.still import find_colour  # backgrounds need settings themselves

    colour = None if text == "auto" else find_colour(text)
    if text != "auto" and colour is None:
        raise ValueError(f"{text!r} is not a colour; write auto, green, blue or #rrggbb")
    if colour is not None and max(colour) - min(colour) < 40:
        raise ValueError(f"{text!r} is too near to grey to be told from a person")
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _as_list(value: object) -> object:
    """A lone string where a list is wanted is a list of one."""
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )


class SourceSettings(_Section):
    """Where frames come from."""

    spec: Name = "camera"
    size: SizeField = None
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    loop: bool = False
    stall: Annotated[float, Field(ge=1, le=600)] = 5.0


Triple = tuple[float, float, float]


class NetworkSettings(_Section):
    """How a network is fed and read; None: as its row in models.yaml says, else guessed.

    ``mean`` and ``std`` are in units of the picture scaled to 0..1, in the order of ``order``;
    networks with uint8 inputs are fed bytes as they are. ``person`` is the index of its map, or
    its number where the output is one map of class numbers (``classes``).
    """

    layout: Literal["nchw", "nhwc"] | None = None
    size: SizeField = None
    order: Literal["rgb", "bgr"] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    output: Literal["probability", "sigmoid", "softmax", "classes"] | None = None
    person: Annotated[int, Field(ge=0)] | None = None

    def over(self, other: "NetworkSettings") -> "NetworkSettings":
        """These settings where given, else those of ``other``."""
        given = {key: value for key, value in self if value is not None}
        return other.model_copy(update=given)


class InstanceSettings(_Section):
    """Which of the things a detector finds are kept."""

    classes: Names = ("person",)
    instances: Literal["all", "largest", "centre"] | Annotated[int, Field(ge=1)] = "all"
    score: Annotated[float, Field(ge=0, le=1)] = 0.5


class CombineSettings(_Section):
    """A second engine beside the first: ``gate`` keeps what both see, ``add`` what either sees."""

    engine: Name | None = None
    how: Literal["gate", "add"] = "gate"
    model: File | None = None
    margin: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    every: Annotated[int, Field(ge=1, le=60)] = 1


Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
"""A place in a picture: shares of its width and height from the upper left corner."""


class GrabCutSettings(_Section):
    """The engine `grabcut`. ``box``: x, y, width, height in shares of the picture."""

    seed: Literal["auto", "box", "face", "colour"] = "auto"
    box: Annotated[
        tuple[Share, Share, Share, Share] | None,
        BeforeValidator(parse_box),
        AfterValidator(check_box),
    ] = None
    iterations: Annotated[int, Field(ge=1, le=20)] = 4

    @model_validator(mode="after")
    def _boxed(self) -> Self:
        if self.seed == "box" and self.box is None:
            raise ValueError("seed is box, and there is no box; give --box X,Y,WIDTH,HEIGHT")
        return self


class EdgesSettings(_Section):
    """The engine `edges`. Lengths are pixels of the work picture, areas shares of it."""

    canny_low: Annotated[float, Field(ge=0, le=1000)] = 30.0
    canny_high: Annotated[float, Field(ge=0, le=1000)] = 90.0
    dilate_iter: Annotated[int, Field(ge=0, le=20)] = 2
    erode_iter: Annotated[int, Field(ge=0, le=20)] = 2
    blur: Annotated[int, Field(ge=0, le=31)] = 1
    min_area: Share = 0.02
    max_area: Share = 0.85

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.canny_low > self.canny_high:
            raise ValueError("canny_low must not be above canny_high")
        if self.min_area >= self.max_area:
            raise ValueError("min_area must be below max_area")
        return self


class KMeansSettings(_Section):
    """The engine `kmeans`."""

    clusters: Annotated[int, Field(ge=2, le=32)] = 12
    position: Annotated[float, Field(ge=0, le=2)] = 0.3


class ThresholdSettings(_Section):
    """The engine `threshold`."""

    method: Literal["otsu", "adaptive"] = "otsu"
    block: Annotated[float, Field(ge=0.02, le=2)] = 1.0
    offset: Annotated[float, Field(ge=0, le=100)] = 6.0


class RegionSettings(_Section):
    """The engine `region`."""

    seeds: tuple[Point, ...] = ()
    tolerance: Annotated[float, Field(gt=0, le=100)] = 12.0


class MotionSettings(_Section):
    """The engine `motion`."""

    method: Literal["mog2", "knn"] = "mog2"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    hold: Annotated[float, Field(ge=0, le=600)] = 30.0


class PlateSettings(_Section):
    """The engine `plate`."""

    file: File | None = None
    tolerance: Annotated[float, Field(ge=1, le=100)] = 12.0
    shadow: Annotated[float, Field(ge=0.1, le=1)] = 0.6


class ChromaSettings(_Section):
    """The engine `chroma`."""

    colour: Annotated[str, AfterValidator(check_screen)] = "auto"
    pick: Annotated[Point | None, BeforeValidator(parse_point)] = None
    tolerance: Annotated[float, Field(ge=0, le=0.9)] = 0.15
    softness: Annotated[float, Field(ge=0.01, le=1)] = 0.7
    despill: Share = 1.0


class EngineSettings(_Section):
    """How the person is found."""

    name: Name = "auto"
    model: File | None = None
    device: Annotated[str, AfterValidator(check_device)] = "auto"
    work_size: WorkSizeField = None
    quality: Literal["auto", "fast", "fine"] = "auto"
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    gate: bool = True
    offline: bool = False
    network: NetworkSettings = NetworkSettings()
    instance: InstanceSettings = InstanceSettings()
    combine: CombineSettings = CombineSettings()
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    hang: Annotated[float, Field(gt=0)] = 10.0
    grabcut: GrabCutSettings = GrabCutSettings()
    edges: EdgesSettings = EdgesSettings()
    kmeans: KMeansSettings = KMeansSettings()
    threshold: ThresholdSettings = ThresholdSettings()
    region: RegionSettings = RegionSettings()
    motion: MotionSettings = MotionSettings()
    plate: PlateSettings = PlateSettings()
    chroma: ChromaSettings = ChromaSettings()


class BackgroundSettings(_Section):
    """What is shown where the person is not."""

    current: Name = "blur"
    items: Names = ("blur", "beach", "office", "studio", "gradient")
    fit: Literal["cover", "contain", "stretch"] = "cover"
    interval: Annotated[float, Field(gt=0)] = 10.0
    inpaint: File | None = None


class RefineSettings(_Section):
    """What is done to the alpha after the engine."""

    threshold: Annotated[float, Field(ge=0.05, le=0.95)] = 0.5
    feather: Annotated[int, Field(ge=0, le=64)] = 0
    levels: Annotated[tuple[Share, Share], BeforeValidator(parse_levels)] = (0.04, 0.96)
    grow: Annotated[int, Field(ge=-32, le=32)] = 0
    hysteresis: Share = 0.9
    min_area: Share = 0.0
    holes: Share = 0.0
    steady: Annotated[float, Field(ge=0, le=0.9)] = 0.5
    decontaminate: bool = True

    @model_validator(mode="after")
    def _stretched(self) -> Self:
        if self.levels[1] - self.levels[0] < 0.1:
            raise ValueError("the two levels must be at least 0.1 apart, the lower one first")
        return self


class HarmoniseSettings(_Section):
    """How far a person is lit as the background is; 0 is not at all."""

    match: Share = 0.0
    ambient: Share = 0.0
    light_wrap: Share = 0.0


class OutputSettings(_Section):
    """Where finished pictures go."""

    sinks: Names = ()
    mirror: bool = False
    virtualcam: bool = False
    record: bool = False
    folder: File | None = None
    sync: Literal["locked", "lowest-latency"] = "locked"
    on_demand: bool = True


class PrivacySettings(_Section):
    """When the person is hidden."""

    max_age: Annotated[float, Field(ge=0.1, le=60)] = 1.0


class ViewSettings(_Section):
    """What the preview window shows besides the result; other outputs never show it."""

    alpha: bool = False
    split: bool = False
    stats: bool = False
    help: bool = False


class Settings(_Section):
    """All settings. ``paused``, ``frozen``, ``snapshots``, ``resets`` and ``plates`` are live
    state: the three counters trigger once each time they grow."""

    source: SourceSettings = SourceSettings()
    engine: EngineSettings = EngineSettings()
    background: BackgroundSettings = BackgroundSettings()
    refine: RefineSettings = RefineSettings()
    harmonise: HarmoniseSettings = HarmoniseSettings()
    output: OutputSettings = OutputSettings()
    privacy: PrivacySettings = PrivacySettings()
    view: ViewSettings = ViewSettings()
    paused: bool = False
    frozen: bool = False
    snapshots: Annotated[int, Field(ge=0)] = 0
    resets: Annotated[int, Field(ge=0)] = 0
    plates: Annotated[int, Field(ge=0)] = 0

    def at_quality(self, quality: Literal["fast", "fine"]) -> Self:
        """These settings, with what the quality ``auto`` stands for in this use."""
        if self.engine.quality != "auto":
            return self
        engine = self.engine.model_copy(update={"quality": quality})
        return self.model_copy(update={"engine": engine})


HINTS = {  # what to do about errors that do not say it themselves, by pydantic's type of error
    "string_type": 'write text; a colour needs quotes: "#00b140"',
    "string_too_short": "it must not be empty",
}


class _Environment(Settings, BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="forbid")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``changes`` laid over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        under = result.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        result[key] = merged(under, value) if both else value  # type: ignore[arg-type]
    return result


def nested(dotted: dict[str, Any]) -> dict[str, Any]:
    """``{"engine.name": "rvm"}`` -> ``{"engine": {"name": "rvm"}}``."""
    result: dict[str, Any] = {}
    for path, value in dotted.items():
        *sections, key = path.split(".")
        level = result
        for section in sections:
            level = level.setdefault(section, {})
            if not isinstance(level, dict):
                raise SettingsError(f"{path}: {section} is a value, not a section")
        level[key] = value
    return result


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The opposite of `nested`; sections that hold nothing vanish."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        both = flattened(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        result |= {f"{prefix}{key}": value} if both is None else both
    return result


def validated(values: dict[str, Any], origin: str = "settings", lines: Any = None) -> Settings:
    """A settings tree from plain values. Raises SettingsError, one line: where, key, reason.

    ``lines`` maps a key path (tuple of str) to its line in the file named by ``origin``.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        known = [path[:n] for n in range(len(path), 0, -1) if lines and path[:n] in lines]
        place = f"{origin}, line {lines[known[0]]}" if known else origin
        key = ".".join(part for part in path if not part.startswith(("function-", "tuple[")))
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] in HINTS:
            reason += f"; {HINTS[first['type']]}"
        if first["type"] == "extra_forbidden":
            reason = "no such setting; config.yaml in the repository lists them all"
        raise SettingsError(f"{place}: {key}: {reason}") from None


def default_config() -> Path:
    """The user's own config.yaml, which need not be there."""
    return platformdirs.user_config_path("realtime-bg", appauthor=False) / "config.yaml"


def read_file(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The values of a YAML file and the line of each key path. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: {reason}; give an existing YAML file to --config") from None
    node, values = parsed(text, str(path))
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected 'section: key: value', see config.yaml")
    lines: dict[tuple[str, ...], int] = {}

    def walk(mapping: yaml.Node | None, path: tuple[str, ...]) -> None:
        if isinstance(mapping, yaml.MappingNode):
            for key, value in mapping.value:
                lines[(*path, str(key.value))] = key.start_mark.line + 1
                walk(value, (*path, str(key.value)))

    try:
        walk(node, ())
    except RecursionError:
        raise SettingsError(f"{path}: an anchor contains itself") from None
    return _without_empty(values, Settings()), lines


def _without_empty(values: dict[str, Any], section: _Section) -> dict[str, Any]:
    """A section whose keys are all commented out reads as null; it becomes empty."""
    result = dict(values)
    for key, value in values.items():
        under = getattr(section, str(key), None)
        if isinstance(under, _Section) and (value is None or isinstance(value, dict)):
            result[key] = _without_empty(value or {}, under)
    return result


def read_environment() -> dict[str, Any]:
    """The values of ``REALTIME_BG_SECTION__KEY`` variables. Raises SettingsError."""
    place = f"environment ({ENVIRONMENT_PREFIX}SECTION__KEY)"
    for name in os.environ:
        section, nested_key, _ = name.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        ours = name.startswith(ENVIRONMENT_PREFIX) and nested_key
        if ours and section.lower() not in Settings.model_fields:
            raise SettingsError(f"{place}: {name}: there is no section {section.lower()}")
    source = EnvSettingsSource(
        _Environment, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )
    try:
        values = source()
    except EnvironmentError_ as error:
        raise SettingsError(
            f'{place}: {error}; write lists and sections as JSON, for example ["beach", "office"]'
        ) from None
    validated(values, place)
    return values


def load(config: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Merge defaults, ``config``, the environment and ``flags`` (dotted paths; None: not given).

    Raises SettingsError naming the layer that holds the bad value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values, lines = read_file(config)
        validated(values, str(config), lines)
    environment = read_environment()
    values = merged(values, environment)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    return validated(merged(values, nested(given)), "command line")
