"""What holds for the whole page: its tabs, its sizes, its colours, its limits."""

from pathlib import Path

import pytest
from helpers.browser import DESKTOP, PHONE
from selenium.webdriver.common.keys import Keys

ROOMS = ["live", "photo", "video"]
FOLDER = Path(__import__("realtime_bg.web").__file__).parent / "web" / "page"


def test_tabs_work_by_keyboard_and_everything_has_a_name(page):
    page.open("live")
    page("#tab-live").send_keys(Keys.ARROW_RIGHT)
    assert page("#tab-photo").get_attribute("aria-selected") == "true"
    assert page.driver.switch_to.active_element == page("#tab-photo")
    for room in ROOMS:
        page(f"#tab-{room}").click()
        assert page(f"#{room}").is_displayed()
        for control in page.all(f"#{room} button, #{room} input, #{room} select, #{room} a"):
            if control.is_displayed():
                assert control.accessible_name, control.get_attribute("outerHTML")


@pytest.mark.parametrize("room", ROOMS)
def test_axe_finds_nothing(page, photo_file, room):
    axe = pytest.importorskip("axe_core_python")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        with page.sized(DESKTOP, scheme):
            page.open(room)
            if room == "live":
                page("#camera").click()
                page.wait(lambda: page.pixel("#stream", 0.5, 0.5))
                page("#compare").click()
                page("#statistics summary").click()
                page("#shortcuts summary").click()
            if room == "photo":
                page("#photo-file").send_keys(str(photo_file))
                page.wait(lambda: page("#photo-status").text == "Done.")
            page.driver.execute_script(script)
            found = page.driver.execute_async_script(
                "const done = arguments[0]; axe.run().then(done, (error) => done(String(error)))"
            )
            assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
            page.web.post("/api/live", json={"on": False})


@pytest.mark.parametrize("room", ROOMS)
def test_it_fits_a_phone_with_its_main_button_in_view(page, room):
    with page.sized(PHONE):
        page.open(room)
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE[0]
        bottom = page.driver.execute_script(
            "return document.querySelector(arguments[0]).getBoundingClientRect().bottom",
            f"#{room} .main",
        )
        assert 0 < bottom <= PHONE[1]


def test_dark_and_light(page):
    def shade(scheme):
        with page.sized(DESKTOP, scheme):
            colour = page("body").value_of_css_property("background-color")
            return sum(int(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3])

    page.open()
    assert shade("dark") < 150
    assert shade("light") > 600


def test_the_footer_has_version_documentation_and_licences(page):
    page.open()
    assert page("footer").text.startswith("realtime-bg 0.")
    links = {link.text: link.get_attribute("href") for link in page.all("footer a")}
    assert links["Documentation"].startswith("https://")
    assert links["Licences"].endswith("docs/packages.md")


def test_the_console_stays_clean(page, photo_file):
    page.driver.get_log("browser")
    page.open("photo")
    page("#photo-file").send_keys(str(photo_file))
    page.wait(lambda: page("#photo-status").text == "Done.")
    page("#tab-video").click()
    page("#tab-live").click()
    page("#camera").click()
    page.wait(lambda: page.pixel("#stream", 0.5, 0.5))
    page("#stop").click()
    page.wait(lambda: page("#start").is_displayed())
    assert page.driver.get_log("browser") == []


def test_the_page_is_small_and_its_parts_are_short():
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert {"index.html", "app.js", "base.css", "icon.svg"} <= {path.name for path in files}
    assert sum(path.stat().st_size for path in files) < 150_000
    for path in files:
        if path.suffix == ".js":
            assert len(path.read_text(encoding="utf-8").splitlines()) < 200, path.name
