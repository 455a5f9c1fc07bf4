"""The architecture: two wings that share no mathematics, rooms in layers, no network, docstrings."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import deepdyn_np as dd

ROOT = Path(dd.__file__).parent
NEUTRAL = {"deepdyn_np.errors", "deepdyn_np.progress"}
LAYERS = ["networks", "losses", "objective", "dynamics", "measures"]  # a room sees those before it
EXPERIMENT = [*LAYERS, "data"]
FIGURES = {"matplotlib", "cycler", "PIL"}
CLASSROOM = {"nbformat"}  # for instructors, who have the book's requirements
DEVELOPER = {"sklearn"}  # data/make_npz.py, run once, by hand

modules = {".".join(["deepdyn_np", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
           for path in sorted(ROOT.rglob("*.py"))}
each_module = pytest.mark.parametrize("name", modules)


def imports(source, package):
    """Full names of all that a source imports, inside functions too; relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            origin = ".".join(filter(None, [base, node.module]))
            # `from deepdyn_np import theory` imports the room, not just the package
            yield from (f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in modules else origin
                        for alias in node.names)


def imported_by(name):
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    return set(imports(modules[name].read_text(), package))


def room(name):
    """``networks`` for ``deepdyn_np.networks.mlp``."""
    return name.split(".")[1] if "." in name else ""


def test_the_scan_sees_every_way_to_import():
    source = ("import numpy.linalg as l\nfrom . import mlp\nfrom ..theory.svm import nnls\n"
              "def f():\n    from deepdyn_np import theory, gd\n    import scipy")
    assert set(imports(source, "deepdyn_np.networks")) == {
        "numpy.linalg", "deepdyn_np.networks.mlp", "deepdyn_np.theory.svm", "deepdyn_np.theory",
        "deepdyn_np", "scipy"}
    assert {"networks", "losses", "dynamics", "measures", "theory", "data"} <= {room(m) for m in modules}


@each_module
def test_theory_and_experiment_do_not_import_each_other(name):
    inside = {other for other in imported_by(name) if other.startswith("deepdyn_np")} - NEUTRAL
    if room(name) == "theory":
        assert all(room(other) == "theory" for other in inside), inside
        outside = {other.split(".")[0] for other in imported_by(name)} - {"deepdyn_np"}
        assert outside - set(sys.stdlib_module_names) <= {"numpy"}
    elif room(name) in EXPERIMENT:
        assert not {room(other) for other in inside} & {"theory", "checks", "figures", "sweeps", ""}, inside
    elif name in NEUTRAL:
        assert not inside


@each_module
def test_a_room_imports_only_rooms_below_it(name):
    if room(name) in LAYERS:
        allowed = [*LAYERS[: LAYERS.index(room(name)) + 1], "errors", "progress"]
    elif room(name) in ("data", "checks", "figures", "sweeps"):
        allowed = [room(name), "errors", "progress"]
    else:
        return
    used = {room(other) for other in imported_by(name) if other.startswith("deepdyn_np")}
    assert used <= set(allowed)


@each_module
def test_no_room_imports_the_classroom_and_students_get_nothing_of_the_package(name):
    inside = {other for other in imported_by(name) if other.startswith("deepdyn_np")}
    if room(name) != "classroom":
        assert "classroom" not in {room(other) for other in inside}
    elif name.endswith((".launch", ".worker")):  # what runs beside a student's code, or around it
        assert not inside


@each_module
def test_nothing_but_numpy_and_matplotlib(name):
    outside = {other.split(".")[0] for other in imported_by(name)} - {"deepdyn_np", "numpy"}
    allowed = FIGURES if name == "deepdyn_np.figures" else set()
    allowed = allowed | (CLASSROOM if room(name) == "classroom" else set())
    allowed = allowed | (DEVELOPER if name == "deepdyn_np.data.make_npz" else set())
    assert outside - set(sys.stdlib_module_names) <= allowed


def test_importing_opens_no_socket_and_loads_neither_scipy_nor_a_file_of_the_developer():
    code = ("import socket, sys\n"
            "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
            "socket.socket.connect = socket.socket.bind = socket.create_connection = refuse\n"
            "socket.getaddrinfo = refuse\n"
            "import deepdyn_np as dd\n"
            "dd.data.digits()\n"
            "loaded = {'scipy', 'sklearn', 'torch', 'pandas', 'deepdyn_np.data.make_npz', 'deepdyn_np.classroom'} & set(sys.modules)\n"
            "sys.exit(str(loaded) if loaded else 0)")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


# --- docstrings -----------------------------------------------------------------------------------


def public():
    """Every public function and class, and every public method, where it is defined."""
    for name in modules:
        if name.endswith("make_npz"):
            continue
        module = importlib.import_module(name)
        for key, value in vars(module).items():
            if key.startswith("_") or getattr(value, "__module__", None) != name:
                continue
            if inspect.isclass(value):
                yield f"{name}.{key}", value
                for method, function in vars(value).items():
                    written_here = getattr(function, "__qualname__", "") == f"{key}.{method}"
                    if inspect.isfunction(function) and written_here and not method.startswith("_"):
                        yield f"{name}.{key}.{method}", function
            elif inspect.isfunction(value):
                yield f"{name}.{key}", value


documented = dict(public())


@pytest.mark.parametrize("name", documented)
def test_everything_public_has_a_docstring_that_begins_with_its_meaning(name):
    text = inspect.getdoc(documented[name])
    assert text and re.match(r"\S.{5,}", text.splitlines()[0]), name


def reexported():
    """What a reader reaches by name: the lists ``__all__`` of the package and of its rooms."""
    for module in [dd, *(importlib.import_module(m.name) for m in pkgutil.iter_modules(
            dd.__path__, "deepdyn_np.") if m.ispkg)]:
        yield from (getattr(module, name) for name in module.__all__)


def test_what_is_reexported_exists_and_the_rest_names_its_chapter():
    """For every function that can be had from the top of a room."""
    reached = [item for item in reexported() if inspect.isfunction(item)]
    assert reached
    chapter = re.compile(r"chapters?\s+\d\d_[a-z_]+")
    for name, item in documented.items():
        offered = inspect.isfunction(item) and item.__qualname__ == item.__name__ and (
            hasattr(sys.modules[f"deepdyn_np.{room(name)}"], item.__name__))
        if offered and room(name) not in ("errors", "figures", "classroom"):  # dd.figures is offered whole
            assert item in reached or chapter.search(inspect.getdoc(item)), name


def test_every_chapter_that_a_docstring_names_has_a_two_digit_number():
    for name, item in documented.items():
        for found in re.findall(r"chapters?\s+(\w+)", inspect.getdoc(item) or ""):
            assert re.fullmatch(r"\d\d_[a-z_]+", found), (name, found)
