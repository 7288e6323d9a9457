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
            pods.choice(pods.Choice.RANGE, 4, 2, 16),
            words(28, 19, 1, 0, 4, 4, 4, 2, 16, 0),  # kind, flags, size and type, the values
        ),
        (pods.choice(pods.Choice.FLAGS, 6), words(20, 19, 4, 0, 4, 4, 6, 0)),
    ],
)
def test_a_pod_is_its_size_its_type_and_a_padded_body(pod, expected):
    assert pod == expected
    assert len(pod) % 8 == 0


def test_an_object_is_its_type_its_purpose_and_its_properties():
    made = pods.record(pods.Object.META, pods.Param.META, {2: pods.integer(32)})
    assert made == words(8 + 8 + 16, 15, 0x40005, 6, 2, 0, 4, 4, 32, 0)


def test_a_format_says_raw_video_i420_size_and_rate():
    made = pods.video_format((640, 360), 25)
    size, kind, of, purpose = struct.unpack_from("<4I", made)
    assert (size + 8, kind, of, purpose) == (len(made), 15, 0x40003, 3)
    properties, at = {}, 16
    while at < len(made):
        key, _, count, _ = struct.unpack_from("<4I", made, at)
        at += 16
        properties[key] = made[at : at + count]
        at += count + -count % 8
    assert properties == {
        1: words(2),
        2: words(1),
        0x20001: words(2),
        0x20003: words(640, 360),
        0x20004: words(25, 1),
    }


def test_buffers_are_of_one_block_in_memory_that_can_be_shared():
    made = pods.buffers(691200, 640)
    for value in (691200, 640):
        assert pods.integer(value) in made
    assert pods.choice(pods.Choice.FLAGS, 0b110) in made
