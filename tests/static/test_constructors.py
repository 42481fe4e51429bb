"""How many arguments a constructor takes: beyond a number of them, options stand in groups."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 14
#: Classes whose fields are columns of a file or keys of a command: nobody writes such a call.
TABLES = {"Predict", "Result", "RunOptions"}


def constructors(source):
    """The number of arguments of every public class: of ``__init__``, or fields of a dataclass."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
            found[node.name] = sum(isinstance(line, ast.AnnAssign) for line in node.body)
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                given = method.args
                every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
                found[node.name] = len(every) - 1
    return found


def test_no_constructor_takes_too_many_arguments():
    found = {}
    for path in (ROOT / "geozoo").rglob("*.py"):
        found |= constructors(path.read_text())
    assert len(found) > 150 and found["Ponita"] == found["GramODE"] == MOST
    long = {name: number for name, number in found.items() if number > MOST}
    assert set(long) == TABLES


def test_a_long_constructor_would_be_seen():
    names = ", ".join(f"a{number}" for number in range(MOST + 1))
    assert constructors(f"class A:\n def __init__(self, {names}): ...") == {"A": MOST + 1}
    fields = "\n".join(f" a{number}: int" for number in range(MOST + 1))
    assert constructors(f"@dataclass(frozen=True)\nclass B:\n{fields}") == {"B": MOST + 1}
