"""The claims page in use: search, filters, sorting, and the way from a claim to its output."""

from collections import Counter

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from browser.chromium import DESK, PHONE

SHOWN = "return [...document.querySelectorAll('tr[data-claim]')].filter(row => row.getClientRects().length)"
CLAIMS = SHOWN + ".map(row => row.dataset.claim)"
COLUMN = """
const [chapter, column] = arguments, table = document.querySelector(`table.claims[data-chapter="${chapter}"]`);
return [...table.tBodies[0].rows].map(row => row.cells[column].dataset.value ?? row.dataset.claim);
"""


@pytest.fixture
def page(browser, folder):
    """The claims page opened from its folder, without a server."""
    browser.open(folder / "book/claims.html", DESK)
    yield browser
    assert browser.console() == []


def element(page, selector):
    return page.driver.find_element(By.CSS_SELECTOR, selector)


def test_the_filters_show_what_they_say(page):
    every = page.run(SHOWN + ".map(row => ({...row.dataset, text: row.textContent.toLowerCase()}))")
    of_chapter = Counter(row["chapter"] for row in every)
    name, count = of_chapter.most_common(1)[0]

    Select(element(page, "[name=chapter]")).select_by_value(name)
    assert len(page.run(CLAIMS)) == count
    assert element(page, ".claims-filter output").text == f"{count} of {len(every)} claims shown"
    element(page, "[name=without]").click()
    alone = [row["claim"] for row in every if row["chapter"] == name and row["controls"] == "0"]
    assert page.run(CLAIMS) == alone and 0 < len(alone) < count

    Select(element(page, "[name=chapter]")).select_by_value("")
    element(page, "[name=without]").click()
    element(page, "[name=text]").send_keys("Loss network")
    found = page.run(CLAIMS)
    assert found == [row["claim"] for row in every if "loss" in row["text"] and "network" in row["text"]]
    assert 0 < len(found) < len(every)
    element(page, "[name=text]").send_keys(" no such words")
    assert page.run(CLAIMS) == [] and page.run("return document.querySelectorAll('section[hidden]').length") > 0


@pytest.mark.parametrize("column", ["claim", "error", "controls"])
def test_a_header_sorts_its_table_by_keyboard(page, column):
    table = element(page, "table.claims")
    head = table.find_element(By.CSS_SELECTOR, f"th[data-column={column}]")
    index = [cell.get_attribute("data-column") for cell in table.find_elements(By.CSS_SELECTOR, "thead th")].index(column)
    chapter = table.get_attribute("data-chapter")
    before = page.run(COLUMN, chapter, index)
    as_number = str if column == "claim" else float
    for order in ("ascending", "descending"):
        head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        values = [as_number(value) for value in page.run(COLUMN, chapter, index)]
        assert head.get_attribute("aria-sort") == order
        assert values == sorted(map(as_number, before), reverse=order == "descending")
    table.find_element(By.CSS_SELECTOR, "th[data-column=measured] button").send_keys(Keys.ENTER)
    assert len(table.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1


def test_the_address_of_a_claim_shows_it(page, folder):
    element(page, "[name=text]").send_keys("no such words")
    claim = page.run("return document.querySelector('tr[data-claim]').id")
    page.run("location.hash = arguments[0]", claim)
    page.settle()
    assert page.run("return document.getElementById(arguments[0]).getClientRects().length", claim) > 0


def test_a_claim_leads_to_its_output_even_in_a_folded_solution(browser, folder):
    browser.open(folder / "book/claims.html", DESK)
    href = browser.run("""return [...document.querySelectorAll("tr[data-claim*='/exercise-'] th a")].at(-1).href""")
    browser.open(href, DESK)
    seen, top, bottom, height = browser.run("""
        const target = document.getElementById(location.hash.slice(1)), box = target.getBoundingClientRect();
        const seen = target.checkVisibility({opacityProperty: true, visibilityProperty: true});
        return [seen, box.top, box.bottom, innerHeight];""")
    assert seen and 0 <= top < bottom <= height


def test_on_a_phone_each_claim_is_a_card(browser, served):
    browser.open(served / "book/claims.html", PHONE)
    widths = browser.run(SHOWN + ".map(row => row.getBoundingClientRect()).map(box => [box.left, box.right])")
    assert widths and all(0 <= left < right <= PHONE.width for left, right in widths)
    assert element(browser, "tr[data-claim] td").value_of_css_property("display") == "block"
