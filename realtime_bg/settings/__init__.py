"""All settings: their schema, loading them, and the cell that holds the current ones."""

from realtime_bg.settings.fields import Point, at_home, check_device, check_size, parse_size
from realtime_bg.settings.framing import FrameSettings
from realtime_bg.settings.hotkeys import HotKeySettings
from realtime_bg.settings.light import LightSettings
from realtime_bg.settings.loading import (
    chosen_config,
    default_config,
    flattened,
    load,
    merged,
    nested,
    read_file,
    validated,
)
from realtime_bg.settings.schema import (
    BackgroundSettings,
    CombineSettings,
    EngineSettings,
    GrabCutSettings,
    HarmoniseSettings,
    InstanceSettings,
    NetworkSettings,
    OutputSettings,
    Preset,
    RefineSettings,
    Settings,
    SourceSettings,
    ViewSettings,
)
from realtime_bg.settings.subject import SubjectSettings

__all__ = [
    "BackgroundSettings",
    "CombineSettings",
    "EngineSettings",
    "FrameSettings",
    "GrabCutSettings",
    "HarmoniseSettings",
    "HotKeySettings",
    "InstanceSettings",
    "LightSettings",
    "NetworkSettings",
    "OutputSettings",
    "Point",
    "Preset",
    "RefineSettings",
    "Settings",
    "SourceSettings",
    "SubjectSettings",
    "ViewSettings",
    "at_home",
    "check_device",
    "check_size",
    "chosen_config",
    "default_config",
    "flattened",
    "load",
    "merged",
    "nested",
    "parse_size",
    "read_file",
    "validated",
]
