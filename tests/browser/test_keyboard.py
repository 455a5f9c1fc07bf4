"""A chapter without a mouse: the skip link, the hidden solutions, the scrolling boxes, a visible focus."""

import pytest
from selenium.webdriver.common.keys import Keys

from browser.chromium import DESK, PHONE

STILL = {"prefers_reduced_motion": "reduce"}  # the skip link would slide in, the page glide
FOCUSED = """
const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
return {html: at.outerHTML.slice(0, 100), href: at.getAttribute("href"),
        visible: outlined || style.boxShadow !== "none",
        seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight};
"""


@pytest.fixture
def chapter(served):
    return served / next(page for page in served.pages if page.startswith("chapters/"))


def test_the_first_stop_skips_to_the_text(browser, chapter):
    browser.open(chapter, DESK, **STILL)
    browser.press(Keys.TAB)
    skip = browser.run(FOCUSED)
    assert skip["href"] == "#main-content" and skip["seen"]
    browser.press(Keys.ENTER)
    browser.press(Keys.TAB)
    assert browser.run("return document.querySelector('#main-content').contains(document.activeElement)")


def test_the_focus_is_always_seen(browser, chapter):
    browser.open(chapter, DESK, **STILL)
    unseen = []
    for _ in range(40):
        browser.press(Keys.TAB)
        focus = browser.run(FOCUSED)
        if not (focus["visible"] and focus["seen"]):
            unseen.append(focus)
    assert unseen == []


def test_formulas_are_no_stops_unless_they_scroll(browser, chapter):
    for screen in (DESK, PHONE):
        browser.open(chapter, screen)
        stops = browser.run("return [...document.querySelectorAll('.math, mjx-container')]"
                            ".filter(e => e.tabIndex === 0).map(e => e.scrollWidth - e.clientWidth)")
        assert all(excess > 0 for excess in stops)


@pytest.mark.parametrize("key", [Keys.SPACE, Keys.ENTER], ids=["space", "enter"])
def test_a_hidden_solution_opens_and_closes(browser, chapter, key):
    browser.open(chapter, DESK)
    height = "return document.querySelector('.solution.dropdown section').getBoundingClientRect().height"
    browser.run("document.querySelector('.solution.dropdown .toggle-button').focus({focusVisible: true})")
    assert browser.run(FOCUSED)["visible"] and browser.run(height) == 0
    browser.press(key)
    browser.run_async("setTimeout(arguments[0], 300)")
    assert browser.run(height) > 20
    browser.press(key)
    browser.run_async("setTimeout(arguments[0], 300)")
    assert browser.run(height) == 0


def test_hidden_code_opens(browser, chapter):
    browser.open(chapter, DESK)
    browser.run("document.querySelector('details.hide summary').focus()")
    browser.press(Keys.SPACE)
    assert browser.run("return document.querySelector('details.hide').open")
