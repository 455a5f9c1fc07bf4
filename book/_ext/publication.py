"""Who wrote the book, and where it is published: read from CITATION.cff, and from nowhere else.

With `repository-code` in that file the pages get launch buttons (Binder, Colab), buttons to the
repository and its issues, and the text marked `only` published. Without it they have none of these,
since each would be a dead link. With `url`, the address of the pages, citations point to the page.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from sphinx.errors import ConfigError

BRANCH = "main"


@dataclass(frozen=True)
class Publication:
    authors: tuple[str, ...]
    bibtex_authors: tuple[str, ...]
    title: str
    version: str
    year: int
    repository: str  # https://github.com/OWNER/NAME, or empty
    site: str  # address of the built pages, ends in a slash, or empty

    def address(self, page):
        """Where a reader finds a page: on the site, else in the repository, else nowhere."""
        return f"{self.site}{page}.html" if self.site else self.repository


def read_publication(root):
    """The publication described by ``root``/CITATION.cff."""
    cff = yaml.safe_load((Path(root) / "CITATION.cff").read_text(encoding="utf-8"))
    people = [(author.get("name"), f"{author.get('given-names')} {author.get('family-names')}")
              for author in cff["authors"]]
    repository, site = cff.get("repository-code", "").rstrip("/"), cff.get("url", "").rstrip("/")
    if repository and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", repository):
        raise ConfigError("CITATION.cff: repository-code must read https://github.com/OWNER/NAME, "
                          f"not {repository}; the launch buttons are made from it")
    if site and not re.match(r"https?://[^/]+", site):
        raise ConfigError(f"CITATION.cff: url must be the web address of the built pages, not {site}")
    return Publication(tuple(group or person for group, person in people),
                       # braces keep the words of a group's name together
                       tuple(f"{{{group}}}" if group else person for group, person in people),
                       cff["title"], str(cff["version"]), cff["date-released"].year, repository,
                       site and site + "/")


def configure(app, config):
    book = read_publication(app.srcdir)
    config.html_baseurl = book.site
    install = f"`%pip install git+{book.repository}`"
    config.myst_substitutions = {**config.myst_substitutions, "install": install}
    if book.repository:
        app.tags.add("published")
        config.html_theme_options = {
            **config.html_theme_options, "repository_url": book.repository, "repository_branch": BRANCH,
            "path_to_docs": "", "use_repository_button": True, "use_issues_button": True,
            "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org",
                               "colab_url": "https://colab.research.google.com"}}


def setup(app):
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
