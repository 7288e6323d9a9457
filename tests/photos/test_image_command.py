"""`realtime-bg image` as users run it: photos in, photos out, one line for a failure."""

import io
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers import graphs
from PIL import Image as Pillow
from PIL import ImageCms, PngImagePlugin, features

from realtime_bg.cli import main as cli
from realtime_bg.media.photos import read_photo

pytestmark = pytest.mark.usefixtures("place")

WIDTH, HEIGHT = 96, 64
ROOM, PERSON = (40, 20, 10), (190, 230, 250)  # BGR; what is bright is the person to `network`
ORIENTATION, MAKE, GPS, MAKER_NOTE = 0x0112, 0x010F, 0x8825, 0x927C
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene():
    """A bright person in a dark room, not in its middle: BGR uint8 and where the person is."""
    image = np.full((HEIGHT, WIDTH, 3), ROOM, np.uint8)
    person = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(person, (30, 20), 10, 1, -1)
    cv2.rectangle(person, (18, 28), (42, HEIGHT), 1, -1)
    image[person > 0] = PERSON
    return image, person > 0


IMAGE, SEEN = scene()
INSIDE = cv2.erode(SEEN.astype(np.uint8), np.ones((7, 7))) > 0
OUTSIDE = cv2.dilate(SEEN.astype(np.uint8), np.ones((7, 7))) == 0


def photo(path, image=IMAGE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Pillow.fromarray(image[..., ::-1]).save(path, **options)
    return path


def read(data):
    """A result as Pillow sees it, RGB(A)."""
    with Pillow.open(io.BytesIO(data) if isinstance(data, bytes) else data) as file:
        file.load()
        return file


def alpha_of(data):
    return np.asarray(read(data).convert("RGBA"))[..., 3]


def is_cut_out(data, inside=INSIDE, outside=OUTSIDE):
    """Opaque inside the person, transparent and black outside: no room is left in the file."""
    full = np.asarray(read(data).convert("RGBA"))
    assert (full[inside][:, 3] > 250).all()
    assert np.abs(full[inside][:, :3].astype(int) - PERSON[::-1]).max() < 12
    assert (full[outside] == 0).all()
    return True


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return graphs.person_map(tmp_path_factory.mktemp("network") / "bright.onnx")


@pytest.fixture
def image(monkeypatch, capfdbinary, network):
    """Run `realtime-bg image` in this process: (exit code, standard output, lines of error)."""

    def run(*words, engine=("--engine", "semantic", "--model", network), given=b""):
        words = ["realtime-bg", "image", *map(str, words), *map(str, engine)]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        printed = capfdbinary.readouterr()
        lines = printed.err.decode().splitlines()
        assert "Traceback" not in printed.err.decode()
        # What a network's file does not say is guessed, and said.
        return ended.value.code, printed.out, [line for line in lines if "bright.onnx" not in line]

    return run


def refused(result, *words):
    """Exit code 2 and exactly one line, with these words in it."""
    code, out, lines = result
    assert (code, out, len(lines)) == (2, b"", 1), lines
    for word in words:
        assert str(word) in lines[0]
    return True


# What comes out


@pytest.mark.parametrize(
    "kind", ["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "avif", "heic"]
)
def test_every_kind_of_photo_becomes_a_cut_out_beside_it(image, place, kind):
    if kind == "avif" and not features.check("avif"):
        pytest.skip("this Pillow knows no AVIF")
    source = photo(place / f"me.{kind}", **({"quality": 95} if kind != "bmp" else {}))
    before = source.read_bytes()
    assert image(source)[0] == 0
    result = place / "me.cutout.png"
    assert read(result).mode == "RGBA"
    assert is_cut_out(result)
    assert source.read_bytes() == before
    assert set(place.iterdir()) == {result, source}


@pytest.mark.parametrize(
    ("name", "kind"), [("o.png", "PNG"), ("o.webp", "WEBP"), ("o.tiff", "TIFF")]
)
def test_the_outputs_name_says_the_format(image, place, name, kind):
    assert image(photo(place / "me.png"), "-o", name, "--quality", 100)[0] == 0
    assert read(name).format == kind
    full = np.asarray(read(name).convert("RGBA"))
    assert (full[INSIDE][:, 3] == 255).all()
    assert (full[OUTSIDE][:, 3] == 0).all()


def test_a_background_makes_it_a_photo_again(image, place):
    assert image(photo(place / "me.jpg", quality=95), "-b", "#00ff00", "-o", "o.jpg")[0] == 0
    result = read("o.jpg")
    assert (result.format, result.mode) == ("JPEG", "RGB")
    pixels = np.asarray(result).astype(int)
    assert np.abs(pixels[OUTSIDE] - (0, 255, 0)).max() < 12
    assert np.abs(pixels[INSIDE] - PERSON[::-1]).mean() < 3


def test_what_is_for_live_pictures_is_left_out_and_named(image, place):
    photo(place / "me.png")
    layers = "layers: {items: [{name: A, text: hello, scale: 1}]}"
    (place / "c.yaml").write_text(f"subject: {{mode: main}}\nframe: {{mode: auto}}\n{layers}\n")
    code, _, lines = image("me.png", "-b", "#00f", "--config", "c.yaml", "-o", "out.png")
    assert code == 0
    assert "subject.mode, frame.mode, layers.items: no effect on photos" in lines[0]
    plain = np.asarray(read("out.png"))
    assert image("me.png", "-b", "#00f", "-o", "plain.png")[0] == 0
    assert (plain == np.asarray(read("plain.png"))).all()


def test_a_picture_and_blur_as_background(image, place):
    behind = photo(place / "behind.png", np.full((30, 30, 3), (0, 0, 200), np.uint8))
    source = photo(place / "me.png")
    assert image(source, "-b", behind)[0] == 0
    pixels = np.asarray(read("me.background.png"))
    assert (pixels[OUTSIDE] == (200, 0, 0)).all()
    assert image(source, "-b", "blur", "-o", "blurred.png")[0] == 0
    assert np.abs(np.asarray(read("blurred.png"))[OUTSIDE].astype(int) - ROOM[::-1]).max() < 4


def test_edges_take_no_room_along(image, place):
    """A half covered pixel shows the person's colour, not the mixture with the room."""
    soft = cv2.GaussianBlur(SEEN.astype(np.float32), (0, 0), 2)[..., None]
    mixed = np.rint(soft * PERSON + (1 - soft) * ROOM).astype(np.uint8)
    assert image(photo(place / "me.png", mixed), "-o", "o.png")[0] == 0
    full = np.asarray(read("o.png")).astype(int)
    edge = (full[..., 3] > 50) & (full[..., 3] < 220)
    assert edge.sum() > 50
    away = np.abs(full[edge][:, :3] - PERSON[::-1]).mean()
    assert away < np.abs(mixed[edge][:, ::-1].astype(int) - PERSON[::-1]).mean() / 2


def test_only_the_alpha(image, place):
    assert image(photo(place / "me.png"), "--alpha-only")[0] == 0
    alpha = read("me.alpha.png")
    assert alpha.mode == "L"
    assert (np.asarray(alpha)[INSIDE] > 250).all()
    assert (np.asarray(alpha)[OUTSIDE] == 0).all()


def test_only_the_foreground(image, place):
    assert image(photo(place / "me.png"), "--foreground-only")[0] == 0
    foreground = read("me.foreground.png")
    assert foreground.mode == "RGB"
    assert (np.asarray(foreground)[OUTSIDE] == 0).all()
    assert np.abs(np.asarray(foreground)[INSIDE].astype(int) - PERSON[::-1]).max() < 4


@pytest.mark.parametrize("options", [(), ("--alpha-only",)])
def test_sixteen_bits_of_alpha(image, place, options):
    ramp = np.repeat(np.linspace(90, 160, WIDTH).astype(np.uint8)[None], HEIGHT, 0)
    source = photo(place / "me.png", cv2.merge([ramp] * 3), icc_profile=SRGB)
    assert image(source, "--depth", 16, "-o", "o.png", *options)[0] == 0
    deep = cv2.imread("o.png", cv2.IMREAD_UNCHANGED)
    assert deep.dtype == np.uint16
    alpha = deep if options else deep[..., 3]
    assert len(np.unique(alpha % 257)) > 20  # levels between those of 8 bits
    assert (read("o.png").info.get("icc_profile") == SRGB) == (not options)


def test_trimmed_to_the_person(image, place):
    source = photo(place / "me.png")
    assert image(source, "-o", "whole.png")[0] == 0
    assert image(source, "--trim", "-o", "o.png")[0] == 0
    whole, trimmed = np.asarray(read("whole.png")), np.asarray(read("o.png"))
    rows, columns = np.nonzero(whole[..., 3])
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert trimmed.shape[1] < WIDTH / 2
    assert (trimmed == whole[box]).all()


def test_what_was_transparent_stays_so(image, place):
    full = np.dstack([IMAGE[..., ::-1], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    full[:20, :, 3] = 0
    Pillow.fromarray(full).save("me.png")
    assert image("me.png")[0] == 0
    alpha = alpha_of("me.cutout.png")
    assert (alpha[:20] == 0).all()
    assert (alpha[20:][INSIDE[20:]] > 250).all()


def test_erased_things_are_painted_over_and_the_rest_stays(image, place, tmp_path_factory):
    masks = np.zeros((1, 1, HEIGHT, WIDTH), np.float32)
    masks[0, 0] = SEEN
    car = graphs.constant_detector(
        tmp_path_factory.mktemp("cars") / "car.onnx",
        {
            "boxes": np.float32([[18, 10, 43, 64]]),
            "labels": np.int64([3]),
            "scores": np.float32([0.9]),
            "masks": masks,
        },
        (1, 3, HEIGHT, WIDTH),
    )
    source = photo(place / "me.png", icc_profile=SRGB)
    code, _, lines = image(source, "--erase", "car", engine=("--model", car))
    assert code == 0, lines
    result = read("me.erased.png")
    pixels = np.asarray(result)
    assert result.mode == "RGB"
    assert result.info["icc_profile"] == SRGB
    assert np.abs(pixels[SEEN].astype(int) - ROOM[::-1]).max() < 10
    assert (pixels[:, 60:] == ROOM[::-1]).all()
    code, _, lines = image(source, "--erase", "dog", "-o", "o.png", engine=("--model", car))
    assert (code, lines[1:]) == (0, ["realtime-bg: written: o.png"])
    assert "contains no dog" in lines[0]
    assert (np.asarray(read("o.png"))[..., ::-1] == IMAGE).all()
    full = np.dstack([IMAGE[..., ::-1], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    full[:, :9, 3] = 0
    Pillow.fromarray(full).save("cut.png")
    assert image("cut.png", "--erase", "car", engine=("--model", car))[0] == 0
    assert (alpha_of("cut.erased.png") == full[..., 3]).all()


def test_a_photo_of_nothing_but_what_is_to_be_erased_is_refused(image, place, tmp_path_factory):
    everywhere = np.ones((1, 1, HEIGHT, WIDTH), np.float32)
    car = graphs.constant_detector(
        tmp_path_factory.mktemp("cars") / "car.onnx",
        {
            "boxes": np.float32([[0, 0, WIDTH, HEIGHT]]),
            "labels": np.int64([3]),
            "scores": np.float32([0.9]),
            "masks": everywhere,
        },
        (1, 3, HEIGHT, WIDTH),
    )
    code, _, lines = image(photo(place / "me.png"), "--erase", "car", engine=("--model", car))
    assert (code, len(lines)) == (1, 1), lines
    assert "me.png: the objects to erase cover the whole photo" in lines[0]
    assert not (place / "me.erased.png").exists()


def test_rvm_sees_a_photo_until_its_answer_stays(image, place, tmp_path_factory):
    """A network that remembers: one look gives half the alpha, many give all of it."""
    path = tmp_path_factory.mktemp("rvm") / "slow.onnx"
    graphs.remembering(path)
    assert (
        image(photo(place / "me.png"), "--alpha-only", engine=("-e", "rvm", "--model", path))[0]
        == 0
    )
    alpha = np.asarray(read("me.alpha.png"))
    assert alpha[INSIDE].min() > 0.95 * np.mean(PERSON)
    # The next photo of the same size starts afresh.
    photo(place / "two" / "a.png")
    photo(place / "two" / "b.png", np.full_like(IMAGE, 0))
    assert image("two", "-d", "o", "--alpha-only", engine=("-e", "rvm", "--model", path))[0] == 0
    assert np.asarray(read("o/b.png")).max() == 0


def test_the_demos_person_is_cut_out_as_the_readme_says(place):
    """The default engine without network, in a process of its own."""
    from realtime_bg.settings import SourceSettings
    from realtime_bg.sources.demo import DemoSource

    demo = DemoSource("", SourceSettings(spec="demo", size=(640, 360)), False)
    photo(place / "me.jpg", demo.image(30), quality=95)
    command = [sys.executable, "-m", "realtime_bg", "image", "me.jpg", "--offline"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    truth = demo.alpha(30)
    alpha = alpha_of("me.cutout.png") / 255
    assert np.abs(alpha - truth).mean() < 0.03
    full = np.asarray(read("me.cutout.png"))
    assert (
        np.abs(full[truth > 0.99][:, :3].astype(int) - demo.image(30)[truth > 0.99][:, ::-1]).mean()
        < 8
    )


# What is kept


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(image, place, orientation):
    """A photo whose camera was held otherwise gives the same result as the upright one."""
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    upright = Pillow.fromarray(IMAGE[..., ::-1])
    stored = upright if back is None else upright.transpose(Pillow.Transpose(back))
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    stored.save("me.png", exif=exif)
    assert image("me.png", "--keep-exif")[0] == 0
    result = read("me.cutout.png")
    assert result.size == (WIDTH, HEIGHT)
    assert is_cut_out("me.cutout.png")
    assert ORIENTATION not in result.getexif()  # or it would be turned twice


@pytest.mark.parametrize("name", ["o.png", "o.webp", "o.tiff", "o.jpg"])
def test_colour_profile_and_camera_data(image, place, name):
    exif = Pillow.Exif()
    exif[MAKE] = "Brownie"
    exif[ORIENTATION] = 1
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(0x8769)[MAKER_NOTE] = b"a thumbnail of all the room"
    source = photo(place / "me.jpg", quality=95, icc_profile=SRGB, exif=exif)
    over = ("-b", "blur") if name == "o.jpg" else ()
    assert image(source, "-o", name, "--keep-exif", *over)[0] == 0
    kept = read(name)
    assert kept.info["icc_profile"] == SRGB
    assert kept.getexif()[MAKE] == "Brownie"
    assert kept.getexif().get_ifd(GPS)[1] == "N"
    assert b"thumbnail" not in (place / name).read_bytes()
    assert image(source, "-o", name, "--overwrite", *over)[0] == 0
    dropped = read(name)  # where and with what it was taken is nobody's business unless asked for
    assert dropped.info["icc_profile"] == SRGB
    assert MAKE not in dropped.getexif()


def test_a_damaged_profile_is_not_copied_on(image, place):
    photo(place / "me.png", icc_profile=SRGB[:60] + b"damaged")
    assert image("me.png", "-o", "out.png")[0] == 0
    assert "icc_profile" not in read(place / "out.png").info


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_an_animated_picture_says_so(image, place, kind):
    still = Pillow.fromarray(IMAGE[..., ::-1])
    other = Pillow.fromarray(IMAGE[:, ::-1, ::-1])
    still.save(place / f"me.{kind}", save_all=True, append_images=[other], duration=100)
    result = image(f"me.{kind}", "-o", "out.png")
    assert (result[0], "animated; only its first picture is used" in str(result[1:])) == (0, True)


def test_a_background_keeps_its_colours_beside_a_photo_of_another_profile(image, place):
    """The profile here has the greens and reds of sRGB in each other's place."""
    swapped = bytearray(SRGB)
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 1], swapped[green : green + 1] = b"g", b"r"
    source = photo(place / "me.png", icc_profile=bytes(swapped))
    assert image(source, "-o", "o.png", "-b", "#00b140")[0] == 0
    result = read("o.png")
    assert "icc_profile" not in result.info
    pixels = np.asarray(result)
    assert (pixels[OUTSIDE] == (0, 0xB1, 0x40)).all()
    person = PERSON[::-1]
    assert np.abs(pixels[INSIDE].astype(int) - (person[1], person[0], person[2])).max() < 8


def test_a_tiffs_own_tags_do_not_follow(image, place):
    """In TIFF camera data and the layout of the pixels are tags alike."""
    source = Pillow.fromarray(np.repeat(np.repeat(IMAGE[..., ::-1], 2, 0), 2, 1))
    tags = {271: "Brownie", 700: b"<x:xmpmeta>the room</x:xmpmeta>"}
    source.save("me.tif", compression="tiff_adobe_deflate", tiffinfo=tags)
    for name, over in (("o.png", ()), ("o.tiff", ()), ("o.jpg", ("-b", "white"))):
        assert image("me.tif", "-o", name, "--keep-exif", *over)[0] == 0
        assert read(name).size == source.size
        assert read(name).getexif()[MAKE] == "Brownie"
        assert b"the room" not in (place / name).read_bytes()
    assert {258, 273, 279}.isdisjoint(read("o.png").getexif())


def test_deep_png_keeps_camera_data(image, place):
    exif = Pillow.Exif()
    exif[MAKE] = "Brownie"
    source = photo(place / "me.jpg", exif=exif, icc_profile=SRGB)
    assert image(source, "--depth", 16, "-o", "o.png", "--keep-exif")[0] == 0
    assert read("o.png").getexif()[MAKE] == "Brownie"
    assert isinstance(read("o.png"), PngImagePlugin.PngImageFile)


def test_odd_kinds_of_pixels(image, place):
    """Grey, 16 bits, palettes and CMYK become what they look like."""
    whole = Pillow.fromarray(IMAGE[..., ::-1])
    whole.convert("L").save("grey.png")
    deep = whole.convert("L").point(lambda v: v * 257, "I").convert("I;16")
    deep.save("deep.png")
    whole.quantize(16).save("palette.png")
    whole.convert("CMYK").save("cmyk.jpg", quality=95)
    whole.convert("1", dither=Pillow.Dither.NONE).save("bits.png")
    names = ["grey.png", "deep.png", "palette.png", "cmyk.jpg", "bits.png"]
    code, _, lines = image(*names, "-d", "o")
    assert code == 0, lines
    for name in names:
        alpha = alpha_of(f"o/{name.split('.')[0]}.png")
        assert (alpha[INSIDE] > 250).all(), name
        assert (alpha[OUTSIDE] < 5).all(), name


def test_numbers_that_are_no_levels_are_refused(image, place):
    Pillow.fromarray(np.full((HEIGHT, WIDTH), 0.5, np.float32)).save("float.tiff")
    code, _, lines = image("float.tiff")
    assert (code, len(lines)) == (1, 1)
    assert "float.tiff: its pixels are floating-point numbers" in lines[0]


def test_a_dark_photo_of_16_bits_stays_dark(place):
    dark = np.full((HEIGHT, WIDTH), 200, np.uint16)
    cv2.imwrite("dark.png", dark)
    assert read_photo(place / "dark.png").image.max() == 1


# Many photos


@pytest.fixture
def album(place):
    """Two photos, one in a subfolder, a hidden one, one that is damaged, and what is no photo."""
    photo(place / "album/a.jpg", quality=95)
    photo(place / "album/trip/b.gif")
    photo(place / "album/.thumbnails/a.png")
    (place / "album/trip/damaged.jpg").write_bytes((place / "album/a.jpg").read_bytes()[:700])
    (place / "album/notes.txt").write_text("no photo")
    return place / "album"


def results(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_with_a_damaged_photo(image, place, album):
    code, _, lines = image("album", "-d", "out")
    assert code == 1
    assert results(place / "out") == ["a.png", "trip/b.png"]
    assert is_cut_out(place / "out/a.png")
    assert "album/trip/damaged.jpg: cannot be read" in lines[0]
    assert lines[1:] == ["realtime-bg: 2 done in out, 1 failed"]


def test_what_is_there_is_skipped_until_overwrite(image, place, album):
    (album / "trip/damaged.jpg").unlink()
    (place / "out").mkdir()
    (place / "out/a.png").write_bytes(b"mine")
    code, _, lines = image("album", "-d", "out")
    assert (code, lines) == (
        0,
        ["realtime-bg: 1 done in out, 1 already existed (--overwrite redoes them)"],
    )
    assert (place / "out/a.png").read_bytes() == b"mine"
    code, _, lines = image("album", "-d", "out", "--overwrite")
    assert (code, lines) == (0, ["realtime-bg: 2 done in out"])
    assert is_cut_out(place / "out/a.png")


def test_a_run_that_was_interrupted_goes_on(image, place, album, monkeypatch):
    from realtime_bg.photos import batch as photos

    whole = photos.write_whole

    def interrupted(path, data):
        whole(path, data)
        os.kill(os.getpid(), 2)

    monkeypatch.setattr(photos, "write_whole", interrupted)
    code, _, lines = image("album", "-d", "out")
    assert (code, lines) == (130, ["realtime-bg: interrupted; 1 done in out"])
    assert results(place / "out") == ["a.png"]
    monkeypatch.setattr(photos, "write_whole", whole)
    code, _, lines = image("album", "-d", "out")
    assert code == 1
    assert "1 done in out, 1 already existed " in lines[-1]
    assert lines[-1].endswith(", 1 failed")


@pytest.mark.parametrize("out", ["out/", "out", "new/sub/"])
def test_an_output_that_is_a_folder_is_the_directory(image, place, album, out):
    (place / "out").mkdir()
    (album / "trip/damaged.jpg").unlink()
    folder = out.rstrip("/")
    code, _, lines = image("album/a.jpg", "-o", out)
    assert (code, lines) == (0, [f"realtime-bg: written: {folder}/a.png"])
    code, _, lines = image("album", "-o", out)
    assert code == 0
    assert lines[-1].startswith(f"realtime-bg: 1 done in {folder}, 1 already")
    assert results(place / out) == ["a.png", "trip/b.png"]
    assert refused(image("-", "-o", out), "- reads one photo")


def test_patterns(image, place, album):
    assert image("album/**/[ab].*", "-d", "out")[0] == 0
    assert results(place / "out") == ["a.png", "trip/b.png"]
    assert refused(image("album/*.heic", "-d", "out"), "album/*.heic: matches no photo")


@pytest.mark.parametrize("out", [".", "album", "album/.."])
def test_the_output_folder_may_hold_the_album(image, place, album, out):
    (album / "trip/damaged.jpg").unlink()
    assert image("album/trip", "-d", out)[0] == 0
    assert (place / out / "b.png").is_file()


def test_the_output_folder_inside_the_album_is_no_source(image, place, album):
    (album / "trip/damaged.jpg").unlink()
    assert image("album", "-d", "album/out")[0] == 0
    lines = image("album", "-d", "album/out", "--overwrite")[2]
    assert lines == ["realtime-bg: 2 done in album/out"]
    assert results(album / "out") == ["a.png", "trip/b.png"]


def test_photos_of_one_name_and_two_kinds(image, place):
    photo(place / "me.jpg")
    photo(place / "me.png")
    assert image("me.jpg", "me.png", "-d", "out")[0] == 0
    assert results(place / "out") == ["me.jpg.png", "me.png.png"]


def test_sizes_may_differ_from_photo_to_photo(image, place):
    photo(place / "a.png")
    photo(place / "b.png", cv2.resize(IMAGE, (48, 90)))
    photo(place / "c.png", cv2.resize(IMAGE, (1, 1)))
    assert image("a.png", "b.png", "c.png", "-d", "out", "-b", "blur")[0] == 0
    assert [read(f"out/{name}.png").size for name in "abc"] == [(96, 64), (48, 90), (1, 1)]


# Pipes


def test_from_pipe_to_pipe(place):
    """The real thing: a process of its own, only the picture on its standard output."""
    data = photo(place / "me.png").read_bytes()
    command = [sys.executable, "-m", "realtime_bg", "image", "-", "--engine", "grabcut"]
    result = subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    picture = read(result.stdout)
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (WIDTH, HEIGHT))
    assert sorted(place.iterdir()) == [place / "me.png"]


def test_pipes_one_side_at_a_time(image, place):
    source = photo(place / "me.png")
    code, out, lines = image(source, "-o", "-", "--format", "webp", "--quality", 100)
    assert (code, lines) == (0, [])
    assert read(out).format == "WEBP"
    code, out, _ = image("-", "-o", "o.png", given=source.read_bytes())
    assert (code, out) == (0, b"")
    assert is_cut_out("o.png")
    code, out, lines = image("-", given=b"junk")
    assert (code, out, len(lines)) == (1, b"", 1)
    assert "standard input: cannot be read (not a picture of a known format)" in lines[0]
    assert refused(image("-", source), "- reads one photo from standard input")
    assert refused(image("-", "-d", "out"), "- reads one photo from standard input")


# What cannot be


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a picture of a known format"),
        (b"junk" * 100, "not a picture of a known format"),
        (None, "truncated"),
    ],
)
def test_what_is_no_picture(image, place, data, why):
    whole = photo(place / "whole.jpg", quality=95).read_bytes()
    (place / "me.jpg").write_bytes(whole[:-200] if data is None else data)
    code, _, lines = image("me.jpg")
    assert (code, len(lines)) == (1, 1)
    assert "me.jpg: cannot be read" in lines[0]
    assert why in lines[0]
    assert not (place / "me.cutout.png").exists()


def test_a_bomb_is_not_unpacked(image, place):
    Pillow.new("1", (30_000, 10_000)).save("bomb.png")
    code, _, lines = image("bomb.png")
    assert code == 1
    assert "30000x10000 is more than 200 million pixels" in lines[0]


def test_an_unreadable_file(image, place):
    source = photo(place / "me.png")
    source.chmod(0)
    if os.access(source, os.R_OK):
        pytest.skip("root may read everything")
    code, _, lines = image(source)
    assert (code, len(lines)) == (1, 1)
    assert "Permission denied" in lines[0]


@pytest.mark.parametrize("where", [("-o", "file/o.png"), ("-d", "file/out"), ("-d", "file")])
def test_a_folder_that_cannot_be_written_ends_it_at_once(image, place, where):
    (place / "file").write_text("")
    photo(place / "album/a.png")
    photo(place / "album/b.png")
    source = "album/a.png" if where[0] == "-o" else "album"
    assert refused(image(source, *where), "cannot be written")


def test_the_photo_is_never_its_result(image, place):
    source = photo(place / "me.png")
    before = source.read_bytes()
    (place / "link.png").symlink_to(source)
    for options in (("-o", "me.png"), ("-o", "./link.png"), ("-d", ".")):
        assert refused(image("me.png", *options, "--overwrite"), "is the photo itself")
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("none.png",), "none.png: no such file"),
        (("empty", "-d", "out"), "empty: no photos in this folder"),
        (("me.png", "-o", "o.bmp"), "o.bmp: a result is called .png, .webp, .jpg or .tiff"),
        (("me.png", "-o", "o"), "o: a result is called .png"),
        (("me.png", "-o", "o.png", "--format", "webp"), "a result in webp is called"),
        (("me.png", "-o", "o.jpg"), "JPEG has no transparency"),
        (("me.png", "me.png", "-o", "o.png"), "2 photos need a folder"),
        (("me.png", "me.png", "-d", "out"), "two photos would become"),
        (("me.png", "-o", "o.png", "-d", "out"), "give one of them"),
        (("me.png", "--alpha-only", "--foreground-only"), "give one of them"),
        (("me.png", "--alpha-only", "-b", "red"), "has no background"),
        (("me.png", "--erase", "car", "--trim"), "--erase keeps the photo"),
        (("me.png", "--erase", "dragon"), "'dragon' is not a class of COCO"),
        (("me.png", "--erase", ","), "--erase"),
        (("me.png", "--depth", "12"), "--depth"),
        (("me.png", "--depth", "16", "-o", "o.webp"), "--depth 16 is for PNG"),
        (("me.png", "--depth", "16", "-b", "red"), "--depth 16 is for an alpha"),
        (("me.png", "--quality", "0"), "--quality"),
        (("me.png", "--format", "gif"), "--format"),
        (("me.png", "-b", "nosuch.jpg"), "background 'nosuch.jpg': no such file or name"),
        (("~nosuchuser/me.png",), "there is no user nosuchuser"),
        (("me.png", "-o", "~nosuchuser/o.png"), "there is no user nosuchuser"),
        (("me.png", "-o", "x" * 300 + ".png"), "File name too long"),
        ((), "Missing argument"),
    ],
)
def test_what_cannot_be_meant_is_one_line(image, place, words, why):
    photo(place / "me.png")
    (place / "empty").mkdir()
    assert refused(image(*words), why)
    assert sorted(place.iterdir()) == [place / "empty", place / "me.png"]


def test_nobody_in_the_photo(image, place):
    photo(place / "me.png", np.full_like(IMAGE, 10))
    code, _, lines = image("me.png")
    said = ["realtime-bg: me.png: no person was found", "realtime-bg: written: me.cutout.png"]
    assert (code, lines) == (0, said)
    assert (alpha_of("me.cutout.png") == 0).all()
    code, _, lines = image("me.png", "--trim", "-o", "o.png")
    assert code == 1
    assert "nothing to trim to" in lines[0]
