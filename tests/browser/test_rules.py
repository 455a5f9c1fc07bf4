"""The rules of `rules.py`, each on a page that breaks it: a rule that lets its own fault pass is none."""

import pytest

from browser.chromium import DESK, PHONE
from browser.rules import faults

PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<script>
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", follow); follow();
</script>
<style>
  html {{ color-scheme: light dark }}
  .box {{ overflow-x: auto; width: 200px }}
  .wide {{ width: 400px; height: 9px }}
  div.math {{ display: flex; flex-direction: column }}
</style></head>
<body><main><h1>A page</h1><article>{content}</article></main></body></html>"""

FORMULA = ('<div class="math notranslate" id="eq">{eqno}<mjx-container style="display:block">'
           '<mjx-math aria-hidden="true">x</mjx-math></mjx-container></div>')
LIGHT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
LAWFUL = ('<p>Plain words.</p><pre class="box" tabindex="0"><div class="wide">code</div></pre>'
          + FORMULA.format(eqno='<span class="eqno">(1)</span>'))

BROKEN = {
    "a page that is too wide": ('<div style="width: 1500px">x</div>', "the page scrolls sideways"),
    "a picture that is missing": (
        '<img src="data:image/png;base64,AAAA" alt="A line.">', "a picture is not shown"),
    "code that is cut off": ('<pre style="overflow: hidden; width: 9px">long</pre>', "cut off"),
    "code that the keyboard cannot scroll": (
        '<pre class="box"><div class="wide">x</div></pre>', "keyboard's reach"),
    "a scroll bar under a short formula": (
        '<p><span class="math notranslate box" style="display: inline-block" tabindex="0"><mjx-container>'
        '<mjx-math style="display: inline-block" aria-hidden="true">x</mjx-math></mjx-container>'
        '<span style="display: inline-block" class="wide"></span></span></p>',
        "a short formula has a scroll bar"),
    "a formula that is not drawn": ('<span class="math notranslate">x</span>', "a formula is not drawn"),
    "a formula that is wrong": (
        "<mjx-container><mjx-merror>Undefined control sequence</mjx-merror></mjx-container>",
        "a formula is wrong"),
    "TeX as text": (r"<p>the norm \lVert w \rVert</p>", "TeX is shown as text"),
    "a button without a name": ("<button></button>", "button-name"),
    "words too pale on a dark page": (
        '<style>html[data-theme="dark"] p { color: #333; background: #000 }</style><p>Words.</p>',
        "dark: color-contrast"),
    "a transparent figure": (
        '<div class="cell_output"><img alt="A line." width="9" src="data:image/svg+xml,'
        "%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/%3E\"></div>", "without a light ground"),
    "a figure that is turned dark": (
        '<div class="cell_output"><img alt="A line." style="filter: invert(1)" '
        f'src="data:image/png;base64,{LIGHT}"></div>',
        "without a light ground"),
    "an error on the console": ('<script>console.error("oh")</script>', "console: "),
    "a file that is missing": ('<script src="nowhere.js"></script>', "not loaded: "),
    "a request to elsewhere": ('<script src="https://example.org/x.js"></script>', "asks elsewhere: "),
}


@pytest.fixture
def page(tmp_path):
    def write(content):
        path = tmp_path / "page.html"
        path.write_text(PAGE.format(content=content), encoding="utf-8")
        return path.as_uri()
    return write


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=str)
def test_the_lawful_page_breaks_no_rule(browser, page, screen):
    assert faults(browser, page(LAWFUL), screen) == []


@pytest.mark.parametrize("content, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_reported(browser, page, content, message):
    assert any(message in line for line in faults(browser, page(LAWFUL + content), DESK))


def test_code_that_does_not_fit_is_reported_on_a_desk_only(browser, page):
    content = '<div class="cell_input"><pre class="box" tabindex="0"><div class="wide">x</div></pre></div>'
    assert any("does not fit" in line for line in faults(browser, page(content), DESK))
    assert faults(browser, page(content), PHONE) == []


def test_a_formula_beside_its_number_is_reported_on_a_phone_only(browser, page):
    content = FORMULA.format(eqno='<span class="eqno" style="width: 60px">(1)</span>').replace(
        'id="eq"', 'id="eq" style="flex-direction: row"').replace("display:block", "width: 200px")
    assert any("narrow beside its number" in line for line in faults(browser, page(content), PHONE))
    assert faults(browser, page(content), DESK) == []


def test_a_page_that_stays_light_is_reported(browser, page, tmp_path):
    address = page(LAWFUL)
    path = tmp_path / "page.html"
    path.write_text(path.read_text().replace('dark.addEventListener("change", follow);', ""))
    assert any("stays light" in line for line in faults(browser, address, DESK))
