"""The plain text behind the search: formulas as Unicode, no TeX, no HTML, no heading twice."""

import importlib.util
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

EXTENSION = Path(__file__).resolve().parents[2] / "book" / "_ext" / "search_text.py"
spec = importlib.util.spec_from_file_location("search_text", EXTENSION)
search_text = importlib.util.module_from_spec(spec)
spec.loader.exec_module(search_text)

MACROS = {"R": r"\mathbb{R}", "norm": [r"\lVert #1 \rVert", 1]}


@pytest.mark.parametrize("tex, text", [
    (r"\gamma", "γ"),
    (r"x\in\R^d", "x ∈ ℝ^d"),
    (r"\norm{W_k}_F^2", "‖W_k‖_F^2"),
    (r"\norm{\hat w^{2}}", "‖ŵ^2‖"),
    (r"W_{k+1}^\top", "W_(k + 1)^⊤"),
    (r"\frac{a+b}{2}", "(a + b)/2"),
    (r"\tfrac1n\sum_i\ell_i", "1/n∑_iℓ_i"),
    (r"\frac12\norm{f}", "1/2‖f‖"),
    (r"10^{4\,000\,000}", "10^4000000"),
    (r"10^6,10^{50}", "10^6,10^50"),
    (r"D/\log t", "D/log t"),
    (r"(x)_+", "(x)_+"),
    (r"\dot\theta\le 0", "θ̇ ≤ 0"),
    (r"\sqrt{v}", "√(v)"),
    (r"\text{ if } w", "if w"),
    (r"\unheardof{x}", "…"),
])
def test_a_formula_in_a_line_is_unicode(tex, text):
    found = search_text.formula_text(tex, MACROS)
    assert " ".join(found.split()) == text


def page():
    doctree = new_document("page")
    section = nodes.section("", nodes.title("", "Max margin"), ids=["max-margin"])
    norm = nodes.math("", r"\lVert w \rVert")
    section += nodes.paragraph("", "", nodes.Text("The norm "), norm, nodes.Text(" grows."))
    section += nodes.math_block("", r"\frac{a}{b}")
    section += nodes.raw("", r'<table><tr><td>Claim a &lt; b \(\mathbb{R}\)</td></tr></table>'
                         '<script>frames = "aGVsbG8"</script>', format="html")
    section += nodes.literal_block("", 'ax.set(xlabel=r"$\\hat w$", ylabel="loss")')
    section += nodes.admonition("", nodes.title("", " (Convergence)"), nodes.paragraph("", "It converges."))
    doctree += section
    return doctree


def test_a_page_is_its_words():
    original = page()
    plain = search_text.plain_text(original, "3. Max margin", {})
    words = plain.astext()
    assert "The norm ‖w‖ grows." in words and "Claim a < b …" in words and 'ylabel="loss"' in words
    assert not any(noise in words for noise in ("\\", "$", "<td>", "frames", "frac"))
    assert [title.astext() for title in plain.findall(nodes.title)] == ["3. Max margin", "Convergence"]
    assert r"\lVert" in original.astext()  # the page itself keeps its formulas


def test_excerpts_are_prose():
    prose = search_text._prose(search_text.plain_text(page(), "3. Max margin", {}))
    assert prose == "The norm ‖w‖ grows. … Claim a < b … It converges."
