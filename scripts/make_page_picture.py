"""Take the pictures of the web page in the documentation: its three rooms, wide and on a phone,
light and dark, with the demo as camera, photo and video.

python scripts/make_page_picture.py docs/page

Needs the extra `web`, selenium, and Chromium with its driver.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource

SIZES = {"1280": (1280, 800), "390": (390, 844)}
SCHEMES = "light", "dark"
ROOMS = "live", "photo", "video"
SECONDS = 60.0
QUALITY = 82
FRAMES = 150  # of the video
FULL_PLOT = 60  # half seconds of statistics until a picture is taken


@contextmanager
def server() -> Iterator[str]:
    """Run a server with the demo as its camera, and yield its address including the token."""
    command = [
        str(Path(sys.executable).with_name("realtime-bg")),
        *("serve", "--port", "0", "--offline", "--source", "demo"),
        *("--engine", "embedded", "--background", "beach"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Browser:
    """Chromium with the page."""

    def __init__(self, address: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in ("headless", "no-sandbox", "hide-scrollbars"):
            options.add_argument(f"--{argument}")
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options, service)
        self.show(SIZES["1280"], SCHEMES[0])
        self.driver.get(address)
        self.wait(lambda: self.find("body").get_attribute("data-ready"))

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, question: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, SECONDS, 0.1).until(lambda _: question())

    def show(self, size: tuple[int, int], scheme: str) -> None:
        """Set the size of the page in pixels, and light or dark."""
        shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        metrics = shape | {"mobile": size[0] < 600}
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        media = {"features": [{"name": name, "value": features[name]} for name in features]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def picture(self, path: Path) -> None:
        """Save what is shown as JPEG."""
        self.driver.execute_script("scrollTo(0, 0)")
        self.wait(
            lambda: self.driver.execute_script(
                "return [...document.images].every((one) => one.offsetParent === null"
                " || !one.getAttribute('src') || one.naturalWidth"
                " || one.getBoundingClientRect().top > innerHeight)"
            )
        )
        png = np.frombuffer(self.driver.get_screenshot_as_png(), np.uint8)
        image = cv2.imdecode(png, cv2.IMREAD_COLOR)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def prepare(browser: Browser, photo: Path, clip: Path) -> None:
    """Bring every room to where something can be seen."""
    browser.find("#tab-video").click()
    browser.find('#video [data-name="office"]').click()
    browser.find("#video-file").send_keys(str(clip))
    browser.find("#convert").click()
    browser.wait(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "#jobs a.main"))
    browser.find("#tab-photo").click()
    browser.find("#photo-file").send_keys(str(photo))
    browser.find('#photo [data-name="studio"]').click()
    browser.wait(lambda: browser.find("#photo-status").text == "Done.")
    browser.find("#tab-live").click()
    browser.find("#preset-name").send_keys("In a call")
    browser.find("#camera").click()
    browser.find("#statistics summary").click()
    points = "return document.querySelector('#fps-line')?.getAttribute('points').split(' ').length"
    browser.wait(lambda: (browser.driver.execute_script(points) or 0) > FULL_PLOT)


def make_files(folder: Path) -> tuple[Path, Path]:
    """A photo and a video of the demo."""
    demo = DemoSource("", SourceSettings(spec="demo", size=(1280, 720)), False)
    photo, clip = folder / "me.jpg", folder / "talk.mp4"
    cv2.imwrite(str(photo), demo.image(45))
    with av.open(str(clip), "w") as container:
        video = container.add_stream("h264", rate=30, width=1280, height=720, pix_fmt="yuv420p")
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(demo.image(index), format="bgr24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return photo, clip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="folder for the pictures")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, server() as address:
        browser = Browser(address)
        try:
            prepare(browser, *make_files(Path(folder)))
            for room in ROOMS:
                browser.show(SIZES["1280"], "light")
                browser.find(f"#tab-{room}").click()
                for width, size in SIZES.items():
                    for scheme in SCHEMES:
                        browser.show(size, scheme)
                        browser.picture(output / f"{room}-{width}-{scheme}.jpg")
        finally:
            browser.driver.quit()


if __name__ == "__main__":
    main()
