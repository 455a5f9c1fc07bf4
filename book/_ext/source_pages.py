"""Let the pages of the source code lead back to the right entries.

Sphinx takes the name under which the first object of a file is documented, `deepdyn_np.MLP`, for the
way to all objects of that file; `deepdyn_np.networks.Features` is documented under another.
"""

import re


def correct_way_back(app, pagename, templatename, context, doctree):
    if pagename.startswith("_modules/"):
        # of one object, every name under which it may be met, and its anchor
        anchors = {name: entry.node_id for name, entry in app.env.domaindata["py"]["objects"].items()}

        def existing(link):
            short = "." + link[1].rpartition(".")[2]
            anchor = anchors.get(link[1]) or next(a for name, a in anchors.items() if name.endswith(short))
            return f'#{anchor}">'

        context["body"] = re.sub(r'#(deepdyn_np\.[\w.]+)">', existing, context["body"])


def setup(app):
    app.connect("html-page-context", correct_way_back)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
