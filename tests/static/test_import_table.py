"""Which room of the package may import which, and how light the tensor rooms stay."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "geozoo"
#: Room -> rooms it may import. The command line may import everything.
ALLOWED = {
    "contracts": set(),
    "checks": set(),
    "options": set(),
    "files": set(),
    "machine": set(),
    "ops": set(),
    "geometry": {"ops"},
    "ode": set(),
    "nn": {"checks", "ops", "geometry", "ode", "options"},
    "models": {"checks", "ops", "geometry", "nn", "ode", "options"},
    "physics": {"geometry", "ops"},
    "data": {"contracts", "checks", "files", "ops", "geometry", "options"},
    "diffusion": {"ops"},
    # What counts as a bond is told in one place, that of molecules.
    "metrics": {"data", "geometry", "ops"},
    "figures": {"metrics"},
    # Tasks measure their own equivariance error, hence the rotations, and name their own figures.
    "tasks": {
        "contracts",
        "checks",
        "data",
        "diffusion",
        "figures",
        "geometry",
        "metrics",
        "options",
        "physics",
    },  # fmt: skip
    "configs": set(),
    "config": {"contracts", "options"},
    "results": {"contracts", "config"},
    "hub": {
        "contracts",
        "config",
        "data",
        "files",
        "geometry",
        "machine",
        "metrics",
        "options",
        "tasks",
    },  # fmt: skip
    "engines": {"contracts", "data", "files", "geometry", "hub", "tasks"},
    "teaching": {"checks", "data", "engines", "files", "hub"},
    "runs": {
        "contracts",
        "config",
        "data",
        "files",
        "hub",
        "machine",
        "options",
        "results",
        "tasks",
    },  # fmt: skip
    "report": {
        "contracts",
        "config",
        "data",
        "figures",
        "files",
        "hub",
        "metrics",
        "results",
        "runs",
        "tasks",
    },  # fmt: skip
    "sweeps": {"contracts", "figures", "files", "machine", "report", "results", "runs"},
    "testing": {"contracts", "geometry"},
    "zoo": {"config"},
}
ALLOWED["cli"] = {*ALLOWED, "cli"}
LIGHT = (
    "checks", "contracts", "options", "ops", "geometry", "ode", "diffusion", "nn", "models",
    "physics", "testing",
)  # fmt: skip
HEAVY = {
    "hydra", "lightning", "matplotlib", "omegaconf", "pooch", "pytest", "pytorch_lightning", "rich",
    "safetensors", "torch_geometric", "torch_scatter", "torchdiffeq", "torchmetrics",
}  # fmt: skip
#: Libraries that a room other than these has no business with. A light room may name its own, if it
#: loads it only when called.
ONLY_IN = {
    "hydra": {"cli", "config", "runs"},
    "omegaconf": {"cli", "config", "report", "runs"},
    "lightning": {"cli", "data", "runs", "tasks"},
    "matplotlib": {"figures"},
    "rich": {"cli", "files", "report", "runs"},
    "torchmetrics": {"metrics", "tasks"},
    "torchdiffeq": {"ode"},
}


def imported(source, package):
    """Full names of all modules that a file imports, wherever it does so."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(parts) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def forbidden(source, room, package):
    """What a file of a room imports and should not."""
    found = set()
    for name in imported(source, package):
        first, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if first == "geozoo" and other in ALLOWED and other not in {room, *ALLOWED[room]}:
            found.add(f"geozoo.{other}")
        heavy = first in HEAVY and room in LIGHT
        if room not in ONLY_IN.get(first, set() if heavy else {room}):
            found.add(first)
    return found


def files_of(room):
    return sorted([*(PACKAGE / room).rglob("*.py"), *(PACKAGE / room).rglob("*.pyi")])


def test_every_room_is_in_the_table():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(ALLOWED)


def test_the_contributing_guide_has_the_same_table():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `geozoo/(\w+)` \| .* \| ([\w, ]+) \|$", text, re.M)
    stated = {room: set() if may == "nothing" else set(may.split(", ")) for room, may in rows}
    assert stated.pop("cli") == {"everything"}
    # YAML files alone, and the former name of geozoo.config.
    told = {room: may for room, may in ALLOWED.items() if room not in ("cli", "configs", "zoo")}
    assert stated == told


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_only_what_it_may(room):
    faults = {}
    for path in files_of(room):
        package = ".".join(path.relative_to(ROOT).parent.parts)
        if found := forbidden(path.read_text(), room, package):
            faults[str(path.relative_to(ROOT))] = sorted(found)
    assert not faults


@pytest.mark.parametrize(
    ("source", "room", "expected"),
    [
        ("from geozoo.nn import PointConv", "data", {"geozoo.nn"}),
        ("def f():\n    import geozoo.models.ponita", "tasks", {"geozoo.models"}),
        ("from geozoo import data", "nn", {"geozoo.data"}),
        ("from ..models import Ponita", "nn", {"geozoo.models"}),
        ("import lightning.pytorch as L", "nn", {"lightning"}),
        ("from torch_geometric.data import Data", "models", {"torch_geometric"}),
        ("import hydra", "data", {"hydra"}),
        ("def f():\n    import torchdiffeq", "nn", {"torchdiffeq"}),
        ("def f():\n    import torchdiffeq", "ode", set()),
        ("from geozoo.ops import scatter\nimport torch", "nn", set()),
        ("from geozoo.models import Ponita\nimport hydra, lightning", "cli", set()),
        ("from . import conv\nfrom ..ops import scatter", "nn", set()),
    ],
)
def test_the_check_sees_what_it_should(source, room, expected):
    assert forbidden(source, room, f"geozoo.{room}") == expected


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    options = {"check": True, "capture_output": True, "text": True, "cwd": ROOT}
    return set(subprocess.run([sys.executable, "-c", code], **options).stdout.split())


def test_tensor_rooms_load_no_trainer():
    rooms = ", ".join(f"geozoo.{room}" for room in LIGHT)
    loaded = loaded_by(f"import {rooms}")
    assert "torch" in loaded
    assert not loaded & HEAVY


def test_figures_load_matplotlib_when_one_is_drawn():
    loaded = loaded_by("from geozoo.figures import Figure, plot_graphs")  # as tasks do
    assert "torch" in loaded
    assert not loaded & {"matplotlib", "PIL", "rdkit"}


def test_the_look_at_loaded_modules_can_see_one():
    assert "omegaconf" in loaded_by("import omegaconf")
