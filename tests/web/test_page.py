"""The web page in a real browser: headless Chromium, a real server, real engines."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.waiting import until

pytest.importorskip("fastapi")

import av
from helpers.serving import TOKEN, served
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.web.limits import Limits

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

# What the user sees of an <img> at a place (shares of its width and height), as [r, g, b, a].
PIXEL = """
const image = document.getElementById(arguments[0]), canvas = document.createElement("canvas");
if (!image.naturalWidth) return null;
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
const context = canvas.getContext("2d");
context.drawImage(image, 0, 0);
const [x, y] = [arguments[1] * (canvas.width - 1), arguments[2] * (canvas.height - 1)];
return [...context.getImageData(x, y, 1, 1).data];
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    den = tmp_path_factory.mktemp("mine") / "den.png"
    cv2.imwrite(str(den), np.zeros((36, 64, 3), np.uint8))
    flags = {"background.items": ("blur", "beach", "#0000ff", str(den))}
    with served(tmp_path_factory.mktemp("gallery"), flags, limits=Limits(backgrounds=4)) as client:
        yield client


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "no-first-run",
        "window-size=1280,900",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The page as its user sees it."""

    def __init__(self, driver, web):
        self.driver, self.web = driver, web

    def open(self, tab="photo"):
        self.driver.get(f"{self.web.base}/?token={TOKEN}")
        self.driver.get(f"{self.web.base}/?{tab}#{tab}")  # the query: it must load afresh
        self.wait(lambda: self("body").get_attribute("data-ready"))
        return self

    def __call__(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, question):
        return until(question, lambda: f"nothing came of it; the page says: {self('main').text}")

    def pixel(self, image, x, y):
        return self.driver.execute_script(PIXEL, image, x, y)

    def key(self, name):
        """The button of a key."""
        return self(f'#keys [data-key="{name}"]')


@pytest.fixture
def page(chromium, web):
    yield Page(chromium, web)
    chromium.get("about:blank")
    web.post("/api/live", json={"on": False})


@pytest.fixture(scope="module")
def demo():
    return DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)


@pytest.fixture(scope="module")
def photo(demo, tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "me.png"
    cv2.imwrite(str(path), demo.image(45))
    return path


def cut_out(page, photo):
    page("#photo-file").send_keys(str(photo))
    page("#photo-form [type=submit]").click()
    page.wait(lambda: page("#photo-status").text == "Done.")


def test_a_photo_is_cut_out_and_compared_by_keyboard(page, photo, demo):
    page.open()
    assert not page("#photo-form [type=submit]").is_enabled()
    cut_out(page, photo)
    person = np.argwhere(cv2.erode(demo.alpha(45), np.ones((41, 41))) == 1)[0] / (180, 320)
    assert page.pixel("after", person[1], person[0])[3] > 240
    assert page.pixel("after", 0.02, 0.05) == [0, 0, 0, 0]  # nothing of the room
    assert page.pixel("before", 0.02, 0.05)[3] == 255

    slider, before = page("#slider"), page("#before")
    assert slider.accessible_name == "How much of the photo as it was is shown"
    clip = before.value_of_css_property("clip-path")
    slider.send_keys(Keys.HOME)
    assert slider.get_attribute("aria-valuetext") == "0 percent"
    assert before.value_of_css_property("clip-path") != clip
    slider.send_keys(*[Keys.ARROW_RIGHT] * 3)
    assert slider.get_attribute("aria-valuetext") == "3 percent"

    link = page("#download")
    assert link.get_attribute("download") == "me-cut-out.png"
    assert link.get_attribute("href").startswith("blob:")
    page("#photo-form [type=reset]").click()
    assert not page("#compare").is_displayed()
    assert page("#photo-hint").is_displayed()


def test_a_photo_gets_a_colour_a_room_and_a_picture(page, photo, tmp_path):
    page.open()
    colour = page('#photo input[type="color"]')
    pick = "arguments[0].value = '#ff0000'; arguments[0].dispatchEvent(new Event('input'))"
    page.driver.execute_script(pick, colour)
    cut_out(page, photo)
    assert page.pixel("after", 0.02, 0.05) == [255, 0, 0, 255]

    Select(page("#photo select[aria-label]")).select_by_visible_text("studio")
    page("#photo-form [type=submit]").click()
    page.wait(lambda: page.pixel("after", 0.02, 0.05) != [255, 0, 0, 255])

    cv2.imwrite(str(tmp_path / "room.png"), np.full((36, 64, 3), (200, 0, 0), np.uint8))
    page('#photo .choice input[type="file"]').send_keys(str(tmp_path / "room.png"))
    page("#photo-form [type=submit]").click()
    page.wait(lambda: page.pixel("after", 0.02, 0.05) == [0, 0, 200, 255])


def test_what_cannot_be_read_is_said_and_the_page_goes_on(page, photo, tmp_path):
    page.open()
    (tmp_path / "notes.jpg").write_text("no picture")
    page("#photo-file").send_keys(str(tmp_path / "notes.jpg"))
    page("#photo-form [type=submit]").click()
    message = page.wait(lambda: page("#message").text)
    assert "cannot be read" in message
    assert page("#message").aria_role == "alert"
    cut_out(page, photo)
    assert not page("#message").is_displayed()


def test_a_video_is_converted_and_can_be_fetched(page, demo, tmp_path):
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        video = container.add_stream("h264", rate=10, width=320, height=180, pix_fmt="yuv420p")
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(demo.image(index * 3), format="bgr24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    page.open("video")
    page("#video-file").send_keys(str(clip))
    page("#video-form [type=submit]").click()
    link = page.wait(lambda: page.all("#jobs a"))[0]
    assert link.get_attribute("download") == "result.webm"
    (tmp_path / "result.webm").write_bytes(
        page.web.get(link.get_attribute("href").removeprefix(page.web.base)).content
    )
    with av.open(str(tmp_path / "result.webm")) as container:
        assert len(list(container.decode(video=0))) == 6
    page("#jobs button").click()
    page.wait(lambda: not page.all("#jobs li"))


def test_the_live_picture_follows_the_buttons_keys_and_gallery(page, tmp_path):
    page.open("live")
    assert page("#screen-text").text == "The camera is off."
    page("#camera").click()
    green = page.wait(lambda: page.pixel("stream", 0.02, 0.05))
    assert np.abs(np.subtract(green, (0, 255, 0, 255))).max() < 20  # never the room
    assert page("#camera").get_attribute("aria-pressed") == "true"

    page("#gallery [data-name=beach]").click()
    page.wait(lambda: np.abs(np.subtract(page.pixel("stream", 0.02, 0.05), green)).max() > 60)
    page.wait(lambda: page("#gallery [data-name=beach]").get_attribute("aria-pressed") == "true")

    cv2.imwrite(str(tmp_path / "room.png"), np.full((36, 64, 3), (0, 0, 200), np.uint8))
    page("#add-background").send_keys(str(tmp_path / "room.png"))
    page.wait(
        lambda: np.abs(np.subtract(page.pixel("stream", 0.02, 0.05), (200, 0, 0, 255))).max() < 25
    )
    page("#gallery .remove").click()
    page.wait(lambda: not page.all("#gallery .remove"))

    assert page('#gallery [data-name$="den.png"]').text == "den.png"
    blue = page('#gallery [data-name="#0000ff"]')
    assert "0, 0, 255" in blue.find_element(By.CLASS_NAME, "sample").value_of_css_property(
        "background-color"
    )
    blue.click()
    page.wait(
        lambda: np.abs(np.subtract(page.pixel("stream", 0.02, 0.05), (0, 0, 255, 255))).max() < 25
    )
    page.wait(lambda: blue.get_attribute("aria-pressed") == "true")

    page.key("m").click()
    page.wait(lambda: page.web.get("/api/settings").json()["output"]["mirror"])
    page.wait(lambda: page.key("m").get_attribute("aria-pressed") == "true")
    page.driver.execute_script("document.activeElement.blur()")
    page("body").send_keys("m")
    page.wait(lambda: not page.web.get("/api/settings").json()["output"]["mirror"])

    page.wait(lambda: float(page("#fps").text) > 1)
    assert page("#engine-now").text.startswith("embedded")
    assert page("#fps-line").get_attribute("points").count(",") >= 2
    page("#camera").click()
    page.wait(lambda: page("#screen-text").text == "The camera is off.")
    assert not page("#stream").is_displayed()
    assert page.web.get("/api/stats").json()["running"] is False


def test_other_programs_changes_are_shown(page):
    page.open("live")
    page.web.patch("/api/settings", json={"engine": {"name": "kmeans"}})
    page.wait(lambda: page("#live-engine").get_attribute("value") == "kmeans")
    Select(page("#live-engine")).select_by_visible_text("embedded")
    page.wait(lambda: page.web.get("/api/settings").json()["engine"]["name"] == "embedded")


def test_the_end_of_the_program_is_said(chromium, tmp_path):
    with served(tmp_path) as web:
        page = Page(chromium, web).open("live")
        page("#camera").click()
        page.wait(lambda: page("#engine-now").text.startswith("embedded"))
    page.wait(lambda: "does not respond" in page("#screen-text").text)
    assert page("#camera").text == "Start the camera"
    assert not page("#stream").is_displayed()


def test_photos_take_the_engine_the_program_was_started_with(chromium, tmp_path, photo):
    with served(tmp_path, {"engine.name": "threshold"}) as web:
        desk = web.context.photos
        page = Page(chromium, web).open()
        page("#photo input[type=file]").send_keys(str(photo))
        page("#photo [type=submit]").click()
        page.wait(lambda: desk._open)
        assert list(desk._open) == ["threshold"]


def test_tabs_work_by_keyboard_and_everything_has_a_name(page):
    page.open()
    page("#tab-photo").send_keys(Keys.ARROW_RIGHT)
    assert page("#tab-video").get_attribute("aria-selected") == "true"
    assert page.driver.switch_to.active_element == page("#tab-video")
    for tab in ("photo", "video", "live"):
        page(f"#tab-{tab}").click()
        assert page(f"#{tab}").is_displayed()
        for control in page.all(f"#{tab} button, #{tab} input, #{tab} select, #{tab} a"):
            if control.is_displayed():
                assert control.accessible_name, control.get_attribute("outerHTML")


@pytest.mark.parametrize("tab", ["photo", "video", "live"])
def test_it_fits_a_phone(page, tab):
    page.driver.set_window_size(500, 900)  # the narrowest window there is
    try:
        page.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True},
        )
        page.open(tab)
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= 360
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.set_window_size(1280, 900)


def test_dark_and_light(page):
    def shade(scheme):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        colour = page("body").value_of_css_property("background-color")
        return sum(int(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3])

    page.open()
    assert shade("dark") < 150
    assert shade("light") > 600


def test_without_the_token_there_is_nothing(page):
    page.open()
    page.driver.delete_all_cookies()
    page.driver.get(f"{page.web.base}/")
    assert "token" in page("body").text
    assert not page.all("#photo-form")


def test_the_console_stays_clean(page, photo):
    page.driver.get_log("browser")
    page.open()
    cut_out(page, photo)
    page("#tab-live").click()
    page("#camera").click()
    page.wait(lambda: page.pixel("stream", 0.5, 0.5))
    page("#camera").click()
    page.wait(lambda: page("#screen-text").text == "The camera is off.")
    assert page.driver.get_log("browser") == []


def test_the_page_is_in_the_package():
    import realtime_bg.web

    names = {path.name for path in (Path(realtime_bg.web.__file__).parent / "page").iterdir()}
    assert names == {"index.html", "style.css", "app.js", "icon.svg"}
