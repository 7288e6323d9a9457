"""The schema of all settings, with defaults and ranges, for config.yaml, environment and flags.

The tree is frozen: a change builds a new validated tree (see `live.py`). Precedence:
defaults < config.yaml < environment (``REALTIME_BG_SECTION__KEY``) < flags.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from realtime_bg.settings.fields import (
    EveryField,
    File,
    Name,
    Names,
    Point,
    Share,
    SizeField,
    ThreadsField,
    Triple,
    WorkSizeField,
    check_box,
    check_device,
    check_screen,
    parse_box,
    parse_levels,
    parse_point,
)
from realtime_bg.settings.framing import FrameSettings
from realtime_bg.settings.hotkeys import HotKeySettings
from realtime_bg.settings.layers import LayersSettings
from realtime_bg.settings.light import LightSettings
from realtime_bg.settings.section import Section, named_once
from realtime_bg.settings.subject import SubjectSettings


class SourceSettings(Section):
    """Where frames come from."""

    spec: Name = "camera"
    size: SizeField = None
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    loop: bool = False
    stall: Annotated[float, Field(ge=1, le=600)] = 5.0


class NetworkSettings(Section):
    """The input and output format of a network. None means the value of its entry in models.yaml,
    otherwise guessed.

    ``mean`` and ``std`` are for a picture scaled to 0..1, in the order of ``order``; networks with
    uint8 inputs receive the bytes unchanged. ``person`` is the index of its channel, or its class
    index if the output is one map of class indices (``classes``).
    """

    layout: Literal["nchw", "nhwc"] | None = None
    size: SizeField = None
    order: Literal["rgb", "bgr"] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    output: Literal["probability", "sigmoid", "softmax", "classes"] | None = None
    person: Annotated[int, Field(ge=0)] | None = None

    def over(self, other: "NetworkSettings") -> "NetworkSettings":
        """These settings, with missing values taken from ``other``."""
        given = {key: value for key, value in self if value is not None}
        return other.model_copy(update=given)


class InstanceSettings(Section):
    """Which of the objects found by a detector are kept."""

    classes: Names = ("person",)
    instances: Literal["all", "largest", "centre"] | Annotated[int, Field(ge=1)] = "all"
    score: Annotated[float, Field(ge=0, le=1)] = 0.5


class CombineSettings(Section):
    """A second engine in addition to the first: ``gate`` keeps what both find, ``add`` what either
    finds."""

    engine: Name | None = None
    how: Literal["gate", "add"] = "gate"
    model: File | None = None
    margin: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    every: Annotated[int, Field(ge=1, le=60)] = 1


class GrabCutSettings(Section):
    """The engine `grabcut`. ``box``: x, y, width, height in fractions of the picture."""

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


class EdgesSettings(Section):
    """The engine `edges`. Lengths are in pixels of the work picture, areas in fractions of it."""

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


class KMeansSettings(Section):
    """The engine `kmeans`."""

    clusters: Annotated[int, Field(ge=2, le=32)] = 12
    position: Annotated[float, Field(ge=0, le=2)] = 0.3


class ThresholdSettings(Section):
    """The engine `threshold`."""

    method: Literal["otsu", "adaptive"] = "otsu"
    block: Annotated[float, Field(ge=0.02, le=2)] = 1.0
    offset: Annotated[float, Field(ge=0, le=100)] = 6.0


class RegionSettings(Section):
    """The engine `region`."""

    seeds: tuple[Point, ...] = ()
    tolerance: Annotated[float, Field(gt=0, le=100)] = 12.0


class MotionSettings(Section):
    """The engine `motion`."""

    method: Literal["mog2", "knn"] = "mog2"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    hold: Annotated[float, Field(ge=0, le=600)] = 30.0


class PlateSettings(Section):
    """The engine `plate`."""

    file: File | None = None
    tolerance: Annotated[float, Field(ge=1, le=100)] = 12.0
    shadow: Annotated[float, Field(ge=0.1, le=1)] = 0.6


class ChromaSettings(Section):
    """The engine `chroma`."""

    colour: Annotated[str, AfterValidator(check_screen)] = "auto"
    pick: Annotated[Point | None, BeforeValidator(parse_point)] = None
    tolerance: Annotated[float, Field(ge=0, le=0.9)] = 0.15
    softness: Annotated[float, Field(ge=0.01, le=1)] = 0.7
    despill: Share = 1.0


class EngineSettings(Section):
    """How the person is found."""

    name: Name = "auto"
    model: File | None = None
    device: Annotated[str, AfterValidator(check_device)] = "auto"
    work_size: WorkSizeField = None
    quality: Literal["auto", "fast", "fine"] = "auto"
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    threads: ThreadsField = None
    every: EveryField = None
    gate: bool = True
    window: bool = True
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


class BackgroundSettings(Section):
    """What is shown where the person is not."""

    current: Name = "blur"
    items: Names = ("blur", "beach", "office", "studio", "gradient")
    fit: Literal["cover", "contain", "stretch"] = "cover"
    interval: Annotated[float, Field(gt=0)] = 10.0
    fade: Annotated[int, Field(ge=0, le=10000)] = 0
    inpaint: File | None = None


class RefineSettings(Section):
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


class HarmoniseSettings(Section):
    """How strongly the person is relit to match the background; 0 means not at all."""

    match: Share = 0.0
    ambient: Share = 0.0
    light_wrap: Share = 0.0


class IdleSettings(Section):
    """What is shown after nobody has been seen for ``after`` seconds; 0 means never."""

    after: Annotated[float, Field(ge=0, le=86400)] = 0.0
    background: Name | None = None
    text: Annotated[str, Field(min_length=1, max_length=80)] = "Be right back"


class OutputSettings(Section):
    """Where finished pictures go."""

    sinks: Names = ()
    mirror: bool = False
    virtualcam: bool = False
    record: bool = False
    folder: File | None = None
    sync: Literal["locked", "lowest-latency"] = "locked"
    on_demand: bool = True


class PrivacySettings(Section):
    """When the person is hidden."""

    max_age: Annotated[float, Field(ge=0.1, le=60)] = 1.0


class ViewSettings(Section):
    """What the preview window shows in addition to the result; other outputs never show it."""

    alpha: bool = False
    split: bool = False
    stats: bool = False
    help: bool = False


PRESET_SECTIONS = (
    "engine",
    "background",
    "refine",
    "harmonise",
    "light",
    "frame",
    "layers",
    "subject.mode",
    "output.mirror",
)
NOT_IN_PRESETS = (  # belong to a machine or to the list of backgrounds, not to a look
    "background.items",
    "background.fade",
    "background.inpaint",
    "engine.model",
    "engine.combine.model",
    "engine.device",
    "engine.hang",
    "engine.offline",
    "engine.plate.file",
    "engine.retries",
    "engine.runtime",
    "engine.threads",
)


class Preset(Section):
    """Settings under a name: ``values`` by dotted key; a key that is missing means its default, and
    for the layers that they stay. `in_preset` tells which keys there may be."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f/]+$")]
    values: dict[str, Any] = Field(default_factory=dict)


def in_preset(key: str) -> bool:
    """Whether the setting ``key`` ("section.key") is part of presets."""
    inside = any(key == name or key.startswith(f"{name}.") for name in PRESET_SECTIONS)
    return inside and key not in NOT_IN_PRESETS


class Settings(Section):
    """All settings. ``paused``, ``frozen``, ``snapshots``, ``resets`` and ``plates`` are live
    state; the last three are counters that trigger an action each time they increase."""

    source: SourceSettings = SourceSettings()
    engine: EngineSettings = EngineSettings()
    background: BackgroundSettings = BackgroundSettings()
    refine: RefineSettings = RefineSettings()
    harmonise: HarmoniseSettings = HarmoniseSettings()
    light: LightSettings = LightSettings()
    layers: LayersSettings = LayersSettings()
    idle: IdleSettings = IdleSettings()
    frame: FrameSettings = FrameSettings()
    subject: SubjectSettings = SubjectSettings()
    output: OutputSettings = OutputSettings()
    privacy: PrivacySettings = PrivacySettings()
    view: ViewSettings = ViewSettings()
    hotkeys: HotKeySettings = HotKeySettings()
    presets: Annotated[tuple[Preset, ...], AfterValidator(named_once("presets"))] = ()
    paused: bool = False
    frozen: bool = False
    snapshots: Annotated[int, Field(ge=0)] = 0
    resets: Annotated[int, Field(ge=0)] = 0
    plates: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _with_sound_presets(self) -> Self:
        for preset in self.presets:
            for key in preset.values:
                if not in_preset(key) or not _has(self, key):
                    raise ValueError(f"preset {preset.name!r}: {key} cannot be part of a preset")
        return self

    def at_quality(self, quality: Literal["fast", "fine"]) -> Self:
        """These settings with the quality ``auto`` replaced by ``quality``."""
        if self.engine.quality != "auto":
            return self
        engine = self.engine.model_copy(update={"quality": quality})
        return self.model_copy(update={"engine": engine})

    def as_it_is(self) -> Self:
        """These settings with the whole picture and everybody in it, and nothing over it, for
        photos and video files, where nobody is followed."""
        shown = {
            "frame": FrameSettings(),
            "subject": SubjectSettings(),
            "layers": LayersSettings(),
        }
        return self.model_copy(update=shown)

    def live_only(self) -> list[str]:
        """What is on, but not in photos and video files, see `as_it_is`."""
        on = {
            "subject.mode": self.subject.mode != "all",
            "frame.mode": self.frame.mode != "off",
            "layers.items": self.layers.shown and bool(self.layers.items),
        }
        return [key for key, used in on.items() if used]


def _has(settings: Settings, key: str) -> bool:
    at: Any = settings
    for part in key.split("."):
        if part not in getattr(type(at), "model_fields", ()):
            return False
        at = getattr(at, part)
    return not isinstance(at, Section)
