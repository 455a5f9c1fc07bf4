"""Style, slope guides, and the slider player: offline, deterministic, usable from the keyboard."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from deepdyn_np import figures

plt.switch_backend("Agg")


@pytest.fixture
def axes():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def draw(fig, value):
    ax = fig.subplots()
    ax.plot([0, 1], [0, value])
    ax.set_ylim(0, 3)


def player(values=(1, 2, 3), **options):
    return figures.player(draw, values, **{"alt": "a line turns", "figsize": (2, 1), **options})


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


# --- style and guides ---------------------------------------------------------------------------


def test_style_is_the_books_with_an_opaque_white_background():
    with mpl.rc_context():
        figures.style()
        colors = [entry["color"] for entry in mpl.rcParams["axes.prop_cycle"]]
        assert colors == list(figures.palette.values()) and len(set(colors)) == 7
        assert mpl.rcParams["savefig.facecolor"] == mpl.rcParams["figure.facecolor"] == "white"
        assert not mpl.rcParams["axes.spines.top"] and mpl.rcParams["figure.constrained_layout.use"]


def test_importing_the_package_does_not_restyle_other_figures():
    assert figures.STYLE["figure.figsize"] != tuple(mpl.rcParamsDefault["figure.figsize"])
    assert tuple(mpl.rcParams["figure.figsize"]) == tuple(mpl.rcParamsDefault["figure.figsize"])


@pytest.mark.parametrize("slope", [-1, 0.5, 2, 0])
def test_a_slope_guide_is_the_power_law_through_its_point(axes, slope):
    figures.slope_guide(axes, (1.0, 100.0), slope, through=(10.0, 3.0))
    [line] = axes.lines
    x, y = line.get_data()
    assert x.tolist() == [1, 100] and line.get_label() == f"slope {slope:g}"
    np.testing.assert_allclose(np.diff(np.log(y)) / np.diff(np.log(x)), slope, atol=1e-12)
    np.testing.assert_allclose(np.exp(np.mean(np.log(y))), 3)  # 10 is half way on the axis
    figures.slope_guide(axes, (1, 2), 1, (1, 1), label="theory")
    assert axes.lines[1].get_label() == "theory"


@pytest.mark.parametrize("x, through, message", [
    ((0, 1), (1, 1), "x: expected a number above 0"),
    ((1, 2), (1, -1), "through: expected a number above 0"),
    ((1, np.nan), (1, 1), "x: expected finite"),
    ((1, 2), (np.inf, 1), "through: expected finite"),
    ((1, 2, 3), (1, 1), "x: expected two numbers"),
    ((1, 2), 1, "through: expected two numbers"),
])
def test_bad_slope_guides_name_the_argument(axes, x, through, message):
    with pytest.raises(ValueError, match=message):
        figures.slope_guide(axes, x, 1, through)
    assert not axes.lines


# --- the player ---------------------------------------------------------------------------------


def test_no_external_address_and_no_other_file():
    html = player()._repr_html_()
    assert not re.search(r"https?:|//[a-z]|@import|\burl\(", re.sub(r"[\w+/=]{99,}", "", html))
    tags = Tags(html)
    assert all(image["src"].startswith("data:image/png;base64,") for image in tags.all("img"))
    assert not tags.all("link") and not any("src" in script for script in tags.all("script"))


def test_it_is_deterministic_and_named_after_its_content():
    first, again = player()._repr_html_(), player()._repr_html_()
    assert first == again
    others = [player((1, 2))._repr_html_(), player(label="t = {}")._repr_html_()]
    names = {Tags(html).all("div")[0]["id"] for html in (first, *others)}
    assert len(names) == 3


def test_the_keyboard_and_screen_readers_find_everything():
    tags = Tags(player(alt='a "line" < turns')._repr_html_())
    [slider], [image] = tags.all("input"), tags.all("img")
    assert slider["type"] == "range" and (slider["min"], slider["max"]) == ("0", "2")
    assert slider["aria-label"] and "tabindex" not in slider
    assert slider["aria-valuetext"] == "3"  # the frame's label, not its number
    assert image["alt"] == 'a "line" < turns' and tags.all("button")[0]["type"] == "button"
    assert slider["value"] == "2"  # the last frame is the poster


def test_nothing_moves_by_itself():
    script = player()._repr_html_().split("<script>")[1]
    assert script.count("setInterval") == 1
    assert script.index('addEventListener("click"') < script.index("setInterval")


@pytest.mark.parametrize("poster", [0, 1, -1])
def test_the_poster_is_a_png_shown_first(poster):
    shown = player(poster=poster)
    picture = Image.open(BytesIO(shown._repr_png_()))
    assert picture.format == "PNG" and picture.size == (200, 100)
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert len(set(shown.frames)) == 3 and shown._repr_png_() == shown.frames[poster]
    html = shown._repr_html_()
    assert Tags(html).all("img")[0]["src"].endswith(base64.b64encode(shown.frames[poster]).decode())


LABELS = ['t < 5 & "x"', r"$\eta$ = 1", "line\nbreak", "</script><b>", "größer", "it's {0}"]


@pytest.mark.parametrize("label", LABELS)
def test_labels_reach_the_script_as_they_are(label):
    """As JSON between the brackets, with nothing in them that could end the script."""
    html = player(label=lambda value: f"{label} {value}")._repr_html_()
    body = html.split("<script>")[1].split("</script>")[0]
    assert html.count("</script>") == 1
    found = re.search(r"labels = (\[.*?\]);\n", body)[1]
    assert json.loads(found) == [f"{label} {value}" for value in (1, 2, 3)]
    text = re.search(r"<output[^>]*>(.*?)</output>", html, re.S)[1]
    assert "<" not in text


def test_labels_from_a_format_string():
    assert player((1.234, 2.345), label="t = {:.1f}").labels == ["t = 1.2", "t = 2.3"]


def test_figures_are_closed_even_when_drawing_fails():
    def fail(fig, value):
        raise RuntimeError("bug in a chapter")

    before = plt.get_fignums()
    player()
    with pytest.raises(RuntimeError, match="bug in a chapter"):
        figures.player(fail, [1], alt="x")
    assert plt.get_fignums() == before


@pytest.mark.parametrize("values", [[], range(61)])
def test_too_few_or_too_many_frames(values):
    with pytest.raises(ValueError, match="values: expected 1 to 60 frames, got (0|61)"):
        player(values)


# --- the palette -------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), table 1, severity 1: linear RGB as seen without one kind of cone.
MISSING_CONE = {
    "none": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])  # of linear sRGB, white point D65


def linear(color):
    rgb = np.array(mpl.colors.to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb):
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast_to_white(color):
    """Ratio of luminances as the WCAG define it."""
    return 1.05 / (TO_XYZ[1] @ linear(color) + 0.05)


def least_distance(colors, cone):
    """Of any two of the colours, as CIELAB distance; 2.3 is just noticeable."""
    seen = [cielab(MISSING_CONE[cone] @ linear(color)) for color in colors]
    return min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])


@pytest.mark.parametrize("cone", MISSING_CONE)
def test_the_colours_stay_apart_for_every_kind_of_colour_vision(cone):
    assert least_distance(figures.palette.values(), cone) > 16  # the least is 17.0, without blue cones


@pytest.mark.parametrize("name", figures.palette)
def test_every_line_stands_out_on_white(name):
    assert contrast_to_white(figures.palette[name]) >= 3
