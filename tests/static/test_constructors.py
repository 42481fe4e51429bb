"""How many arguments a constructor takes: beyond a number of them, options stand in groups."""

import ast
from pathlib import Path

from benchmarks.structure import constructors

ROOT = Path(__file__).resolve().parents[2]
MOST = 14
#: Classes whose fields are columns of a file or keys of a command: nobody writes such a call.
TABLES = {"Distil", "Predict", "Result", "NequIPOptions", "RunOptions"}


def test_no_constructor_takes_too_many_arguments():
    found = {}
    for path in (ROOT / "geozoo").rglob("*.py"):
        found |= constructors(ast.parse(path.read_text()))
    assert len(found) > 150 and found["Ponita"] == found["GramODE"] == MOST
    long = {name: number for name, number in found.items() if number > MOST}
    assert set(long) == TABLES


def test_a_long_constructor_would_be_seen():
    names = ", ".join(f"a{number}" for number in range(MOST + 1))
    long = ast.parse(f"class A:\n def __init__(self, {names}): ...")
    assert constructors(long) == {"A": MOST + 1}
    fields = "\n".join(f" a{number}: int" for number in range(MOST + 1))
    long = ast.parse(f"@dataclass(frozen=True)\nclass B:\n{fields}")
    assert constructors(long) == {"B": MOST + 1}
