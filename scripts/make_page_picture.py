"""Take the README's screenshots of the web page: the tabs Photo and Live.

python scripts/make_page_picture.py docs/page.jpg

Needs the extra `web`, selenium, and Chromium with its driver.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from realtime_bg.frames import Image
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource

MOMENT = 45  # index of the demo's frame
WINDOW = 1180, 880
FULL_GRAPH = 12  # seconds until the graph is full


@contextmanager
def server() -> Iterator[str]:
    """Run a server with the demo as its camera, and yield its address including the token."""
    command = [
        str(Path(sys.executable).with_name("realtime-bg")),
        "serve",
        "--port",
        "0",
        "--offline",
        "--source",
        "demo",
        "--engine",
        "embedded",
        "--background",
        "beach",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def shots(address: str, photo: Path) -> Iterator[bytes]:
    """Yield PNG screenshots of the tabs Photo and Live."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "headless",
        "no-sandbox",
        "hide-scrollbars",
        f"window-size={WINDOW[0]},{WINDOW[1]}",
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(address)
        driver.find_element(By.ID, "photo-file").send_keys(str(photo))
        driver.find_element(By.CSS_SELECTOR, "#photo-form [type=submit]").click()
        status = driver.find_element(By.ID, "photo-status")
        WebDriverWait(driver, 30).until(lambda _: status.text == "Done.")
        driver.execute_script("scrollTo(0, 0)")
        yield driver.get_screenshot_as_png()
        driver.find_element(By.ID, "tab-live").click()
        driver.find_element(By.ID, "camera").click()
        time.sleep(FULL_GRAPH)
        yield driver.get_screenshot_as_png()
    finally:
        driver.quit()


def decoded(png: bytes) -> Image:
    image: Image | None = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    demo = DemoSource("", SourceSettings(spec="demo", size=(1280, 720)), False)
    with tempfile.TemporaryDirectory() as folder, server() as address:
        photo = Path(folder) / "me.jpg"
        cv2.imwrite(str(photo), demo.image(MOMENT))
        both = [decoded(png) for png in shots(address, photo)]
    cv2.imwrite(str(output), np.hstack(both), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
