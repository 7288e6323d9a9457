"""Clips made by FFmpeg's own programs, and what those say about results."""

import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest

NEEDS_FFMPEG = pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="needs ffmpeg and ffprobe"
)

WIDTH, HEIGHT, COUNT = 96, 64, 24
ROOM, PERSON = (45, 25, 15), (190, 225, 240)  # BGR; what is bright is the person to `network`
TONE = ("-f", "lavfi", "-i", "sine=440:sample_rate=44100:duration=1.3")


def ffmpeg(*words, given=None):
    words = ["ffmpeg", "-loglevel", "error", "-nostdin", "-y", *map(str, words)]
    if given is not None:
        words.remove("-nostdin")
    return subprocess.run(words, input=given, capture_output=True, check=True, timeout=120).stdout


def ffprobe(path, *words):
    words = ["ffprobe", "-loglevel", "error", "-of", "json", *words, str(path)]
    return json.loads(subprocess.run(words, capture_output=True, check=True).stdout)


def picture(index, size=(WIDTH, HEIGHT)):
    """A bright person who walks to the right through a dark room."""
    image = np.full((size[1], size[0], 3), ROOM, np.uint8)
    x = 20 + index
    cv2.circle(image, (x, 20), 9, PERSON, -1)
    cv2.rectangle(image, (x - 11, 28), (x + 11, size[1]), PERSON, -1)
    return image


def clip(path, *options, sound=TONE, times=None, pictures=None):
    """Encode the walk. ``times``: milliseconds of each picture, in a file of its own clock."""
    pictures = [picture(n) for n in range(COUNT)] if pictures is None else pictures
    raw = (
        "-f",
        "rawvideo",
        "-pix_fmt",
        "bgr24",
        "-s",
        f"{pictures[0].shape[1]}x{pictures[0].shape[0]}",
    )
    retimed = ()
    if times:
        steps = "+".join(f"eq(N,{n})*{t}" for n, t in enumerate(times))
        retimed = (
            "-vf",
            f"settb=1/1000,setpts='{steps}'",
            "-vsync",
            "passthrough",
            "-enc_time_base",
            "1/1000",
            "-video_track_timescale",
            "600",
        )
    ffmpeg(
        *raw,
        "-r",
        20,
        "-i",
        "-",
        *sound,
        "-c:v",
        "libx264",
        "-crf",
        8,
        "-g",
        6,
        "-pix_fmt",
        "yuv420p",
        *retimed,
        "-c:a",
        "aac",
        *options,
        path,
        given=b"".join(image.tobytes() for image in pictures),
    )
    return path


def refused(result, *words):
    """Exit code 2, one line with these words, and nothing left behind."""
    code, lines = result
    assert (code, len(lines)) == (2, 1), lines
    for word in words:
        assert str(word) in lines[0], lines
    return True


def times(path):
    """Seconds at which its pictures are shown, and how long the last one lasts."""
    frames = ffprobe(path, "-select_streams", "v", "-show_entries", "frame=pts_time")["frames"]
    return [float(frame["pts_time"]) for frame in frames]


def sound(path):
    """(seconds, hash) of each packet of sound."""
    found = ffprobe(path, "-select_streams", "a", "-show_packets", "-show_data_hash", "md5")
    return [(float(packet["pts_time"]), packet["data_hash"]) for packet in found["packets"]]


def stream(path, kind="v"):
    return ffprobe(path, "-select_streams", kind, "-show_streams")["streams"][0]


def decoded(path, pixels="bgr24", *before):
    """Pictures as FFmpeg shows them, upright."""
    data = ffmpeg(
        *before, "-i", path, "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", pixels, "-"
    )
    about = stream(path)
    width, height = about["width"], about["height"]
    turns = [data["rotation"] for data in about.get("side_data_list", []) if "rotation" in data]
    if turns and turns[0] % 180:
        width, height = height, width
    kind = np.uint16 if pixels.endswith("le") else np.uint8
    channels = 1 if pixels == "gray" else 4 if "a" in pixels[:4] else 3
    return np.frombuffer(data, kind).reshape(-1, height, width, channels).astype(int)


def far(image, colour):
    return np.abs(image - np.array(colour)).max(axis=-1)
