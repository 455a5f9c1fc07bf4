"""The slider player of a chapter: from the keyboard, from a folder, and for readers who want less motion."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from browser.chromium import DESK

STATE = """
const player = document.querySelector(".ddn-player"), slider = player.querySelector("input");
return {frame: +slider.value, last: +slider.max, spoken: slider.getAttribute("aria-valuetext"),
        shown: player.querySelector("output").textContent, button: player.querySelector("button").textContent,
        picture: player.querySelector("img").src};
"""
FOCUS = "return document.activeElement.closest('.ddn-player') ? document.activeElement.localName : ''"


@pytest.fixture
def player(browser, place, copy):
    """A page with a player; the focus stands just before it."""
    page = next(page for page in place.pages if 'class="ddn-player"' in (copy / page).read_text())

    def opened(**media):
        browser.open(place / page, DESK, **media)
        browser.run("""
            const before = document.createElement("a");
            before.href = "#before";
            document.querySelector(".ddn-player").before(before);
            before.focus();""")
        return browser
    return opened


def state(browser):
    return browser.run(STATE)


def test_tab_reaches_the_button_and_then_the_slider(player):
    browser = player()
    browser.press(Keys.TAB)
    assert browser.run(FOCUS) == "button"
    browser.press(Keys.TAB)
    assert browser.run(FOCUS) == "input"
    assert browser.run("return document.activeElement.matches(':focus-visible')")


def test_arrows_show_another_frame_and_say_which(player):
    browser = player()
    browser.press(Keys.TAB, Keys.TAB)
    before = state(browser)
    browser.press(Keys.ARROW_LEFT)
    after = state(browser)
    assert after["frame"] == before["frame"] - 1
    assert after["picture"] != before["picture"] and after["shown"] != before["shown"]
    assert after["spoken"] == after["shown"]
    browser.press(Keys.HOME)
    assert state(browser)["frame"] == 0
    browser.press(Keys.END)
    assert state(browser)["frame"] == before["last"]


def test_space_plays_and_pauses(player):
    browser = player()
    browser.press(Keys.TAB, Keys.TAB, Keys.END)
    browser.run("document.querySelector('.ddn-player button').focus()")
    browser.press(Keys.SPACE)  # from the last frame it begins again
    assert state(browser)["button"] == "Pause"
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: 0 < state(browser)["frame"] < 9)
    browser.press(Keys.SPACE)
    paused = state(browser)
    browser.run_async("setTimeout(arguments[0], 400)")
    assert state(browser) == paused and paused["button"] == "Play"


def test_nothing_plays_by_itself(player):
    browser = player()
    before = state(browser)
    browser.run_async("setTimeout(arguments[0], 500)")
    assert state(browser) == before


def test_with_less_motion_a_press_shows_one_frame(player):
    browser = player(prefers_reduced_motion="reduce")
    browser.press(Keys.TAB)
    before = state(browser)
    assert before["button"] == "Next"
    browser.press(Keys.SPACE)
    after = state(browser)
    assert after["frame"] == (before["frame"] + 1) % (before["last"] + 1)
    assert after["picture"] != before["picture"]
    browser.run_async("setTimeout(arguments[0], 500)")
    assert state(browser) == after
