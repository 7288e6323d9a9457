"""The live room of the page in a real browser, with a real server and real engines."""

import base64

import numpy as np
import pytest
from helpers.browser import Page
from helpers.serving import served
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from realtime_bg.settings import load

CORNER = 0.02, 0.05  # of the picture; nobody is there


def near(colour, other, tolerance=25):
    return colour is not None and np.abs(np.subtract(colour[:3], other)).max() < tolerance


def running(page):
    page.open("live")
    page("#camera").click()
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 255, 0)))
    return page


def test_the_start_card_shows_what_a_background_gives_and_starts_the_camera(page):
    page.open("live")
    page.wait(lambda: near(page.pixel("#example", *CORNER), (0, 0, 0)))  # nothing over a colour
    assert page("#example").value_of_css_property("background-color") == "rgba(0, 255, 0, 1)"
    page.background("live", "beach").click()
    page.wait(lambda: not near(page.pixel("#example", *CORNER), (0, 0, 0)))
    page.web.patch("/api/settings", json={"background": {"current": "#00ff00"}})

    assert Select(page("#camera-choice")).first_selected_option.text.startswith("Demo")
    Select(page("#camera-size")).select_by_value("640x360")
    Select(page("#camera-rate")).select_by_value("15")
    page("#camera").click()
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 255, 0)))  # never the room
    size = "const s = document.getElementById('stream'); return [s.naturalWidth, s.naturalHeight]"
    assert page.driver.execute_script(size) == [640, 360]
    assert page.settings()["source"]["fps"] == 15
    assert not page("#start").is_displayed()

    page.wait(lambda: float(page("#fps").text) > 1)
    assert page("#engine-now").text.startswith("embedded")
    page.wait(lambda: int(page("#cpu").text.split()[0]) > 0)
    page("#stop").click()
    page.wait(lambda: page("#start").is_displayed())
    assert not page("#stream").is_displayed()
    assert page.web.get("/api/stats").json()["running"] is False


def test_backgrounds_are_chosen_added_dropped_pasted_and_deleted(page, room_file):
    running(page)
    page.background("live", "beach").click()
    page.wait(lambda: not near(page.pixel("#stream", *CORNER), (0, 255, 0), 60))
    page.wait(lambda: page.background("live", "beach").get_attribute("aria-pressed") == "true")

    page("#live .add input").send_keys(str(room_file((0, 0, 200))))
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (200, 0, 0)))

    def given(name, colour):
        data = base64.b64encode(room_file(colour, name).read_bytes()).decode()
        return [name, "image/png", data]

    page.give("#live .backgrounds", "drop", given("green.png", (0, 120, 0)))
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 120, 0)))
    page.give("#stage", "drop", given("grey.png", (90, 90, 90)))  # anywhere
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (90, 90, 90)))
    page.give("#stage", "paste", given("white.png", (250, 250, 250)))
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (250, 250, 250)))
    for left in (3, 2, 1, 0):
        page("#live .remove").click()
        page.wait(lambda left=left: len(page.all("#live .remove")) == left)

    assert page('#live [data-name$="den.png"]').text == "den.png"  # a file: its name, no picture
    assert not page('#live [data-name$="den.png"]').find_elements("tag name", "img")
    blue = page.background("live", "#0000ff")
    blue.click()
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 0, 255)))
    page.wait(lambda: blue.get_attribute("aria-pressed") == "true")
    page.set("#live .colour input", "#ff0000")
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (255, 0, 0)))


def test_the_blur_has_its_own_controls(page):
    page.open("live")
    assert not page("#live .blur").is_displayed()
    page.background("live", "blur").click()
    page.wait(lambda: page("#live .blur").is_displayed())
    page.set("#live .blur input[type=range]", 40)
    page.wait(lambda: page.settings()["background"]["current"] == "blur:40")
    assert page("#live .blur output").text == "40 px"
    page("#live .blur input[type=checkbox]").click()
    page.wait(lambda: page.settings()["background"]["current"] == "blur:40:bokeh")
    assert page.background("live", "blur").get_attribute("aria-pressed") == "true"
    page.background("live", "beach").click()
    page.wait(lambda: page.settings()["background"]["current"] == "beach")
    page.background("live", "blur").click()  # as strong as before
    page.wait(lambda: page.settings()["background"]["current"] == "blur:40:bokeh")


def drag(page, slider, value):
    """Move a slider to a value, as a pointer does that is then released."""
    page.driver.execute_script(
        "arguments[0].value = arguments[1];"
        "arguments[0].dispatchEvent(new Event('input', {bubbles: true}));"
        "arguments[0].dispatchEvent(new Event('change', {bubbles: true}))",
        slider,
        value,
    )


@pytest.mark.parametrize(
    ("name", "value", "section", "key", "shown"),
    [
        ("Edge threshold", 0.7, "refine", "threshold", "70 %"),
        ("Soft edge", 6, "refine", "feather", "6 px"),
        ("Shrink or grow", -3, "refine", "grow", "-3 px"),
        ("Light wrap", 0.4, "harmonise", "light_wrap", "40 %"),
        ("Match", 0.35, "harmonise", "match", "35 %"),
    ],
)
def test_every_slider_sets_its_value_and_shows_it(page, name, value, section, key, shown):
    page.open("live")
    slider = page.slider("live", name)
    before = page.settings()[section][key]
    drag(page, slider, value)
    page.wait(lambda: page.settings()[section][key] == value)
    assert slider.get_attribute("aria-valuetext") == shown
    page("#undo").click()
    page.wait(lambda: page.settings()[section][key] == before)
    page.wait(lambda: float(slider.get_attribute("value")) == before)
    assert not page("#undo").is_enabled()


def test_the_light_has_a_switch_and_sliders_while_it_is_on(page):
    page.open("live")

    def visible():
        return {part.is_displayed() for part in page.all("#live-light .slider")}

    page.wait(lambda: visible() == {False})
    page("#live-light button").click()
    page.wait(lambda: page.settings()["light"]["active"])
    page.wait(lambda: visible() == {True})
    assert page("#live-light button").get_attribute("aria-pressed") == "true"
    for name, value, key, shown in (
        ("Less noise", 0.8, "denoise", "80 %"),
        ("Lamp from", 90, "angle", "right"),
        ("Lamp's colour", 3200, "warmth", "3200 K"),
    ):
        slider = page.slider("live", name)
        drag(page, slider, value)
        page.wait(lambda key=key, value=value: page.settings()["light"][key] == value)
        assert slider.get_attribute("aria-valuetext") == shown
    for _ in range(4):
        page("#undo").click()
    page.wait(lambda: page.settings()["light"] == load().light.model_dump(mode="json"))
    page.wait(lambda: visible() == {False})


def test_framing_is_chosen_and_shows_the_sliders_that_belong_to_it(page):
    page.open("live")
    choice = "#live-framing label:nth-of-type(2) select"

    def visible():
        return [part.is_displayed() for part in page.all("#live-framing .slider")]

    page.wait(lambda: visible() == [False] * 3)
    for mode, shown in (("auto", [True, False, False]), ("fixed", [True] * 3)):
        page.set(choice, mode)
        page.wait(lambda mode=mode: page.settings()["frame"]["mode"] == mode)
        page.wait(lambda shown=shown: visible() == shown)
    page("#live-framing button").click()
    page.wait(lambda: page.settings()["frame"]["portrait"])
    for _ in range(3):
        page("#undo").click()
    page.wait(
        lambda: (
            page.settings()["frame"]
            == {"mode": "off", "portrait": False, "x": 0.5, "y": 0.5, "zoom": 2.0}
        )
    )


def test_a_click_into_the_picture_picks_a_person_only_when_people_are_picked(page):
    page.open("live")
    page.set("#live-framing select", "pick")
    page.wait(lambda: page.settings()["subject"]["mode"] == "pick")
    at = {"x": 0.25, "y": 0.5}
    assert page.web.post("/api/click", json=at).json()["subject"]["picks"] == 1
    assert page.settings()["subject"]["point"] == [0.25, 0.5]
    assert page.web.post("/api/click", json={"x": 2, "y": 0}).status_code == 422
    page.set("#live-framing select", "all")
    page.wait(lambda: page.settings()["subject"]["mode"] == "all")
    assert page.web.post("/api/click", json=at).json()["subject"]["picks"] == 1


def test_a_drag_is_undone_at_once_and_reset_goes_back(page):
    page.open("live")
    slider = page.slider("live", "Soft edge")
    for _ in range(4):  # while it is being moved
        slider.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: page.settings()["refine"]["feather"] == 4)
    page("#live-look .small").click()
    page.wait(lambda: page.settings()["refine"]["feather"] == 0)
    page("body").send_keys(Keys.CONTROL, "z")
    page.wait(lambda: page.settings()["refine"]["feather"] == 4)


def test_switches_and_shortcuts_survive_a_click_on_a_button(page):
    running(page)
    mirror = page.switch("output.mirror")
    mirror.click()
    page.wait(lambda: page.settings()["output"]["mirror"])
    page.wait(lambda: mirror.get_attribute("aria-pressed") == "true")
    body = page.driver.switch_to.active_element
    body.send_keys("m")  # where the focus is after the click
    page.wait(lambda: not page.settings()["output"]["mirror"])
    page.driver.switch_to.active_element.send_keys(" ")  # not the button once more
    page.wait(lambda: page.settings()["paused"])
    assert page.settings()["output"]["mirror"] is False
    page.wait(lambda: page("#badge-paused").is_displayed())
    page.driver.switch_to.active_element.send_keys(" ")
    page.wait(lambda: not page.settings()["paused"])

    page.driver.switch_to.active_element.send_keys("u")
    page.wait(lambda: page.settings()["background"]["current"] == "blur")
    page("#preset-name").send_keys("x")  # typing is no shortcut
    assert page.settings()["background"]["current"] == "blur"
    page("#shortcuts summary").click()
    rows = {row.text.split("\n")[0] for row in page.all("#keys div")}
    assert {"b", "space", "m", "["} <= rows


def test_comparing_keeps_a_finished_picture_beside_the_new_one(page):
    running(page)
    page("#compare").click()
    page.background("live", "#0000ff").click()
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 0, 255)))
    assert near(page.pixel("#kept", *CORNER), (0, 255, 0))  # the composite before, not the room
    clip = page("#kept").value_of_css_property("clip-path")
    page("#divider").send_keys(Keys.HOME)
    assert page("#divider").get_attribute("aria-valuetext") == "0 percent"
    assert page("#kept").value_of_css_property("clip-path") != clip
    page("#compare").click()
    assert not page("#kept").is_displayed()


def test_presets_are_saved_applied_and_deleted(page):
    page.open("live")
    page.web.patch(
        "/api/settings", json={"refine": {"feather": 7}, "background": {"current": "office"}}
    )
    page("#preset-name").send_keys("In a call")
    page("#save-preset button").click()
    page.wait(lambda: [button.text for button in page.all("#presets .preset")] == ["In a call"])
    assert load(page.web.config).presets[0].values["refine.feather"] == 7

    page.web.patch("/api/settings", json={"refine": {"feather": 1}, "output": {"mirror": True}})
    page.wait(lambda: page.switch("output.mirror").get_attribute("aria-pressed") == "true")
    page("#presets .preset").click()
    page.wait(lambda: page.settings()["refine"]["feather"] == 7)
    assert page.settings()["background"]["current"] == "office"
    assert page.settings()["output"]["mirror"] is False  # which the preset does not have
    page.wait(lambda: page("#presets .preset").get_attribute("aria-pressed") == "true")
    page("#undo").click()
    page.wait(lambda: page.settings()["refine"]["feather"] == 1)
    assert page.settings()["output"]["mirror"] is True

    page.wait(lambda: page("#presets .preset").get_attribute("aria-pressed") == "false")
    page("body").send_keys(Keys.F1)
    page.wait(lambda: page.settings()["refine"]["feather"] == 7)

    page('#presets [aria-label^="Delete"]').click()
    page.driver.switch_to.alert.accept()
    page.wait(lambda: not page.all("#presets .preset"))
    assert load(page.web.config).presets == ()


def test_undo_brings_back_all_that_a_preset_has_changed(page, room_file):
    live = page.web.context.picture.live
    before, logo = live.now, str(room_file((0, 0, 200), "logo.png"))
    bare = {"layers.items": [], "layers.shown": False, "background.current": "beach"}
    changes = {
        "presets": [{"name": "Bare", "values": bare}],
        "layers.items": [{"name": "Logo", "file": logo}, {"name": "Ada", "text": "Ada"}],
        "background.current": str(room_file((0, 200, 0))),  # not in the list of backgrounds
        "subject.mode": "main",
        "frame.portrait": True,
        "engine.work_size": "320x180",
        "harmonise.match": 0.5,
    }
    live.modify(lambda _: changes)
    kept = live.now
    try:
        page.open("live")
        page("#layers-panel summary").click()
        page.wait(lambda: len(page.all("#layers fieldset")) == 2)
        page("#presets .preset").click()
        page.wait(lambda: not page.all("#layers fieldset"))
        assert (live.now.subject.mode, live.now.frame.portrait) == ("all", False)
        page.wait(lambda: page("#undo").is_enabled())
        page("#undo").click()
        page.wait(lambda: len(page.all("#layers fieldset")) == 2)
        assert live.now == kept
        assert not page("#undo").is_enabled()
    finally:
        live.modify(lambda _: before.model_dump())


def test_layers_are_added_changed_and_removed(page):
    page.open("live")

    def layers():
        return page.settings()["layers"]["items"]

    page("#layers-panel summary").click()
    page("#layer-text").send_keys("Ada {time}")
    page("#add-layer button").click()
    page.wait(lambda: [item["text"] for item in layers()] == ["Ada {time}"])
    page.wait(lambda: page.all("#layers fieldset"))
    page("#layers fieldset input").send_keys(Keys.END)
    page.wait(lambda: layers()[0]["position"][0] == 1)
    page("#layers fieldset button").click()
    page.wait(lambda: not layers()[0]["shown"])
    page("#undo").click()
    page.wait(lambda: layers()[0]["shown"])
    page('#layers [aria-label^="Remove"]').click()
    page.wait(lambda: not layers())
    page.wait(lambda: not page.all("#layers fieldset"))


def test_a_refusal_shows_its_cause_and_the_command_that_mends_it(page, monkeypatch, tmp_path):
    running(page)
    page.switch("output.virtualcam").click()
    message = page.wait(lambda: page.text("#message p"))
    assert message.startswith("The virtual camera: ")
    commands = [code.text for code in page.all("#message code")]
    assert commands, message
    assert all(command.split()[0] in ("sudo", "systemctl", "realtime-bg") for command in commands)
    page.wait(lambda: page.switch("output.virtualcam").get_attribute("aria-pressed") == "false")
    page.switch("output.mirror").click()  # what works says nothing of what does not
    page.wait(lambda: page.settings()["output"]["mirror"])
    assert page("#message").is_displayed()
    page("#message > button").click()
    assert not page("#message").is_displayed()
    page.switch("output.virtualcam").click()  # once more
    page.wait(lambda: page.text("#message p").startswith("The virtual camera: "))


def test_the_recording_shows_its_time(page, monkeypatch, tmp_path):
    page.web.context.picture.live.update(output__folder=tmp_path)
    running(page)
    page.switch("output.record").click()
    page.wait(lambda: page("#badge-record").text.startswith("recording 0:0"))
    page.wait(lambda: page("#badge-record").text == "recording 0:01")
    assert page("#record").text == "Stop recording"
    page("#stop").click()  # the camera, and with it the recording
    page.wait(lambda: page("#start").is_displayed())
    (file,) = tmp_path.glob("*.mp4")
    page.wait(lambda: page("#live-status").text == f"Recorded {file}")
    page("#camera").click()
    page.wait(lambda: near(page.pixel("#stream", *CORNER), (0, 255, 0)))
    assert page.settings()["output"]["record"] is False  # no other one begins unasked


def test_the_statistics_are_folded_and_have_axes(page):
    running(page)
    assert not page("#plot").is_displayed()
    page("#statistics summary").click()
    page.wait(lambda: page("#fps-line").get_attribute("points").count(",") >= 2)
    texts = "return [...document.querySelectorAll('#plot text')].map((one) => one.textContent)"
    labels = set(page.driver.execute_script(texts))
    assert {"0", "0 ms", "60 s ago", "now"} <= labels
    # frames per second, by how fast the machine is
    assert any(label.isdigit() and int(label) >= 30 for label in labels)
    page.wait(lambda: "network" in page("#stages").text)


def test_other_programs_changes_are_shown(page):
    page.open("live")
    page.web.patch("/api/settings", json={"engine": {"name": "kmeans"}})
    page.wait(lambda: page("#live-engine").get_attribute("value") == "kmeans")
    Select(page("#live-engine")).select_by_value("embedded")
    page.wait(lambda: page.settings()["engine"]["name"] == "embedded")


def test_the_menu_shows_what_really_runs(page):
    running(page)
    page.web.patch("/api/settings", json={"engine": {"name": "auto"}})
    page.wait(lambda: page("#live-engine option").text == "auto (now embedded)")


def test_the_end_of_the_program_is_said(chromium, tmp_path):
    with served(tmp_path, config=tmp_path / "config.yaml") as web:
        page = Page(chromium, web).open("live")
        page("#camera").click()
        page.wait(lambda: page("#engine-now").text.startswith("embedded"))
    page.wait(lambda: "does not respond" in page.text("#message p"))
    assert page("#message code").text == "realtime-bg serve --open"
    assert page("#camera").text == "Start the camera"
    assert not page("#stream").is_displayed()
