"""The built book in another place, on a server and in a folder, and a browser to open it in.

Whatever the tests open is a copy of `_build/html`, in folders with a blank in their names, served
below the root of the server: a page that knows where it was built, or that it is at the root, fails.
"""

import functools
import http.server
import shutil
import threading
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from browser.chromium import Browser, missing


@dataclass(frozen=True)
class Place:
    """Where the book can be read: ``url`` is its folder, ``pages`` the names of its pages in there."""

    url: str
    pages: tuple
    errors: list  # addresses that the server could not answer

    def __truediv__(self, page):
        return f"{self.url}/{page}"


class Handler(http.server.SimpleHTTPRequestHandler):
    def send_error(self, code, *args):
        self.server.errors.append(f"{code} {self.path}")
        super().send_error(code, *args)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def copy(site, tmp_path_factory):
    target = tmp_path_factory.mktemp("readers") / "some where" / "the book"
    shutil.copytree(site, target)
    return target


@pytest.fixture(scope="session")
def pages(copy):
    """Every page but the entrance, which only leads to the first one."""
    names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*.html"))
    return tuple(name for name in names if not name.startswith("_") and name != "index.html")


@pytest.fixture(scope="session")
def folder(copy, pages):
    """The book opened from its folder, without a server."""
    return Place(copy.as_uri(), pages, [])


@pytest.fixture(scope="session")
def served(copy, pages):
    """The book on a static server, not at its root."""
    root = copy.parents[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=root))
    server.errors = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{quote(str(copy.relative_to(root)))}"
    yield Place(address, pages, server.errors)
    server.shutdown()


@pytest.fixture(scope="session", params=["served", "folder"])
def place(request):
    """The book in both places, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if reason := missing():
        pytest.skip(reason)
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()
