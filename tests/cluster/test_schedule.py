"""Which unit is next, and how far all of them are."""

import pytest

from realtime_bg.cli.cluster import described
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.schedule import BATCH, Schedule
from realtime_bg.cluster.tasks import ATTEMPTS, Photo, Source, Unit


def photo(index):
    return Photo(Source(f"{index}.jpg", "1"), f"{index}.png", "png")


def test_every_photo_is_given_out_once_in_batches_that_get_smaller():
    schedule = Schedule(photos=[photo(index) for index in range(100)])
    sizes, given = [], []
    while (unit := schedule.take(2)) is not None:
        sizes.append(len(unit.photos))
        given += [each.place for each in unit.photos]
    assert given == [photo(index).place for index in range(100)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 13
    assert sizes[-1] == 1
    assert len(Schedule(photos=[photo(n) for n in range(5000)]).take(2).photos) == BATCH


def test_what_completes_a_result_is_first_and_long_videos_before_short_ones():
    kinds = [("video", 1), ("video", 9), ("segment", 2), ("join", 0), ("segment", 5)]
    schedule = Schedule(Unit(kind, f"{kind}{weight}", weight) for kind, weight in kinds)
    order = [schedule.take(2).key for _ in kinds]
    assert order == ["join0", "segment5", "segment2", "video9", "video1"]
    assert schedule.take(2) is None


def test_the_photos_of_a_lost_batch_are_tried_one_by_one():
    schedule = Schedule(photos=[photo(index) for index in range(8)])
    lost = schedule.take(1)
    assert len(lost.photos) == 2
    assert schedule.again(lost)
    rest = []
    while (unit := schedule.take(1)) is not None:
        rest.append(unit)
    assert [unit.photos for unit in rest[-2:]] == [(each,) for each in lost.photos]
    bad = rest[-1]
    tries = 1
    while schedule.again(bad):
        bad = schedule.take(1)
        tries += 1
    assert bad.attempts == ATTEMPTS
    assert tries == ATTEMPTS - 1  # and once in its batch


def test_a_video_is_begun_three_times():
    schedule = Schedule([Unit("video", "v", 1)])
    for _ in range(ATTEMPTS - 1):
        assert schedule.again(schedule.take(1))
    assert not schedule.again(schedule.take(1))


def test_what_was_not_begun_does_not_count_as_an_attempt():
    schedule = Schedule([Unit("video", "v", 1)], [photo(0), photo(1)])
    for _ in range(2 * ATTEMPTS):
        schedule.unbegun(schedule.take(1))
    assert schedule.again(schedule.take(1))
    schedule.take(1)
    for _ in range(2 * ATTEMPTS):
        schedule.unbegun(schedule.take(1))
    assert [schedule.take(1).photos[0].place for _ in range(2)] == ["0.png", "1.png"]


@pytest.fixture
def clock():
    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    return Clock()


def test_the_progress_counts_all_workers(clock):
    progress = Progress(100, 2, clock)
    assert progress.view().eta is None
    assert described(progress.view(), "frames") == "0/2, starting workers"
    clock.now += 10
    progress.at_work(0, 20)
    progress.at_work(1, 5)
    progress.made_by("a/1", 300)
    progress.made_by("b/2", 100)
    view = progress.view()
    assert (view.done, view.made, view.rate) == (25, 0, 40)
    assert view.eta == 30
    assert described(view, "frames") == "0/2, 40.0 frames/s, 0:00:30 left; a/1 30.0, b/2 10.0"
    progress.finished(0, 60, 1)
    progress.finished(1, 0)  # its worker has died: it begins again
    view = progress.view()
    assert (view.done, view.made) == (60, 1)
    clock.now += 70
    assert progress.view().rate == 0
