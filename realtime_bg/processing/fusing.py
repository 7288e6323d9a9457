"""Everything between a small matte and the composite in one pass over the frame, for the settings
that this serves, and where the kernels are compiled."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Matte
from realtime_bg.imaging import kernels
from realtime_bg.processing.refine import colour_change, linear_model, reach_of
from realtime_bg.settings import HarmoniseSettings, RefineSettings, Settings


class EdgeMaps(NamedTuple):
    """From what the full-size alpha and colours of ``frame`` are computed, see `refine.py`: slope
    and offset ``float32 (h, w)``, change ``int16 (h, w, 3)`` or None."""

    frame: Image
    slope: Alpha
    offset: Alpha
    change: NDArray[np.int16] | None
    settings: RefineSettings

    def over(self, background: Image, mirror: bool, out: Image) -> Image:
        """Blend the person over a background of the frame's size into ``out``, which is returned;
        mirrored if asked for. Within 1 grey level of exact arithmetic."""
        frame, behind = np.ascontiguousarray(self.frame), np.ascontiguousarray(background)
        maps = self.slope, self.offset, self.change
        edge = self.settings
        kernels.blend(frame, *maps, edge.threshold, behind, mirror, out, edge.feather, edge.grow)
        return out


def needs_full_size(settings: Settings) -> bool:
    """Whether the settings need the alpha or the colours as a picture of the frame's size, and not
    only the composite made with them."""
    return settings.view.alpha or settings.harmonise != HarmoniseSettings()


def edge_maps(matte: Matte, settings: Settings) -> EdgeMaps | None:
    """The maps of a matte that is smoothed already; None if this way does not serve the settings,
    because they need the alpha or the colours at full size."""
    refine, guide = settings.refine, matte.guide
    if not kernels.compiled or needs_full_size(settings) or guide is None:
        return None
    if matte.alpha.shape == matte.frame.image.shape[:2]:
        return None
    slope, offset = linear_model(guide, matte.alpha, refine.levels)
    change = colour_change(matte, refine.decontaminate, reach_of(refine))
    return EdgeMaps(matte.frame.image, slope, offset, change, refine)
