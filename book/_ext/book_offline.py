"""Make the built pages whole without a network, and clean for screen readers.

The theme and its parts would load MathJax and Thebe from public servers; here MathJax is copied
from the installed package `sphinx-mathjax-offline`, and Thebe, which the book does not use, is left out.
"""

import importlib.util
import re
import shutil
from pathlib import Path

# The renderer, its fonts, and the TeX extensions it loads on demand: 2 MB of the package's 24.
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")


def copy_mathjax(app, exception):
    if exception or app.builder.format != "html":
        return
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0])
    source, target = package / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    for file in (file for part in MATHJAX_PARTS for file in source.glob(part)):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


# With its punctuation: a browser would begin a line with the full stop after a formula.
FORMULA_IN_LINE = re.compile(
    r'([(\[“‘]*)<span class="math notranslate nohighlight">[^<]*</span>([.,;:!?)\]’”–-]*)')

ENTRANCE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={page}">
<link rel="icon" href="_static/favicon.svg">
<title>{title}</title>
</head>
<body><main><h1>{title}</h1><p><a href="{page}">Open the book</a></p></main></body>
</html>
"""


def write_entrance(app, exception):
    """A page in place of the bare redirect, for which a browser would ask the server's root for an icon."""
    if exception is None and app.builder.format == "html":
        page = ENTRANCE.format(title=app.config.html_title, page=f"{app.config.master_doc}.html")
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def clean_page(app, pagename, templatename, context, doctree):
    context["default_mode"] = "auto"  # unset, it makes the theme complain on every page's console
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in _text(script)]
    if "body" in context:
        # A summary's label must contain its visible text ("Show code cell source").
        body = context["body"].replace('<summary aria-label="Toggle hidden content">', "<summary>")
        # The entries of the bibliography stand in a list; the role they come with is deprecated.
        body = body.replace('role="doc-biblioentry"', 'role="listitem"')
        body = FORMULA_IN_LINE.sub(
            lambda found: f'<span class="kept">{found[0]}</span>' if found[1] or found[2] else found[0], body)
        context["body"] = re.sub(r'<script type="text/x-thebe-config">.*?</script>\s*<script>.*?</script>', "", body,
                                 flags=re.DOTALL)


def _text(script):
    """File name and inline body of a script, in lower case."""
    return f"{script.filename} {script.attributes.get('body', '')}".lower()


def setup(app):
    app.connect("html-page-context", clean_page, priority=900)  # after the theme has added its own
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", write_entrance)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
