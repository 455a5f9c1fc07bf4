"""What must hold of every page on every screen. `test_rules.py` breaks each rule to see it noticed."""

from dataclasses import replace
from urllib.parse import urlsplit

# Each looks at the page and returns what is wrong with it, as lines.
GEOMETRY = r"""
const root = document.documentElement, found = [];
const name = element => element.outerHTML.slice(0, 120);
const wide = element => element.scrollWidth > element.clientWidth + 1;
if (root.scrollWidth > root.clientWidth)
  found.push(`the page scrolls sideways: ${root.scrollWidth} px of content on ${root.clientWidth}`);
for (const image of document.images)
  if (!image.naturalWidth) found.push(`a picture is not shown: ${name(image)}`);
for (const box of document.querySelectorAll("article :is(.math, mjx-container, table, pre)")) {
  const overflow = getComputedStyle(box).overflowX;
  if (!wide(box) || !box.clientWidth || overflow === "visible") continue;
  if (overflow !== "auto") found.push(`cut off: ${name(box)}`);
  else if (box.tabIndex !== 0) found.push(`scrolls out of the keyboard's reach: ${name(box)}`);
  const formula = box.matches("span.math") && box.querySelector("mjx-math");
  if (formula && formula.getBoundingClientRect().width < box.clientWidth - 1)
    found.push(`a short formula has a scroll bar: ${name(box)}`);
}
if (innerWidth >= 1280) for (const code of document.querySelectorAll(".cell_input pre"))
  if (wide(code)) found.push(`code does not fit beside the side bars, ${code.scrollWidth - code.clientWidth} px:
                              ${code.textContent.slice(0, 80)}`);
if (innerWidth <= 600) for (const formula of document.querySelectorAll("div.math:has(.eqno) mjx-container"))
  if (formula.clientWidth < 0.9 * formula.closest("div.math").clientWidth)
    found.push(`a formula is narrow beside its number: ${formula.closest("div.math").id}`);
return found;
"""

FORMULAS = r"""
const found = [], name = element => element.outerHTML.slice(0, 120);
for (const formula of document.querySelectorAll(".math.notranslate")) {
  const glyphs = formula.querySelector("mjx-container mjx-math");
  if (!glyphs) found.push(`a formula is not drawn: ${name(formula)}`);
  else if (getComputedStyle(glyphs).color !== getComputedStyle(formula).color)
    found.push(`a formula has not the colour of its line: ${name(formula)}`);
}
for (const formula of document.querySelectorAll("mjx-merror"))
  found.push(`a formula is wrong: ${formula.closest("mjx-container").textContent.slice(0, 120)}`);
for (const text of document.querySelectorAll("article p, article figcaption, h1, h2, h3, nav"))
  if (/\\[a-zA-Z]{2,}|\\\(|\$[^$]+\$/.test(text.innerText) && !text.querySelector("code, pre"))
    found.push(`TeX is shown as text: ${text.innerText.slice(0, 120)}`);
return found;
"""

# A figure drawn in black needs its own light ground on a dark page.
FIGURES = r"""
const found = [];
for (const image of document.querySelectorAll("article :is(.cell_output, .ddn-player) img")) {
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let light = 0;
  for (let i = 0; i < pixels.length; i += 4) light += pixels[i + 1] > 200 && pixels[i + 3] === 255;
  const filter = getComputedStyle(image).filter;
  if (4 * light < pixels.length / 2 || /invert|brightness\(0?\.[0-6]/.test(filter))
    found.push(`a figure without a light ground on a dark page: ${image.alt.slice(0, 80)} ${filter}`);
}
return found;
"""

# axe's time goes with the pieces of text it looks at. Glyphs are hidden from screen readers and have the
# colour of their line; the colours of code are the same on a phone, and looked at on the desk.
LIGHTEN_FORMULAS = """
document.querySelectorAll("mjx-math").forEach(math => math.replaceChildren());
document.querySelectorAll("mjx-assistive-mml").forEach(math => math.replaceChildren(math.textContent));
"""
LIGHTEN_CODE = """
document.querySelectorAll(".highlight pre").forEach(code => code.replaceChildren(code.textContent));
"""

# The theme follows the system when the browser tells it; here it gets two seconds for that.
DARKENED = """
const done = arguments[0], end = performance.now() + 2000, root = document.documentElement;
(function wait() {
  if (root.dataset.theme === "dark" || performance.now() > end) done(); else requestAnimationFrame(wait);
})();
"""


def noise(browser, own):
    """Messages on the console, failed requests, and requests to other places than ``own``."""
    asked, failed = browser.traffic()
    return ([f"console: {message}" for message in browser.console()]
            + [f"not loaded: {url}" for url in failed]
            + [f"asks elsewhere: {url}" for url in asked if urlsplit(url)[:2] != urlsplit(own)[:2]])


def faults(browser, url, screen):
    """What is wrong with a page on a screen, in light and in dark."""
    browser.open(url, screen)
    found = browser.run(GEOMETRY) + browser.run(FORMULAS)
    browser.run(LIGHTEN_FORMULAS)
    if screen.width < 600:
        browser.run(LIGHTEN_CODE)
    found += browser.axe()
    browser.show_on(replace(screen, scheme="dark"), prefers_reduced_motion="reduce")  # no fading colours
    browser.run_async(DARKENED)
    if browser.run("return document.documentElement.dataset.theme") != "dark":
        found.append("the page stays light on a dark system")
    found += browser.run(FIGURES)
    found += [f"dark: {line}" for line in browser.axe(["color-contrast", "link-in-text-block"])]
    return found + noise(browser, url)
