"""Only me: which of the people in the picture are shown; the others count as room."""

from dataclasses import replace

import numpy as np

from realtime_bg.frames import Alpha, Frame, Labels, Matte
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.looks import Mask
from realtime_bg.processing.people import People
from realtime_bg.processing.person import NOBODY
from realtime_bg.processing.regions import around, owners
from realtime_bg.settings import SubjectSettings

MARGIN = 1  # pixels of the labels beside people who are not shown
NEAR = 10  # pixels of the labels from somebody, within which what is small or faint is theirs
FAINT = 0.05  # alpha from which something is seen
INTERRUPTION = 30.0  # seconds: somebody who comes back after less looks as before
OFF_CENTRE = 0.35  # of the width: somebody as far from the middle counts a third of their size


class Subject:
    """Remembers who is shown of one stream."""

    def __init__(self, picks: int, source: str = "") -> None:
        """``picks``: how many clicks there have been before; ``source``: see `seen`."""
        self._people = People()
        self._chosen: set[int] = set()
        self._has_picked = False  # nobody but them is shown, even if they are lost
        self._picks = picks
        self._mode = "all"
        self._source = source
        self._last: Frame | None = None
        self._anew = False  # those to be shown are to be chosen again

    def seen(self, frame: Frame, source: str) -> None:
        """Called with every frame, also those of which nobody is to be told apart. ``source``:
        where they come from. A short interruption changes nothing; after a long one, or with
        another source, other people may be seen, or the same ones in other clothes."""
        last, self._last = self._last, frame
        if last is None:
            return
        away = frame.time - last.time
        moved = frame.epoch != last.epoch and source != self._source
        if moved or away > INTERRUPTION:
            self._source, self._anew = source, True

    def __call__(self, matte: Matte, settings: SubjectSettings) -> Matte:
        """The matte without the people who are not to be shown."""
        if settings.mode == "all":
            if self._mode != "all":
                self._people, self._mode = People(), "all"
            self._picks = settings.picks
            return matte
        if self._anew:
            self._people = People()
        if self._anew or settings.mode != self._mode:
            self._mode, self._chosen, self._has_picked = settings.mode, set(), False
            self._anew = False
        people = self._people
        people.kept = self._chosen
        labels = people.follow(matte.frame, matte.alpha, matte.guide, matte.people)
        self._chosen = {people.became.get(one, one) for one in self._chosen} & people.known.keys()
        if settings.picks != self._picks:
            self._picks = settings.picks
            self._pick(labels, settings)
        if settings.mode == "main" and not self._chosen:
            self._chosen = _main(labels)
        if settings.mode == "pick" and not self._has_picked:  # one has to be seen to be picked
            return matte
        present = set(np.flatnonzero(np.bincount(labels.ravel())).tolist()) - {NOBODY}
        if present and present <= self._chosen and not _strays(labels, matte.alpha):
            return matte
        return replace(matte, alpha=self._kept(labels, matte.alpha))

    def _pick(self, labels: Labels, settings: SubjectSettings) -> None:
        """Add whoever is at the point of a click; a click beside everybody takes all back."""
        if settings.mode != "pick":
            return
        height, width = labels.shape
        column, row = (
            min(side - 1, int(share * side))
            for share, side in zip(settings.point, (width, height), strict=True)
        )
        found = int(labels[row, column])
        self._chosen = self._chosen | {found} if found != NOBODY else set()
        self._has_picked = found != NOBODY

    def _kept(self, labels: Labels, alpha: Alpha) -> Alpha:
        if not labels.any():
            return np.zeros_like(alpha)
        chosen = np.zeros(256, np.bool_)
        chosen[list(self._chosen)] = True
        hidden = (labels != NOBODY) & ~chosen[labels]
        # Rather lose a line of the person than show one of somebody else.
        shown = chosen[owners(labels)] & ~around(hidden, MARGIN) & _near(labels)
        height, width = alpha.shape
        return alpha * resize(shown.astype(np.float32), (width, height))


def _near(labels: Labels) -> Mask:
    """Where something belongs to somebody, if it has no label of its own."""
    return around(labels != NOBODY, NEAR)


def _strays(labels: Labels, alpha: Alpha) -> bool:
    """Whether something is seen too far from everybody to be theirs."""
    small = resize(alpha, (labels.shape[1], labels.shape[0]))
    return bool(((small > FAINT) & ~_near(labels)).any())


def _main(labels: Labels) -> set[int]:
    """The largest of all people, those in the middle before others."""
    width = labels.shape[1]
    best, most = NOBODY, 0.0
    for one in np.unique(labels[labels != NOBODY]).tolist():
        columns = np.flatnonzero(labels == one) % width
        aside = (columns.mean() / width - 0.5) / OFF_CENTRE
        weight = len(columns) * float(np.exp(-(aside**2)))
        if weight > most:
            best, most = one, weight
    return {best} if best != NOBODY else set()
