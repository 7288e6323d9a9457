"""`none`: the unchanged camera picture, for using the program as a plain camera with several
outputs."""

from realtime_bg.backgrounds.base import Background
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.geometry import fit


class PassthroughBackground(Background):
    """Returns the frame itself. ``passthrough`` tells the compositor that nothing is replaced."""

    needs_frame = True
    passthrough: bool = True

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        if frame is None:
            raise ValueError("the background 'none' needs the frame")
        return fit(frame, size, self.settings.fit)
