"""HTML elements as nodes of a page: what no directive of Sphinx makes, such as a table with a caption and data."""

from docutils import nodes


class element(nodes.General, nodes.Element):
    """An HTML element ``tag`` with ``attributes``; ``ids``, ``classes`` and children are those of any node."""


def html(tag, *children, **attributes):
    """An element; children are nodes or text, and an underscore in the name of an attribute is a hyphen."""
    ids, classes = attributes.pop("ids", []), attributes.pop("classes", [])
    attributes = {name.strip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    # a prime stays a prime: what was printed is no prose
    made = element(tag=tag, attributes=attributes, ids=ids, classes=classes, support_smartquotes=False)
    made += [nodes.Text(child) if isinstance(child, str) else child for child in children]
    return made


def link(uri, *children):
    """A link to an address that is already relative to the page."""
    return html("a", *children, href=uri, classes=["reference", "internal"])


def table(caption, columns, rows):
    """A small table whose first cells are the heads of the rows; without ``columns`` it has no head."""
    head = [html("thead", html("tr", *(html("th", name, scope="col") for name in columns)))] if columns else []
    body = [html("tr", html("th", first, scope="row"), *(html("td", str(cell), classes=["number"]) for cell in rest))
            for first, *rest in rows]
    made = html("table", html("caption", caption), *head, html("tbody", *body), classes=["records"])
    return html("div", made, classes=["pst-scrollable-table-container"])  # of the theme: scrolls inside itself


def visit_element(self, node):
    self.body.append(self.starttag(node, node["tag"], "", **node["attributes"]))


def depart_element(self, node):
    if node["tag"] != "input":
        self.body.append(f"</{node['tag']}>")


def setup(app):
    app.add_node(element, html=(visit_element, depart_element))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
