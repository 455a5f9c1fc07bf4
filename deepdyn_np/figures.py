"""Figures: one style, a colour-blind-safe palette, slope guides and an offline slider player."""

import base64
import hashlib
import json
from contextlib import contextmanager
from html import escape
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from PIL import Image

from deepdyn_np.errors import expect, positive

#: Told apart by readers with any kind of colour vision, and dark enough for a line on white:
#: Okabe and Ito's colours, with a brown and a navy for their two palest.
palette = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "brown": "#663000",
    "navy": "#001A8C",
    "black": "#000000",
}

STYLE = {
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "axes.prop_cycle": cycler(color=list(palette.values())),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "font.size": 10,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "image.cmap": "RdBu_r",
}


def style():
    """Use the book's style for the figures that follow: called once, at the top of a chapter.

    Used in every chapter.
    """
    mpl.rcParams.update(STYLE)


def slope_guide(ax, x, slope, through, label=None):
    """Draw the power law ``y ~ x^slope`` as a dashed line on log-log axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With logarithmic axes.
    x : (float, float)
        Where the line begins and ends.
    slope : float
        The exponent that theory predicts.
    through : (float, float)
        A point on the line.
    label : str, optional
        Default: the slope itself.

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    for name, pair in (("x", x), ("through", through)):
        expect(np.shape(pair) == (2,), name, "two numbers", f"shape {np.shape(pair)}")
        positive(name, pair)  # for logarithmic axes
    ends = np.asarray(x, dtype=float)
    ax.plot(ends, through[1] * (ends / through[0]) ** slope, "--", color="#555555", linewidth=1.2,
            label=f"slope {slope:g}" if label is None else label)


class Player:
    """A sequence of frames with a slider and a play button, in one block of HTML.

    It needs no server and no other file. The arrow keys move the slider; nothing moves by itself,
    and for a reader who asks the system for less motion the button shows one frame at a press.
    Where HTML is not shown, the poster frame is.

    Used from chapter 02_gradient_flow_and_time on.
    """

    def __init__(self, frames, labels, alt, poster, milliseconds):
        self.frames, self.labels, self.alt = frames, labels, alt
        self.poster, self.milliseconds = poster, milliseconds

    def _repr_png_(self):
        return self.frames[self.poster]

    def _repr_html_(self):
        # The name depends on the content alone, so that a rebuilt page is the same page.
        labels = json.dumps(self.labels).replace("<", "\\u003c")  # a "</script>" would end it
        name = "ddn-" + hashlib.sha256(b"".join(self.frames) + labels.encode()).hexdigest()[:12]
        sources = ",".join(f'"{base64.b64encode(frame).decode()}"' for frame in self.frames)
        return PLAYER_HTML.format(name=name, sources=sources, labels=labels, last=len(self.frames) - 1,
                                  poster=self.poster, alt=escape(self.alt, quote=True),
                                  first=base64.b64encode(self.frames[self.poster]).decode(),
                                  label=escape(self.labels[self.poster], quote=True), wait=self.milliseconds)


def player(draw, values, *, alt, label="{}", poster=-1, figsize=None, milliseconds=120):
    """Draw one frame for each value and return them as a `Player`.

    Parameters
    ----------
    draw : callable
        ``draw(fig, value)`` draws a whole frame on an empty figure, with fixed axis limits.
    values : sequence
        What distinguishes the frames, for instance times; at most 60.
    alt : str
        What is seen, for readers who do not see it.
    label : str or callable
        Text beside the slider: a format string for the value, or a function of it.
    poster : int
        The frame that is shown first, and alone where there is no HTML.
    figsize : (float, float), optional
        Inches.
    milliseconds : int
        Duration of a frame when playing.

    Returns
    -------
    Player

    Notes
    -----
    Used from chapter 02_gradient_flow_and_time on.
    """
    values = list(values)
    expect(1 <= len(values) <= 60, "values", "1 to 60 frames", len(values),
           "A page with more is slow to load; draw every second one.")
    describe = label if callable(label) else label.format
    frames = []
    for value in values:
        with _figure(figsize) as fig:
            draw(fig, value)
            frames.append(_palette_png(fig))
    return Player(frames, [describe(value) for value in values], alt, poster % len(frames),
                  milliseconds)


@contextmanager
def _figure(figsize):
    fig = plt.figure(figsize=figsize)
    try:
        yield fig
    finally:
        plt.close(fig)


def _palette_png(fig):
    """The figure as PNG with 64 colours: a third of the size, and no difference to the eye."""
    fig.canvas.draw()
    picture = Image.fromarray(np.asarray(fig.canvas.buffer_rgba())).convert("RGB")
    stream = BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


PLAYER_HTML = """<div class="ddn-player" id="{name}" style="max-width:720px">
<img src="data:image/png;base64,{first}" alt="{alt}" style="width:100%;background:#fff">
<div style="display:flex;flex-wrap:wrap;gap:.6em;align-items:center">
<button type="button" style="min-width:4.5em">Play</button>
<input type="range" min="0" max="{last}" value="{poster}" aria-label="Frame" aria-valuetext="{label}"
 style="flex:1;min-width:6em">
<output aria-live="off" style="min-width:9em">{label}</output></div>
<script>(function () {{
  const root = document.getElementById("{name}"), image = root.querySelector("img"),
        button = root.querySelector("button"), slider = root.querySelector("input"),
        text = root.querySelector("output"), frames = [{sources}], labels = {labels};
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;
  function show(frame) {{
    slider.value = frame;
    image.src = "data:image/png;base64," + frames[frame];
    text.textContent = labels[frame];
    slider.setAttribute("aria-valuetext", labels[frame]);
  }}
  function stop() {{
    clearInterval(timer); timer = null;
    button.textContent = calm.matches ? "Next" : "Play";
  }}
  function next() {{ show(+slider.value === {last} ? 0 : +slider.value + 1); }}
  function advance() {{
    next();
    if (+slider.value === {last}) stop();
  }}
  slider.addEventListener("input", function () {{ stop(); show(+slider.value); }});
  button.addEventListener("click", function () {{
    if (timer) {{ stop(); return; }}
    if (calm.matches || +slider.value === {last}) next();
    if (!calm.matches) {{ button.textContent = "Pause"; timer = setInterval(advance, {wait}); }}
  }});
  calm.addEventListener("change", stop);
  stop();
}})();</script></div>"""
