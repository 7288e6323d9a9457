"""Take the picture of a call in Chromium that shows this program's camera, for docs/.

python scripts/make_call_picture.py docs/call.jpg

Runs in a PipeWire session of its own, like the tests. Needs selenium, Chromium with its driver, and
the packages that .ci/run installs.
"""

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from selenium import webdriver

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.desktop import Desktop  # noqa: E402
from helpers.waiting import until  # noqa: E402

WINDOW = 850, 660
SECONDS = 6.0  # of the call before the picture is taken
CALL = """<!doctype html><style>
body { margin: 0; background: #1f2733; color: white; font: 16px sans-serif; text-align: center }
video { width: 800px; margin: 24px auto 12px; display: block; border-radius: 12px }
</style><video id=video muted playsinline></video><div>Camera: <b id=label></b></div>"""
JOIN = """
const done = arguments[arguments.length - 1], size = {width: 1280, height: 720};
const pause = () => new Promise(after => setTimeout(after, 1000));  // a browser that just started
const open = () => navigator.mediaDevices.getUserMedia({video: size});
open().catch(pause).then(stream => stream ?? open()).then(async stream => {
  video.srcObject = stream;
  label.textContent = stream.getVideoTracks()[0].label;
  await video.play();
  setTimeout(() => done(label.textContent), arguments[0] * 1000);
}, error => done(String(error)));
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    with Desktop() as desktop:
        words = ["--source", "demo", "--engine", "embedded", "--background", "beach"]
        program = [sys.executable, "-m", "realtime_bg", "daemon", *words, "--output", "pipewire"]
        desktop.start(*program, log="program.log")
        until(lambda: desktop.node("realtime-bg"), desktop.logs)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (
            "headless=new",
            "no-sandbox",
            "disable-gpu",
            "use-fake-ui-for-media-stream",
            "enable-features=WebRtcPipeWireCamera",
            f"window-size={WINDOW[0]},{WINDOW[1]}",
            f"user-data-dir={desktop.folder}/chromium",
        ):
            options.add_argument(f"--{argument}")
        service = webdriver.ChromeService(shutil.which("chromedriver"), env=desktop.environment)
        driver = webdriver.Chrome(options, service)
        try:
            page = desktop.folder / "call.html"
            page.write_text(CALL)
            driver.get(page.as_uri())
            driver.set_script_timeout(60)
            label = driver.execute_async_script(JOIN, SECONDS)
            picture = driver.get_screenshot_as_png()
        finally:
            driver.quit()
    if label != "realtime-bg":
        print(f"the browser opened {label}", file=sys.stderr)
        return 1
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(output), image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return 0


if __name__ == "__main__":
    sys.exit(main())
