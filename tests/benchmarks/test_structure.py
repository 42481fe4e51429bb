"""Size and import graph of a package: a small one, and this one."""

import subprocess
import sys

import pytest

from benchmarks.structure import ROOT, Source, floors, main

FILES = {
    "__init__.py": "",
    "ops/__init__.py": "",
    "ops/__init__.pyi": "from .sums import total\n",
    "ops/sums.py": "import math\n\n\ndef total(): ...\n",
    "data/__init__.py": "import lazy_loader\n",
    "data/__init__.pyi": "from .batch import Batch\n",
    "data/batch.py": "from geozoo import ops\n\n\nclass Batch:\n"
    "    def __init__(self, a, *, b): ...\n",
    "data/store.py": "from typing import TYPE_CHECKING\n\nfrom geozoo.data import Batch\n"
    "if TYPE_CHECKING:\n    from geozoo.tasks import Task\n",
    "data/own/__init__.py": "",
    "data/own/table.py": "from ..store import x\nfrom . import rows\n"
    "import geozoo.data.own.table\n",
    "data/own/rows.py": "def late():\n    from geozoo.data.own.table import y\n",
    "tasks/__init__.py": "from geozoo.data.store import x\n",
    "runs/__init__.py": "from geozoo.tasks import a\nfrom geozoo.hub import b\n",
    "hub/__init__.py": "import geozoo.runs\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "geozoo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_arrows_floors_and_cycles_of_packages(root):
    graph = Source(root).between_packages()
    assert set(graph.edges) == {
        ("data", "ops"), ("tasks", "data"), ("runs", "tasks"), ("runs", "hub"), ("hub", "runs"),
    }  # fmt: skip
    assert floors(graph) == (["hub = runs", "tasks", "data", "ops"], ["hub = runs"])


def test_arrows_between_files_lead_to_where_a_name_is_defined(root):
    graph = Source(root).between_files("data")
    assert set(graph) == {"batch", "store", "own.table", "own.rows"}
    assert set(graph.edges) == {
        ("store", "batch"), ("own.table", "store"), ("own.table", "own.rows"),
        ("own.rows", "own.table"),
    }  # fmt: skip
    assert floors(graph)[0] == ["own.rows = own.table", "store", "batch"]


@pytest.mark.thorough
def test_another_checkout_is_printed(root, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["structure", f"root={root}", "ops"])
    main()
    printed = capsys.readouterr().out
    assert "│ data    │ 6     │ 16    │" in printed and "│ all     │ 12    │ 24    │" in printed
    assert "│ files of ops │ 1     │ 0      │ 1      │ sums" in printed
    assert "longest constructors: Batch 2" in printed
    for given, message in ((f"root={root}/no", "root must be"), ("nope", "nope must be a package")):
        monkeypatch.setattr(sys, "argv", ["structure", given])
        with pytest.raises(SystemExit):
            main()
        assert message in capsys.readouterr().err


def test_this_package_has_no_cycles_and_is_read_without_torch():
    chain, cycles = floors(Source(ROOT).between_packages())
    assert chain[0] == "cli" and chain[-1] == "ops" and not cycles
    code = "import sys, benchmarks.structure; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
