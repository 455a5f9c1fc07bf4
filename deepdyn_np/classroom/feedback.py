"""A page for each student: points, and what is wrong with each answer."""

from html import escape
from pathlib import Path
from string import Template

from deepdyn_np.classroom.journal import Journal
from deepdyn_np.classroom.scores import read_marks
from deepdyn_np.errors import expect

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$assignment: $student</title>
<style>
:root { color-scheme: light dark; --faint: light-dark(#595959, #b0b0b0); --line: light-dark(#d0d0d0, #505050);
        --right: light-dark(#17632d, #7fd396); --wrong: light-dark(#9c2b12, #ffa48c); }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       overflow-wrap: break-word; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.05rem; margin: 0; }
section { border-top: 1px solid var(--line); padding: .8rem 0; }
p { margin: .2rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--line); padding-left: .8rem;
      margin: .4rem 0; }
.faint { color: var(--faint); }
.right { color: var(--right); }
.wrong { color: var(--wrong); }
</style>
</head>
<body>
<main>
<h1>$assignment</h1>
<p class="faint">$student</p>
<p><strong>$total of $maximum points</strong>$pending</p>
$remarks
$sections
</main>
</body>
</html>
""")
SECTION = Template("""<section>
<h2>$title</h2>
<p><span class="$tone">$points of $maximum points, $verdict</span> <span class="faint">($name)</span></p>
$body
</section>""")
VERDICTS = {
    "right": ("right", "right"),
    "wrong": ("wrong", "not right"),
    "missing": ("wrong", "not answered"),
    "stopped": ("wrong", "no answer in time"),
}


def write_feedback(scores, journal, folder):
    """Write a page for each student of the table ``scores`` into ``folder``; return their paths.

    Points given by hand come from the table, all else from the journal. The pages load nothing and run no
    script; what a student wrote is shown as text.
    """
    marks = read_marks(scores)
    expect(
        Path(journal).exists(),
        "scores",
        "the grader's journal beside the table",
        f"no file {journal}",
        "Keep the two together; or grade again, which writes both.",
    )
    with Journal(journal) as book:
        results = book.results()
    folder, pages = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for (assignment, student, version), given in marks.items():
        result = results.get((assignment, student))
        if result and result["version"] == version:
            pages.append(folder / f"{student}_{assignment}.html")
            pages[-1].write_text(feedback(result, given), encoding="utf-8")
    return pages


def feedback(result, marks):
    """The page of one result, as HTML; ``marks`` are the points given by hand, by question."""
    parts = result["questions"]
    points = {
        name: marks.get(name) if part["kind"] == "by hand" else part["points"] for name, part in parts.items()
    }
    open_ones = sum(value is None for value in points.values())
    remarks = [*([result["status"]] if result["status"] != "graded" else []), *result["remarks"]]
    return PAGE.substitute(
        assignment=escape(result["assignment"]),
        student=escape(result["student"]),
        total=f"{sum(value for value in points.values() if value is not None):g}",
        maximum=f"{sum(part['max'] for part in parts.values()):g}",
        pending=f", {open_ones} answer{'s' * (open_ones > 1)} not yet graded" if open_ones else "",
        remarks="\n".join(f'<p class="wrong">Note: {escape(remark)}</p>' for remark in remarks),
        sections="\n".join(_section(name, part, points[name]) for name, part in parts.items()),
    )


def _section(name, part, points):
    if part["kind"] == "by hand":
        tone, verdict, body = "faint", "graded by a person", f"<pre>{escape(part['message'])}</pre>"
    else:
        (tone, verdict), body = VERDICTS[part["kind"]], f"<p>{escape(part['message'])}</p>"
    return SECTION.substitute(
        title=escape(part["title"]),
        name=escape(name),
        tone=tone,
        verdict=verdict,
        body=body,
        points="–" if points is None else f"{points:g}",
        maximum=f"{part['max']:g}",
    )
