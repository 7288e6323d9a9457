"""Pictures of converted videos: damaged, transparent, HDR, turned, of other shapes, interlaced."""

import shutil
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.clips import (
    COUNT,
    HEIGHT,
    NEEDS_FFMPEG,
    PERSON,
    WIDTH,
    clip,
    decoded,
    far,
    ffmpeg,
    picture,
    refused,
    stream,
    times,
)
from PIL import Image as Pillow

from realtime_bg.frames import Cutout
from realtime_bg.imaging.orientation import upright
from realtime_bg.settings import SourceSettings, load
from realtime_bg.sources import open_source
from realtime_bg.videos.convert import VideoOptions, convert

pytestmark = [pytest.mark.usefixtures("place"), NEEDS_FFMPEG]


# Damage


def rewritten(source, target, change):
    """Copy the video packets of a file; ``change(number, data)`` gives what is stored of each."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        track = after.add_stream_from_template(before.streams.video[0])
        packets = [packet for packet in before.demux(video=0) if packet.dts is not None]
        for number, packet in enumerate(packets):
            copy = av.Packet(change(number, bytes(packet)))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
            copy.stream = track
            after.mux(copy)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", ("-bf", 0)),
        ("mpeg4", ()),
        ("mjpeg", ()),
        ("libvpx-vp9", ("-deadline", "realtime", "-cpu-used", 8, "-auto-alt-ref", 0)),
        ("ffv1", ()),
    ],
)
def test_a_packet_that_cannot_be_decoded_costs_one_picture(video, place, codec, options):
    clip("whole.mkv", "-c:v", codec, "-g", 1, *options, sound=())
    rewritten("whole.mkv", "in.mkv", lambda n, data: b"\x00\xff\x13\x37" * 9 if n == 12 else data)
    code, lines = video("in.mkv", "-o", "out.mp4", "-b", "none")
    assert code == 0, lines
    at = times("out.mp4")
    assert at[-1] == pytest.approx(1.15, abs=0.002)
    assert len(at) in (COUNT - 1, COUNT)  # some decoders show something all the same
    if len(at) < COUNT:
        assert not [one for one in at if abs(one - 0.6) < 0.02]
        (told,) = (line for line in lines if "damaged" in line)
        assert 0.55 <= float(told.split(" at ")[1].split(" s")[0]) <= 0.8


def test_an_empty_packet_repeats_the_picture_before_it(video, place):
    """As Theora and AVI store a picture that does not change."""
    still = [picture(3)] * 8 + [picture(20)] * 4 + [picture(3)] * 4
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", 20, "-i", "-",
        "-c:v", "libtheora", "-q:v", 9, "in.ogv", given=b"".join(one.tobytes() for one in still),
    )  # fmt: skip
    with av.open("in.ogv") as container:
        packets = [one.size for one in container.demux(video=0) if one.dts is not None]
    assert packets.count(0) > 5  # the encoder may leave the last ones out
    assert video("in.ogv", "-o", "out.mp4", "-b", "none")[0] == 0
    assert [round(at, 3) for at in times("out.mp4")] == [n / 20 for n in range(len(packets))]
    out = decoded("out.mp4")
    for number, expected in enumerate(still[: len(packets)]):
        assert np.abs(out[number] - expected).mean() < 6, number


# A transparency of its own


def masked(path, codec, pixels, *options):
    """The walk, whose left third somebody has masked away: there the person's colour is hidden."""
    frames = []
    for number in range(COUNT):
        full = np.dstack([picture(number), np.full((HEIGHT, WIDTH), 255, np.uint8)])
        full[:, : WIDTH // 3] = (*PERSON, 0)
        frames.append(full)
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "bgra", "-s", f"{WIDTH}x{HEIGHT}", "-r", 20, "-i", "-",
        "-c:v", codec, "-pix_fmt", pixels, *options, path,
        given=b"".join(one.tobytes() for one in frames),
    )  # fmt: skip
    return path


MASKED = [
    ("in.mov", "prores_ks", "yuva444p10le", "-profile:v", "4444"),
    ("in.webm", "libvpx-vp9", "yuva420p", "-auto-alt-ref", "0"),
    ("in.webm", "libvpx", "yuva420p", "-auto-alt-ref", "0"),
    ("in.mov", "png", "rgba"),
    ("in.mov", "qtrle", "argb"),
    ("in.mkv", "ffv1", "yuva420p"),
]


@pytest.mark.parametrize("how", MASKED, ids=lambda how: how[1])
def test_what_somebody_masked_away_does_not_come_back(video, place, how):
    masked(*how)
    assert video(how[0], "-o", "out.mp4", "-b", "#00ff00")[0] == 0
    hidden = decoded("out.mp4")[:, :, : WIDTH // 3 - 3]
    assert far(hidden, (0, 255, 0)).max() < 16
    assert video(how[0], "-o", "frames", "--alpha", "png-sequence")[0] == 0
    cut = cv2.imread("frames/000012.png", cv2.IMREAD_UNCHANGED)
    assert cut[:, : WIDTH // 3 - 3, 3].max() == 0
    assert cut[:, : WIDTH // 3 - 3, :3].max() == 0
    assert cut[45:, WIDTH // 3 + 3 : 40, 3].min() > 250  # the person beside it is there


@pytest.mark.parametrize("background", ["blur", "erase"])
def test_nor_does_it_in_a_background_made_from_the_picture(video, place, background):
    masked(*MASKED[3])
    assert video("in.mov", "-o", "out.mp4", "-b", background)[0] == 0
    hidden = decoded("out.mp4")[:, 4:-4, 4 : WIDTH // 3 - 12]
    assert far(hidden, PERSON).min() > 10


def test_a_mirrored_result_hides_the_other_side(video, place):
    masked(*MASKED[3])
    (place / "mirror.yaml").write_text("output: {mirror: true}\n")
    words = ("--config", "mirror.yaml", "-b", "#00ff00")
    assert video("in.mov", "-o", "out.mp4", *words)[0] == 0
    hidden = decoded("out.mp4")[:, :, WIDTH - WIDTH // 3 + 3 :]
    assert far(hidden, (0, 255, 0)).max() < 16


# HDR and wide gamut


def hdr(path, transfer, primaries="bt2020", nits=600):
    """A bright person in PQ or HLG, 10 bits: what the decoder gives is what was put in."""
    code = {"smpte2084": 0.69, "arib-std-b67": 0.9, "bt709": 0.9}[transfer]
    frames = []
    for number in range(6):
        shape = picture(number).max(axis=2) > 128
        frames.append(np.where(shape[..., None], code, 0.2).repeat(3, axis=2))
    raw = b"".join(np.rint(one * 65535).astype("<u2").tobytes() for one in frames)
    matrix = "bt2020nc" if primaries == "bt2020" else "bt709"
    colours = f"colour_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{WIDTH}x{HEIGHT}", "-r", 20, "-i", "-",
        "-vf", f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le,"
        f"setparams={colours.replace('colour', 'color')}",
        "-c:v", "libx265", "-x265-params", "log-level=error", "-crf", 4, path, given=raw,
    )  # fmt: skip
    return path


def in_sdr(path):
    """What a standard conversion by FFmpeg makes of HDR, as BGR."""
    curve = "zscale=t=linear:npl=203:agamma=0,format=gbrpf32le,zscale=p=bt709"
    chain = f"{curve},zscale=t=bt709:m=bt709:r=tv,format=yuv444p,scale=in_color_matrix=bt709"
    data = ffmpeg("-i", path, "-vf", chain, "-f", "rawvideo", "-pix_fmt", "bgr24", "-")
    return np.frombuffer(data, np.uint8).reshape(-1, HEIGHT, WIDTH, 3).astype(int)


def has_zscale():
    return shutil.which("ffmpeg") is not None and b"zscale" in ffmpeg("-filters")


@pytest.mark.skipif(not has_zscale(), reason="needs an ffmpeg with zscale")
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("colour", ["#808080", "#00b140"])
@pytest.mark.parametrize("result", ["out.mp4", "out.mkv"])
def test_a_background_keeps_its_colour_in_hdr(video, place, transfer, colour, result):
    hdr("in.mov", transfer)
    code, lines = video("in.mov", "-o", result, "-b", colour)
    assert code == 0, lines
    about = stream(result)
    assert (about["color_transfer"], about["color_primaries"]) == (transfer, "bt2020")
    assert about["pix_fmt"] == "yuv420p10le"
    expected = [int(colour[at : at + 2], 16) for at in (5, 3, 1)]
    corner = in_sdr(result)[3, 2:14, 2:14].reshape(-1, 3)
    assert np.abs(np.median(corner, axis=0) - expected).max() <= 3
    before, after = (decoded(name, "rgb48le")[3, 40:60, 20:26] for name in ("in.mov", result))
    assert np.abs(before - after).mean() / 65535 < 0.006  # the person is as bright as before


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_becomes_sdr_if_asked(video, place, transfer):
    hdr("in.mov", transfer)
    code, lines = video("in.mov", "-o", "out.mp4", "-b", "#808080", "--sdr")
    assert code == 0, lines
    about = stream("out.mp4")
    kept = [about[name] for name in ("color_transfer", "color_primaries", "color_space", "pix_fmt")]
    assert kept == ["bt709", "bt709", "bt709", "yuv420p"]
    out = decoded("out.mp4")[3]
    assert np.abs(np.median(out[2:14, 2:14].reshape(-1, 3), axis=0) - 128).max() <= 3
    assert 235 < out[45:60, 20:26].mean() <= 255


def test_prores_keeps_hdr_and_what_cannot_says_so(video, place):
    hdr("in.mov", "smpte2084")
    assert video("in.mov", "-o", "out.mov", "--alpha", "prores4444")[0] == 0
    assert stream("out.mov")["color_transfer"] == "smpte2084"
    before, after = (decoded(name, "rgb48le")[3, 45:60, 20:26] for name in ("in.mov", "out.mov"))
    assert np.abs(before - after).mean() / 65535 < 0.006
    code, lines = video("in.mov", "-o", "frames", "--alpha", "png-sequence")
    assert (code, "have the colours of BT.709" in "".join(lines)) == (0, True) or "BT.709" in lines[
        0
    ]
    cut = cv2.imread("frames/000003.png", cv2.IMREAD_UNCHANGED)
    assert 235 < cut[45:60, 20:26, :3].mean() <= 255
    code, lines = video("in.mov", "-o", "out.webm", "-b", "#808080")
    assert (code, "has the colours of BT.709" in "".join(lines)) == (0, True), lines
    assert stream("out.webm")["color_transfer"] == "bt709"


def test_blur_in_hdr_is_as_bright_as_the_room(video, place):
    hdr("in.mov", "smpte2084")
    assert video("in.mov", "-o", "out.mp4", "-b", "blur")[0] == 0
    before, after = (decoded(name, "rgb48le")[3, 2:10, 70:90] for name in ("in.mov", "out.mp4"))
    assert np.abs(before.mean() - after.mean()) / 65535 < 0.02


# Shape and orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations(video, plain, place, orientation):
    matrices = {
        1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
        5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
    }  # fmt: skip
    data = bytearray(plain.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix of the first track
    a, b, c, d = matrices[orientation]
    one = 1 << 16
    for place_of, value in ((0, a), (4, b), (12, c), (16, d)):
        data[at + place_of : at + place_of + 4] = (value * one).to_bytes(4, "big", signed=True)
    (place / "in.mp4").write_bytes(bytes(data))
    assert video("in.mp4", "-o", "out.mp4", "-b", "none")[0] == 0
    stored, shown = decoded(plain), decoded("out.mp4")
    for before, after in zip(stored, shown, strict=True):
        assert np.abs(upright(before, orientation) - after).mean() < 3


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("out.mp4", ()), ("out.mkv", ()), ("out.webm", ()), ("out.gif", ()),
        ("pro.mov", ("--alpha", "prores4444")), ("pro.mkv", ("--alpha", "prores4444")),
        ("vp9.webm", ("--alpha", "vp9")), ("vp9.mkv", ("--alpha", "vp9")),
        ("frames", ("--alpha", "png-sequence")), ("m.mkv", ("--alpha", "matte")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["4/3", "3/4"])
def test_the_shape_of_pixels_is_kept_or_made_square(video, plain, place, result, words, shape):
    ffmpeg("-i", plain, "-vf", f"setsar={shape}", "-c:a", "copy", "in.mp4")
    background = () if "--alpha" in words else ("-b", "none")
    code, lines = video("in.mp4", "-o", result, *words, *background)
    assert code == 0, lines
    names = {"frames": "frames/000000.png", "m.mkv": "m.matte.mkv"}
    about = stream(names.get(result, result))
    across, down = map(
        int, about.get("sample_aspect_ratio", "1:1").replace("N/A", "1:1").split(":")
    )
    width, height = (int(part) for part in shape.split("/"))
    wanted = WIDTH * width / height / HEIGHT
    assert about["width"] * across / down / about["height"] == pytest.approx(wanted, rel=0.03)
    assert about["width"] >= WIDTH
    assert about["height"] >= HEIGHT


# Interlacing


def combing(image):
    """How much each line differs from its neighbours more than those from each other."""
    image = image.astype(int)
    between = np.abs(2 * image[1:-1] - image[:-2] - image[2:])
    return (between.mean() - np.abs(image[2:] - image[:-2]).mean()) / 2


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_interlaced_video_becomes_progressive_at_the_same_times(video, place, order):
    wide = [np.roll(picture(0), 4 * n, axis=1) for n in range(2 * COUNT)]
    raw = b"".join(one.tobytes() for one in wide)
    mode = "interleave_top" if order == "tff" else "interleave_bottom"
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", 40, "-i", "-",
        "-vf", f"tinterlace={mode}", "-c:v", "libx264", "-crf", 6, "-pix_fmt", "yuv420p",
        "-x264opts", order, "-flags", "+ilme+ildct", "in.mp4", given=raw,
    )  # fmt: skip
    assert stream("in.mp4")["field_order"] in ("tt", "bb")
    code, lines = video("in.mp4", "-o", "out.mp4", "-b", "none")
    assert code == 0, lines
    assert sum("interlaced" in line for line in lines) == 1
    assert times("out.mp4") == pytest.approx(times("in.mp4"), abs=0.002)
    assert stream("out.mp4")["field_order"] == "progressive"
    before, after = decoded("in.mp4"), decoded("out.mp4")
    assert combing(after[10]) < 0.3 * combing(before[10])


# Animated pictures


def shown_one_by_one(path, kind):
    pictures = [Pillow.fromarray(picture(n)[..., ::-1]) for n in range(6)]
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:], duration=100)


@pytest.mark.parametrize(("name", "kind"), [("in.png", "PNG"), ("in.gif", "GIF")])
def test_animated_pictures_are_videos(video, place, name, kind):
    shown_one_by_one(name, kind)
    code, lines = video(name, "-o", "out.mp4", "-b", "none")
    assert code == 0, lines
    assert times("out.mp4") == pytest.approx(np.arange(6) / 10, abs=0.011)
    out = decoded("out.mp4")
    for number in range(6):
        assert np.abs(out[number] - picture(number)).mean() < 6


def test_an_animated_webp_is_refused_with_what_to_do(video, place):
    shown_one_by_one("in.webp", "WEBP")
    assert refused(video("in.webp", "-o", "out.mp4"), "animated WebP", "save it as GIF or APNG")


# The same care for a live source


def test_a_live_source_hides_what_is_masked_and_shows_what_is_seen(place):
    masked(*MASKED[3])
    shot = next(iter(open_source(SourceSettings(spec="in.mov"), paced=False))).image
    assert shot[:, : WIDTH // 3 - 3].min() == 255  # white, not what is hidden there
    Pillow.fromarray(np.dstack([picture(0)[..., ::-1], np.zeros((HEIGHT, WIDTH), np.uint8)])).save(
        "gone.png"
    )
    assert next(iter(open_source(SourceSettings(spec="gone.png"), paced=False))).image.min() == 255


# Watching


@pytest.mark.parametrize(
    ("alpha", "name"), [(None, "out.mp4"), ("vp9", "out.webm"), ("prores4444", "out.mov")]
)
@pytest.mark.parametrize("deep", [False, True])
def test_each_finished_picture_is_handed_over(plain, network, place, alpha, name, deep):
    source = hdr("in.mov", "smpte2084") if deep else plain
    flags = {"engine.name": "semantic", "engine.model": str(network), "background.current": "blue"}
    seen, options, never = [], VideoOptions(alpha=alpha), threading.Event()
    assert convert(
        load(flags=flags), Path(source), Path(name), options, lambda *_: None, never, seen.append
    )
    assert len(seen) == (6 if deep else COUNT)
    if alpha is None:
        assert all(image.dtype == np.uint8 for image in seen)
        assert far(seen[-1][4, 4], (255, 0, 0)).max() < 6  # tone-mapped, as a screen shows it
        if not deep:
            assert np.abs(seen[-1] - decoded(name)[-1]).mean() < 4
    else:
        assert all(isinstance(cut, Cutout) for cut in seen)
        assert seen[-1].alpha[4, 4] == 0
        assert seen[-1].alpha.max() > 0.9
