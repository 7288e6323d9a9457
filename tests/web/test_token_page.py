"""How somebody gets in: the page shown without a token, a token that stays, and `--open`."""

import contextlib
import os
import shlex
import stat
import subprocess
import sys
import webbrowser
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

pytest.importorskip("fastapi")

from helpers.browser import DESKTOP, Page
from helpers.serving import TOKEN, served
from helpers.waiting import until
from selenium.webdriver.common.by import By

from realtime_bg.web import browser
from realtime_bg.web.security import HEADERS

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"  # as browsers ask when they open an address


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with served(tmp_path_factory.mktemp("gallery")) as client:
        yield client


def asked(web, path="/", method="GET", **headers):
    address = f"{web.base}{path}"
    return requests.request(method, address, headers=headers, allow_redirects=False, timeout=120)


# the page without a token


@pytest.mark.parametrize("path", ["/", "/?token=old", "/nowhere", "/metrics"])
def test_a_browser_without_the_token_gets_a_page_that_helps(web, path):
    answer = asked(web, path, Accept=HTML)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == "no-store"
    for words in ("realtime-bg serve --open", "ctl status", "--token-file", "?token="):
        assert words in answer.text
    assert TOKEN not in answer.text


def test_programs_get_one_line(web):
    for accept in ("*/*", "image/png", "application/json"):
        answer = asked(web, Accept=accept)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text.startswith("realtime-bg: no valid token")
    answer = asked(web, "/api/stats", Accept=HTML)
    assert (answer.status_code, "token" in answer.json()["error"]) == (401, True)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_can_be_read_in_a_browser(web, chromium, scheme):
    chromium.get("about:blank")  # the page of another test may still ask for its server
    chromium.get_log("browser")

    def one(selector):
        (found,) = chromium.find_elements(By.CSS_SELECTOR, selector)
        return found

    with Page(chromium, web).sized(DESKTOP, scheme):
        chromium.get(f"{web.base}/")
        assert "realtime-bg" in chromium.title
        assert one("html").get_attribute("lang") == "en"
        assert one("main h1").is_displayed()
        assert "?token=" in one("main").text
        assert len(chromium.find_elements(By.CSS_SELECTOR, "main li")) == 4
        colours = [
            sum(int(part) for part in text.split("(")[1].rstrip(")").split(",")[:3])
            for text in (
                one("body").value_of_css_property("background-color"),
                one("main p").value_of_css_property("color"),
            )
        ]
        assert (colours[0] < colours[1]) == (scheme == "dark")
        assert abs(colours[0] - colours[1]) > 400
        said = [entry["message"] for entry in chromium.get_log("browser")]
        assert all("401" in text for text in said), said  # and nothing about the security policy


def test_the_whole_address_leads_from_there_to_the_page(web, chromium):
    chromium.get(f"{web.base}/")
    assert "No access" in chromium.title
    chromium.get(f"{web.base}/?token={TOKEN}")
    assert "No access" not in chromium.title
    chromium.delete_all_cookies()


# invitations


def test_an_invitation_opens_the_page_once(web):
    first, second = web.server.invite(), web.server.invite()
    assert asked(web, f"/?token={first}").status_code == 401  # replaced
    assert asked(web, "/api/stats", Authorization=f"Bearer {second}").status_code == 401
    answer = asked(web, f"/?token={second}")
    assert answer.status_code == 303
    assert answer.cookies[f"realtime_bg_token_{web.port}"] == TOKEN
    assert asked(web, f"/?token={second}").status_code == 401
    assert asked(web, "/?token=").status_code == 401
    assert asked(web).status_code == 401


# the command


@contextlib.contextmanager
def serving(*words, **environment):
    """The command `serve`: the process, and the address that it has printed."""
    command = [sys.executable, "-m", "realtime_bg", "serve", "--port", "0", "-s", "demo", "-e"]
    with subprocess.Popen(
        [*command, "threshold", *map(str, words)],
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def token_of(address):
    return parse_qs(urlsplit(address).query)["token"][0]


def test_the_address_stays_the_same_with_a_token_file(tmp_path):
    path = tmp_path / "new" / "token"
    found = []
    for _ in range(2):
        with serving("--token-file", path) as (_, address):
            assert requests.get(address, timeout=120).status_code == 200
            found.append(token_of(address))
    assert found == [path.read_text().strip()] * 2
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_of_ones_own_may_have_any_signs(tmp_path):
    path = tmp_path / "token"
    path.write_text("&#%;+=\"'[red]ABCDEFGHIJKLMN\n")
    path.chmod(0o600)
    with serving("--token-file", path) as (_, address), requests.Session() as session:
        assert session.get(address, timeout=120).status_code == 200


def test_the_token_for_metrics_must_be_another(tmp_path):
    path = tmp_path / "token"
    with serving("--token-file", path, "--metrics-token", path) as (process, _):
        _, said = process.communicate(timeout=120)
        assert process.returncode == 2
    assert len(said.splitlines()) == 1
    assert "this token opens the whole page" in said


@pytest.mark.skipif(os.name != "posix", reason="its browser is a script")
def test_the_browser_opens_the_page_without_showing_the_token_to_others(tmp_path):
    """What is on a command line can be read by every user of a computer."""
    path, script = tmp_path / "asked", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(path))}.part\n'
                      f"mv {shlex.quote(str(path))}.part {shlex.quote(str(path))}\n")  # fmt: skip
    script.chmod(0o755)
    with serving("--open", BROWSER=str(script)) as (_, printed), requests.Session() as session:
        until(path.exists)
        opened = path.read_text()
        assert urlsplit(opened).netloc == urlsplit(printed).netloc
        assert token_of(opened) != token_of(printed)
        assert session.get(opened, timeout=120).status_code == 200
        assert session.get(printed.partition("?")[0], timeout=120).status_code == 200
        assert requests.get(opened, timeout=120).status_code == 401
        assert requests.get(printed, timeout=120).status_code == 200


@pytest.mark.skipif(os.name != "posix", reason="its browser is a program of Unix")
def test_serving_goes_on_when_no_browser_can_be_opened():
    with serving("--open", BROWSER="false") as (process, address):
        assert "no browser could be opened here" in process.stderr.readline()
        assert requests.get(address, timeout=120).status_code == 200


@pytest.mark.parametrize("found", ["lynx", None])
def test_a_browser_in_the_terminal_is_not_started(monkeypatch, capsys, found):
    def get():
        if found is None:
            raise webbrowser.Error("could not locate runnable browser")
        return webbrowser.GenericBrowser("/nowhere/lynx")

    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(webbrowser, "get", get)
    browser._open("http://localhost/")
    assert "open the address yourself" in capsys.readouterr().err
