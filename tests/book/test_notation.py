"""The table of symbols: from the text to the code and back."""

import pytest
from parsing import parse


@pytest.fixture(scope="module")
def rows(site):
    """The rows of the notation page that name something of the package: {anchor: names}."""
    page = parse(site / "book" / "notation.html")
    found = {row["id"]: {link["href"].split("#")[1] for link in row.select("a[href*='api/'] , a[href*='#deepdyn']")}
             for row in page.select("tr[id]")}
    assert len(found) > 20
    return found


def back_links(site):
    """{anchor on the notation page: names of the entries that lead there}."""
    found = {}
    for path in (site / "book" / "api").glob("*.html"):
        for line in parse(path).select("p.notation"):
            entry = line.find_parent("dl").find("dt")["id"]
            for link in line.select("a"):
                found.setdefault(link["href"].removeprefix("../notation.html#"), set()).add(entry)
    return found


def test_every_row_has_an_anchor_unless_it_is_planned(site):
    for row in parse(site / "book" / "notation.html").select("tbody tr"):
        names_code = row.select_one("a[href*='#deepdyn_np']")
        if names_code and "deepdyn_np.figures" not in names_code["href"]:
            assert row.get("id", "").startswith("notation-"), row.get_text()
        elif row.find_previous("h2").get_text().startswith("Symbols"):
            assert "planned" in row.get_text()


def test_what_a_row_names_leads_back_to_the_row(rows, site):
    back = back_links(site)
    for anchor, names in rows.items():
        assert names and names <= back[anchor], anchor
    assert set(back) == set(rows)


def test_an_argument_called_like_a_symbol_leads_to_it(site):
    back = back_links(site)
    assert "deepdyn_np.theory.low_rank_bias.shrink_factor" in back["notation-eta"] & back["notation-lam"]
    # a single letter may mean anything: here m is a number of steps
    assert "deepdyn_np.theory.low_rank_bias.low_rank_bound" not in back["notation-m"]


def test_every_chapter_links_the_first_use_of_a_symbol(site):
    for path in sorted((site / "chapters").glob("*.html")):
        links = parse(path).select("a.first-use[href*='notation.html#']")
        anchors = [link["href"] for link in links]
        assert anchors and len(anchors) == len(set(anchors)), path.name
        assert all(link.select("span.math") for link in links)


def test_a_letter_with_a_second_meaning_is_not_linked(site):
    table = parse(site / "book" / "notation.html").find(id="letters-with-a-second-meaning").find("tbody")
    exceptions = [(symbol.get_text(), row.select_one("a")["href"])
                  for row in table.select("tr") for symbol in row.select("td:first-child :is(.math, em)")]
    assert len(exceptions) >= 8
    for symbol, chapter in exceptions:
        linked = {link.get_text().casefold() for link in parse(site / "book" / chapter).select("a.first-use")}
        assert symbol.casefold() not in linked, (symbol, chapter)
