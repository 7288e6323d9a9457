"""Only me: which of the people in the picture are shown; the others count as room."""

from dataclasses import replace

import numpy as np

from realtime_bg.frames import Alpha, Matte
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.people import NOBODY, Labels, People, owners
from realtime_bg.settings import SubjectSettings

OFF_CENTRE = 0.35  # of the width: somebody as far from the middle counts a third of their size


class Subject:
    """Remembers who is shown of one stream."""

    def __init__(self, picks: int) -> None:
        """``picks``: how many clicks there have been before."""
        self._people = People()
        self._chosen: set[int] = set()
        self._picks = picks
        self._mode = "all"
        self._epoch = 0

    def __call__(self, matte: Matte, settings: SubjectSettings) -> Matte:
        """The matte without the people who are not to be shown."""
        if settings.mode == "all":
            if self._mode != "all":
                self._people, self._mode = People(), "all"
            self._picks = settings.picks
            return matte
        if settings.mode != self._mode or matte.frame.epoch != self._epoch:
            self._mode, self._epoch = settings.mode, matte.frame.epoch
            self._chosen = set()
        labels = self._people.follow(matte.frame, matte.alpha, matte.guide)
        self._chosen &= self._people.known.keys()
        if settings.picks != self._picks:
            self._picks = settings.picks
            self._pick(labels, settings)
        if settings.mode == "main" and not self._chosen:
            self._chosen = _main(labels)
        if settings.mode == "pick" and not self._chosen:  # somebody has to be seen to be picked
            return matte
        others = set(np.unique(labels).tolist()) - self._chosen - {NOBODY}
        if not others and self._chosen & set(np.unique(labels).tolist()):
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

    def _kept(self, labels: Labels, alpha: Alpha) -> Alpha:
        shown = np.isin(owners(labels), list(self._chosen)) if labels.any() else labels > NOBODY
        height, width = alpha.shape
        return alpha * resize(shown.astype(np.float32), (width, height))


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
