"""The claims of the book, read off the executed chapters.

Every check and every control of a chapter prints a line (`deepdyn_np.checks`). From these lines
comes one record for each claim: what was measured and predicted, and what came out of its controls.
What a claim says in words stands in the metadata of the cell that checks it, under "claims", by the
claim's name or, where a loop makes several, by a shell pattern:

    "claims": {"max-margin/residual": "From every start, ...", "max-margin/kkt-*": "The exact solver ..."}

The records are the claims page, and `claims.json` beside it for other programs:

    about      environment and totals of the build
    chapters   name, title and counts of each chapter
    claims     claim, chapter, link, statement, kind, measured, predicted, error, tolerance, entries,
               verdict, uncertainty (of a fit), controls

A control has breaks (what was broken), link and the same numbers. Of an array the numbers are those
of the worst of `entries` entries. The kind of a claim is "value" (measured equals predicted),
"bound" (measured is at most predicted) or "exponent" (of a power law). A number that is not finite
is a string.
"""

import ast
import fnmatch
import math
import re

from environment import environment

NUMBER = r"-?(?:[\d.]+(?:e[+-]\d+)?|inf|nan)"
LINE = re.compile(
    rf"(?P<verdict>holds|fails)  (?P<claim>\S+/\S+) +measured (?P<measured>{NUMBER}) +"
    rf"predicted (?P<predicted>{NUMBER}) +error (?P<error>{NUMBER}) +(?P<relation><=|>) (?P<tolerance>{NUMBER})"
    rf"(?: \[(?P<entries>\d+)\])?(?: \(fit \+- (?P<uncertainty>{NUMBER})\))?")
BROKEN = "       control: "
KINDS = {"check": "value", "check_below": "bound", "check_slope": "exponent"}


class ClaimsError(ValueError):
    """The chapters do not say what they claim; one line for each fault."""


def collect(notebooks):
    """The content of `claims.json`, from the executed notebooks by the name of their chapter."""
    chapters, claims, faults = [], [], []
    for name, notebook in notebooks.items():
        found, wrong = of_chapter(name, notebook)
        claims += found
        faults += [f"{name}: {fault}" for fault in wrong]
        chapters.append({"chapter": name, "title": _title(notebook) or name, **_count(found)})
    of_anchor = {}
    for claim in claims:
        other = of_anchor.setdefault(anchor(claim["claim"]), claim)
        if other is not claim:
            faults.append(f"{claim['chapter']}: {claim['claim']} would have the address of {other['claim']} "
                          f"in {other['chapter']}")
    if faults:
        raise ClaimsError("\n".join(faults))
    totals = {"chapters": len(chapters), **_count(claims)}
    return {"about": {"environment": environment(), "totals": totals}, "chapters": chapters, "claims": claims}


def of_chapter(name, notebook):
    """The claims of an executed chapter in the order of their checks, and the faults found in it."""
    claims, controls, faults = {}, [], []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        statements = cell.metadata.get("claims", {})
        records, wrong = printed("".join(out.text for out in cell.outputs if out.get("name") == "stdout"))
        checks = [record for record in records if record["verdict"] == "holds"]
        controls += [record for record in records if record["verdict"] == "fails"]
        faults += wrong + [f"the statement {key} belongs to no check of its cell" for key in statements
                           if not fnmatch.filter([check["claim"] for check in checks], key)]
        for check in checks:
            claim = check["claim"]
            said = [text for key, text in statements.items() if fnmatch.fnmatchcase(claim, key)]
            kind = _kind(cell.source, claim)
            if len(said) != 1:
                faults.append(f"{claim} has {len(said)} statements in the metadata of its cell, not one")
            if kind is None:
                faults.append(f"{claim} is printed by a cell that calls no check of this name")
            if claim in claims:
                faults.append(f"{claim} is checked twice")
            claims[claim] = {"claim": claim, "chapter": name, "link": _link(name, anchor(claim)),
                             "statement": "".join(said), "kind": kind, **check, "controls": []}
    for control in controls:
        claim = control.pop("claim")
        if claim in claims:
            siblings = claims[claim]["controls"]
            siblings.append({"link": _link(name, anchor(claim, "control", len(siblings) + 1)), **control})
        else:
            faults.append(f"the control {claim} belongs to no check of the chapter")
    return list(claims.values()), faults


def printed(text):
    """The checks and controls in the output of a cell, and the faults found while reading it."""
    records, faults, lines = [], [], text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""]):
        if below.startswith(BROKEN) and not line.startswith("fails "):
            faults.append(f"says what was broken, but no control stands above it: {below.strip()}")
        if not line.startswith(("holds ", "fails ")):
            continue
        match = LINE.fullmatch(line)
        if match is None or (match["verdict"] == "holds") != (match["relation"] == "<="):
            faults.append(f"looks like a check and cannot be read as one: {line}")
        elif match["verdict"] == "fails" and not below.startswith(BROKEN):
            faults.append(f"fails, but does not say what was broken: {line}")
        else:
            record = {name: _number(match[name]) for name in ("measured", "predicted", "error", "tolerance")}
            record = {"claim": match["claim"], "verdict": match["verdict"], **record,
                      "entries": int(match["entries"] or 1)}
            if match["verdict"] == "holds":
                record["uncertainty"] = match["uncertainty"] and _number(match["uncertainty"])
            else:
                record["breaks"] = below.removeprefix(BROKEN)
            records.append(record)
    return records, faults


def anchor(claim, kind="claim", number=None):
    """The id of a claim, or of one of its controls, in the pages."""
    words = re.findall(r"[a-z0-9]+", f"{kind} {claim}".lower())
    return "-".join(words + ([str(number)] if number else []))


def _link(chapter, target):
    return f"../chapters/{chapter}.html#{target}"


def _kind(source, claim):
    """The kind of the check that prints this claim, from the call in its cell; None without one."""
    calls = [call for call in ast.walk(ast.parse(source))
             if isinstance(call, ast.Call) and _called(call) in KINDS and call.args]
    fitting = [(_pattern(call.args[0]), KINDS[_called(call)]) for call in calls]
    fitting = [(len(pattern), kind) for pattern, kind in fitting if fnmatch.fnmatchcase(claim, pattern)]
    return max(fitting)[1] if fitting else None  # the longest pattern says most


def _called(call):
    """The name of the function, with or without its module."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _pattern(argument):
    """The names that the first argument of a check can take, as a shell pattern."""
    if isinstance(argument, ast.Constant):
        return argument.value
    if isinstance(argument, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "*" for part in argument.values)
    return "*"


def _count(claims):
    return {"checks": len(claims), "controls": sum(len(claim["controls"]) for claim in claims),
            "without_control": sum(not claim["controls"] for claim in claims)}


def _title(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# (.+)", prose, re.MULTILINE)
    return title and title[1]


def _number(shown):
    number = float(shown)
    return number if math.isfinite(number) else shown
