"""The photo room of the page in a real browser."""

import base64

import cv2
import numpy as np
from helpers.browser import PHONE, Page
from helpers.serving import served
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

CORNER = 0.02, 0.05  # of the photo; nobody is there


def cut_out(page, *photos, said="Done."):
    page("#photo-file").send_keys("\n".join(map(str, photos)))
    page.wait(lambda: page("#photo-status").text == said)


def after(page, place=CORNER):
    return page.pixel("#photo .after", *place)


def test_a_photo_is_cut_out_at_once_and_compared_by_keyboard(page, photo_file, demo):
    page.open()
    assert page("#photo-hint").is_displayed()
    cut_out(page, photo_file)
    person = np.argwhere(cv2.erode(demo.alpha(45), np.ones((41, 41))) == 1)[0] / (180, 320)
    page.wait(lambda: after(page, person[::-1]))
    assert after(page, person[::-1])[3] > 240
    assert after(page) == [0, 0, 0, 0]  # nothing of the room
    assert page.pixel("#photo .before", *CORNER)[3] == 255

    divider, before = page("#photo .divider"), page("#photo .before")
    assert divider.accessible_name == "How much of the photo as it was is shown"
    clip = before.value_of_css_property("clip-path")
    divider.send_keys(Keys.HOME)
    assert divider.get_attribute("aria-valuetext") == "0 percent"
    assert before.value_of_css_property("clip-path") != clip

    link = page("#download")
    assert link.get_attribute("download") == "me-cut-out.png"
    assert link.get_attribute("href").startswith("blob:")
    page("#photo-clear").click()
    assert not page("#photo-viewer").is_displayed()
    assert page("#photo-hint").is_displayed()


def test_every_change_applies_at_once(page, photo_file, room_file):
    page.open()
    cut_out(page, photo_file)
    page.set("#photo .colour input", "#ff0000")
    page.wait(lambda: after(page) == [255, 0, 0, 255])
    page.background("photo", "studio").click()
    page.wait(lambda: after(page) not in ([255, 0, 0, 255], None))
    page("#photo .add input").send_keys(str(room_file((200, 0, 0))))
    page.wait(lambda: np.abs(np.subtract(after(page), (0, 0, 200, 255))).max() < 5)

    page.background("photo", "transparent").click()
    page.wait(lambda: after(page) == [0, 0, 0, 0])
    soft = "return arguments[0].naturalWidth ? arguments[0].src : ''"
    first = page.driver.execute_script(soft, page("#photo .after"))
    page.slider("photo", "Soft edge").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.wait(lambda: page("#photo-status").text == "Done.")
    page.wait(lambda: page("#photo .after").get_attribute("src") != first)

    Select(page("#photo-format")).select_by_visible_text("WebP")
    page.wait(lambda: page("#download").get_attribute("download") == "me-cut-out.webp")
    jpeg = page("#photo-format [value=jpg]")
    assert not jpeg.is_enabled()  # it has no transparency
    page.background("photo", "beach").click()
    page.wait(lambda: page("#download").get_attribute("download") == "me-background.webp")
    Select(page("#photo-format")).select_by_value("jpg")
    page.wait(lambda: page("#download").get_attribute("download") == "me-background.jpg")
    page.background("photo", "transparent").click()
    page.wait(lambda: page("#download").get_attribute("download") == "me-cut-out.png")
    page.web.delete(f"/api/backgrounds/{page.web.get('/api/backgrounds').json()[-1]['name']}")


def test_many_photos_each_with_its_own_error(page, photo_file, tmp_path, demo):
    (tmp_path / "notes.jpg").write_text("no picture")
    cv2.imwrite(str(tmp_path / "you.jpg"), demo.image(80))
    page.open()
    both = tmp_path / "notes.jpg", tmp_path / "you.jpg"
    cut_out(page, photo_file, *both, said="2 of 3 done, 1 failed.")
    tiles = page.all("#photos .tile")
    assert [tile.find_element("css selector", ".caption").text for tile in tiles] == [
        "me.png",
        "notes.jpg",
        "you.jpg",
    ]
    assert "cannot be read" in tiles[1].find_element("css selector", ".bad").text
    assert page("#photo-viewer").is_displayed()  # of the first one
    page.all("#photos .pick")[1].click()
    assert not page("#photo-viewer").is_displayed()  # no other result beside an error
    assert not page("#download").is_displayed()
    page.all("#photos .pick")[2].click()
    page.wait(lambda: page("#download").get_attribute("download") == "you-cut-out.png")
    page.all("#photos .remove")[1].click()
    page.wait(lambda: page("#download-all").is_displayed())
    assert len(page.all("#photos .tile")) == 2


def test_photos_are_dropped_and_pasted_anywhere_and_there_is_a_sample(page, photo_file):
    data = base64.b64encode(photo_file.read_bytes()).decode()
    page.open()
    page.give("footer", "drop", ["dropped.png", "image/png", data])
    page.wait(lambda: page("#photo-status").text == "Done.")
    page.give("#photo h2", "paste", ["pasted.png", "image/png", data])
    page.wait(lambda: len(page.all("#photos .tile")) == 2)
    page.give("footer", "drop", ["talk.mp4", "video/mp4", data])
    page.wait(lambda: "no picture" in page("#message").text)
    page("#photo-clear").click()
    page("#sample").click()
    page.wait(lambda: page("#photo-status").text == "Done.")
    assert after(page)[3] == 0
    assert page("#download").get_attribute("download") == "sample-cut-out.png"


def test_zoom(page, photo_file):
    page.open()
    cut_out(page, photo_file)
    width = page("#photo .sheet").size["width"]
    page('#photo [aria-label="Zoom in"]').click()
    page('#photo [aria-label="Zoom in"]').click()
    assert page("#photo .zoom output").text == "2x"
    assert abs(page("#photo .sheet").size["width"] - 2 * width) < 3
    page('#photo [aria-label="Zoom out"]').click()
    assert page("#photo .zoom output").text == "1.5x"


def test_the_result_is_in_view_on_a_phone(page, photo_file):
    with page.sized(PHONE):
        page.open()
        cut_out(page, photo_file)
        page.wait(lambda: after(page))
        box = page.driver.execute_script(
            "const b = document.querySelector('#photo .sheet').getBoundingClientRect();"
            "return [b.top, b.bottom, innerHeight]"
        )
        assert 0 <= box[0] < box[1] <= box[2]


def test_photos_take_the_engine_the_program_was_started_with(chromium, tmp_path, photo_file):
    with served(tmp_path, {"engine.name": "threshold"}) as web:
        desk = web.context.photos
        page = Page(chromium, web).open()
        page("#photo-file").send_keys(str(photo_file))
        page.wait(lambda: desk._open)
        assert list(desk._open) == ["threshold"]
