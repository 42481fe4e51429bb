"""Where files are, how long they get, and what they are called."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_BODY = 60
CODE = sorted(p for top in ("geozoo", "tests", "benchmarks") for p in (ROOT / top).rglob("*.py"))
ROOMS = sorted(path.parent.name for path in (ROOT / "geozoo").glob("*/__init__.py"))


def long_bodies(source):
    """Functions with more lines than allowed, docstring and signature not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body and node.end_lineno - body[0].lineno + 1 > LONGEST_BODY:
                found.append(node.name)
    return found


def test_code_is_found():
    assert len(CODE) > 50


@pytest.mark.parametrize("folder", ["models", "datasets"])
def test_entries_hold_no_python(folder):
    assert (ROOT / folder).is_dir()
    assert not list((ROOT / folder).rglob("*.py"))


def test_no_file_is_too_long():
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in CODE}
    assert not {name: n for name, n in lengths.items() if n > LONGEST_FILE}


def test_no_function_is_too_long():
    faults = {str(p.relative_to(ROOT)): long_bodies(p.read_text()) for p in CODE}
    assert not {name: names for name, names in faults.items() if names}


def test_a_long_function_would_be_seen():
    body = "\n".join(["    x = 1"] * (LONGEST_BODY + 1))
    assert long_bodies(f"def f():\n{body}") == ["f"]
    assert long_bodies(f'def f():\n    """Text."""\n{body[10:]}') == []


def test_files_of_tests_have_different_names():
    # pytest imports the files of tests by their bare name: two of one name break the whole run.
    names = [p.name for p in CODE if p.is_relative_to(ROOT / "tests") and p.name != "__init__.py"]
    names = [name for name in names if name != "conftest.py"]
    assert not {name for name in names if names.count(name) > 1}


def test_every_file_has_a_subject():
    assert not [p for p in CODE if p.stem.strip("_") in {"utils", "util", "helpers", "misc"}]


def test_nothing_is_printed_by_the_tensor_rooms():
    faults = []
    for room in ("ops", "geometry", "nn", "models", "testing"):
        for path in (ROOT / "geozoo" / room).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            if any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls):
                faults.append(path.name)
    assert not faults


@pytest.mark.parametrize("room", ["ops", "geometry", "nn", "models", "testing"])
def test_public_names_are_gathered_sorted_and_documented(room):
    module = importlib.import_module(f"geozoo.{room}")
    assert module.__all__ == sorted(module.__all__)
    undocumented = [
        name
        for name in module.__all__
        if callable(getattr(module, name)) and not getattr(module, name).__doc__
    ]
    assert not undocumented
