"""Headless Chromium for the tests of the web page, and the page as its user sees it."""

import contextlib
import shutil

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By

from helpers.serving import TOKEN
from helpers.waiting import until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "" if CHROMIUM and DRIVER else "needs chromium and chromedriver"
DESKTOP, PHONE = (1280, 900), (390, 844)

# What the user sees of an <img> or <canvas> at a place (shares of its size), as [r, g, b, a].
PIXEL = """
const image = arguments[0], canvas = document.createElement("canvas");
const width = image.naturalWidth ?? image.width, height = image.naturalHeight ?? image.height;
if (!width) return null;
[canvas.width, canvas.height] = [width, height];
const context = canvas.getContext("2d");
context.drawImage(image, 0, 0);
const [x, y] = [arguments[1] * (width - 1), arguments[2] * (height - 1)];
return [...context.getImageData(x, y, 1, 1).data];
"""

# Sets the value of a slider, a colour or a text as the user does, who moves it and lets it go.
SET = """
const [element, value] = arguments;
element.value = value;
for (const kind of ["input", "change"]) element.dispatchEvent(new Event(kind, { bubbles: true }));
"""

# Drops or pastes files, given as [[name, type, base64], ...], on an element.
GIVE = """
const [element, kind, files] = arguments, data = new DataTransfer();
for (const [name, type, text] of files) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], name, { type }));
}
const event = kind === "paste"
  ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
  : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
element.dispatchEvent(event);
"""


@contextlib.contextmanager
def chromium_with(profile):
    """Run Chromium with a profile folder."""
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
        "window-size={},{}".format(*DESKTOP),
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page of a server (see `helpers.serving`)."""

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
        """Wait for an answer; a part that is not there yet, or no longer, is none."""

        def answer():
            try:
                return question()
            except (NoSuchElementException, StaleElementReferenceException):
                return None

        return until(answer, lambda: f"nothing came of it; the page says: {self('body').text}")

    def text(self, selector):
        """The text of what there is, or an empty text."""
        ask = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return self.driver.execute_script(ask, selector)

    def pixel(self, selector, x, y):
        return self.driver.execute_script(PIXEL, self(selector), x, y)

    def set(self, selector, value):
        self.driver.execute_script(SET, self(selector), value)

    def give(self, selector, kind, *files):
        self.driver.execute_script(GIVE, self(selector), kind, files)

    def slider(self, room, name):
        """The slider of this name in a room."""
        parts = self.all(f"#{room} .slider")
        part = next(part for part in parts if part.text.startswith(name))
        return part.find_element(By.TAG_NAME, "input")

    def switch(self, key):
        return self(f'.switch[data-key="{key}"]')

    def background(self, room, name):
        return self(f'#{room} .backgrounds [data-name="{name}"]')

    def settings(self):
        return self.web.get("/api/settings").json()

    @contextlib.contextmanager
    def sized(self, size, scheme="light"):
        """Show the page at a size (width, height), in a colour scheme."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        metrics["mobile"] = size[0] < 600
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
