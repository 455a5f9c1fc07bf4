"""The book opened from its folder, without a server and without a network."""

from selenium.webdriver.support.expected_conditions import url_contains
from selenium.webdriver.support.wait import WebDriverWait

from browser.rules import FORMULAS, GEOMETRY, noise


def test_every_page_is_whole_and_quiet(browser, folder):
    found = {}
    for page in folder.pages:
        browser.open(folder / page)
        found[page] = browser.run(GEOMETRY) + browser.run(FORMULAS) + noise(browser, folder.url)
    assert {page: lines for page, lines in found.items() if lines} == {}


def test_the_entrance_leads_to_the_first_page(browser, place):
    browser.driver.get(place / "index.html")
    WebDriverWait(browser.driver, 10).until(url_contains("book/index.html"))
    assert browser.driver.current_url == place / "book/index.html"
    assert browser.console() == [] and place.errors == []


def test_links_lead_on(browser, place):
    """One of the side bar, one back, one forth; that none is dead is tested on the files."""
    browser.open(place / "book/index.html")
    chapter = next(page for page in place.pages if page.startswith("chapters/"))
    for link, target in ((f".bd-sidebar-primary a[href$='{chapter}']", chapter),
                         ("a.left-prev", None), ("a.right-next", chapter)):
        browser.run("document.querySelector(arguments[0]).click()", link)
        browser.settle()
        assert browser.run("return document.title")
        assert target is None or browser.driver.current_url == place / target
    assert noise(browser, place.url) == [] and place.errors == []
