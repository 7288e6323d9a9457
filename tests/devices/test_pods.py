"""The binary form of PipeWire's parameters, against bytes written down from its specification."""

import struct

import pytest

from realtime_bg.devices import pods


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (pods.integer(7), words(4, 4, 7, 0)),  # bytes, type, value, padding
        (pods.integer(-1), words(4, 4, 0xFFFFFFFF, 0)),
        (pods.identifier(2), words(4, 3, 2, 0)),
        (pods.rectangle((1280, 720)), words(8, 10, 1280, 720)),
        (pods.fraction(30, 1), words(8, 11, 30, 1)),
        (
            pods.choice(pods.Choice.RANGE, *map(pods.integer, (4, 2, 16))),
            words(28, 19, 1, 0, 4, 4, 4, 2, 16, 0),  # kind, flags, size and type, the values
        ),
        (pods.choice(pods.Choice.FLAGS, pods.integer(6)), words(20, 19, 4, 0, 4, 4, 6, 0)),
    ],
)
def test_a_pod_is_its_size_its_type_and_a_padded_body(pod, expected):
    assert pod == expected
    assert len(pod) % 8 == 0


def test_an_object_is_its_type_its_purpose_and_its_properties():
    made = pods.record(pods.Object.META, pods.Param.META, {2: pods.integer(32)})
    assert made == words(8 + 8 + 16, 15, 0x40005, 6, 2, 0, 4, 4, 32, 0)


def test_a_format_says_raw_video_i420_size_and_rate():
    made = pods.offered_format((640, 360), 25)
    size, kind, of, purpose = struct.unpack_from("<4I", made)
    assert (size + 8, kind, of, purpose) == (len(made), 15, 0x40003, 3)
    assert pods.properties(made) == {
        1: (2,),
        2: (1,),
        0x20001: (2,),
        0x20003: (640, 360),
        0x20004: (25, 1),
    }


def test_a_reader_accepts_any_size_and_prefers_its_own():
    raw, jpeg = pods.accepted_formats((640, 360), 25)
    sizes = pods.choice(pods.Choice.RANGE, *map(pods.rectangle, [(640, 360), (1, 1), (16384,) * 2]))
    for made in (raw, jpeg):
        assert sizes in made
    every = [pods.Pixels.YUY2, *pods.Pixels]  # the first one is the best
    assert pods.choice(pods.Choice.ENUM, *map(pods.identifier, every)) in raw
    assert pods.identifier(0x20002) in jpeg


def test_of_a_choice_the_default_counts():
    """As in a format on which two programs have agreed."""
    raw, _ = pods.accepted_formats((640, 360), 25)
    found = pods.properties(raw)
    assert found[pods.Key.VIDEO_SIZE] == (640, 360)
    assert found[pods.Key.VIDEO_FRAMERATE] == (25, 1)
    assert found[pods.Key.VIDEO_FORMAT] == (pods.Pixels.YUY2,)


def test_an_object_that_is_cut_off_is_an_error():
    made = pods.offered_format((640, 360), 25)
    with pytest.raises(struct.error):
        pods.properties(made[:-4])


def test_buffers_are_of_one_block_in_memory_that_can_be_shared():
    made = pods.offered_buffers(691200, 640)
    for value in (691200, 640):
        assert pods.integer(value) in made
    assert pods.choice(pods.Choice.FLAGS, pods.integer(0b110)) in made
    assert pods.choice(pods.Choice.FLAGS, pods.integer(0b1110)) in pods.accepted_buffers()
