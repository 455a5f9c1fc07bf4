"""Every page on a phone, in light and in dark."""

from browser.chromium import PHONE
from browser.rules import faults


def test_every_page_is_whole_and_accessible(browser, served):
    found = {page: faults(browser, served / page, PHONE) for page in served.pages}
    assert {page: lines for page, lines in found.items() if lines} == {}
    assert served.errors == []
