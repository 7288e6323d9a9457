"""Upper limits of what clients may request."""

from pydantic import BaseModel, ConfigDict


class Limits(BaseModel):
    """``upload``: bytes of a request. ``photo``: bytes of a photo. ``pixels``: pixels of a photo.
    ``seconds``: duration of a video. ``photos``: photos at a time, including waiting ones.
    ``jobs``: videos kept, finished or not. ``viewers``: of the live picture, and of events.
    ``backgrounds``: uploaded pictures."""

    model_config = ConfigDict(frozen=True)

    upload: int = 2_000_000_000
    photo: int = 50_000_000
    pixels: int = 50_000_000
    seconds: float = 3600.0
    photos: int = 4
    jobs: int = 8
    viewers: int = 8
    backgrounds: int = 100
