"""Pages generated when the site is built: cards, examples, API reference."""

from __future__ import annotations

import inspect
import re
import reprlib
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Output folder; not tracked by git.
MADE = Path(__file__).resolve().parent / "made"
#: Packages whose public names form the API, with their contents.
PACKAGES = {
    "geozoo.nn": "Layers",
    "geozoo.models": "Models",
    "geozoo.ops": "Operations that layers are built from",
    "geozoo.geometry": "Rotations, grids, invariants, graphs",
    "geozoo.ode": "ODE solvers",
    "geozoo.physics": "Energies from physics that a potential may contain",
    "geozoo.diffusion": "Denoising diffusion on point clouds",
    "geozoo.data": "Datasets, stores, protocols",
    "geozoo.tasks": "Training tasks: losses, metrics, outputs",
    "geozoo.metrics": "Metrics",
    "geozoo.contracts": "Interfaces of models and meaning of metrics, as protocols",
    "geozoo.hub": "Trained models as files; `geozoo.load` is the `load` of this package",
    "geozoo.checks": "Checks of arguments",
    "geozoo.testing": "The contract against which your own layers can be tested",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r'"""(.+?)[.\n"]')


def write_pages() -> None:
    """Write all generated pages."""
    for kind in ("models", "datasets"):
        for card in sorted((ROOT / kind).glob("*/README.md")):
            _write(f"{kind}/{card.parent.name}.md", _linked(card, up="../"))
    _write("extend.md", _linked(ROOT / "CONTRIBUTING.md", up=""))
    for path in sorted((ROOT / "examples").glob("*.py")):
        _write(f"examples/{path.stem}.md", _example(path))
    for package, what in PACKAGES.items():
        _write(f"interface/{package}.rst", _interface(package, what))


def _write(name: str, content: str) -> None:
    """Write a page unless it is unchanged, so that Sphinx does not rebuild it."""
    path = MADE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")


def _linked(source: Path, *, up: str) -> str:
    """A card whose links to other cards lead to their pages; other links become plain text."""

    def replace(found: re.Match[str]) -> str:
        picture, text, target, anchor = found.groups()
        if target.startswith(("http://", "https://")):
            return found[0]
        path = (source.parent / target).resolve()
        kind, name = path.parent.parent.name, path.parent.name
        if path.name == "README.md" and kind in ("models", "datasets"):
            return f"[{text}]({up}{kind}/{name}.md{anchor or ''})"
        return text if picture else f"{text} (`{path.relative_to(ROOT)}`)"

    return _LINK.sub(replace, source.read_text(encoding="utf-8"))


def _example(path: Path) -> str:
    """A script as a page."""
    code = path.read_text(encoding="utf-8")
    found = _TITLE.search(code)
    title = found[1] if found else path.stem
    return f"# {title}\n\n`{path.relative_to(ROOT)}`\n\n```python\n{code}```\n"


def _interface(package: str, what: str) -> str:
    """Every public name of a package with its docstring."""
    module = import_module(package)
    names = sorted((n for n in module.__all__ if not n.startswith("_")), key=str.lower)
    parts = [_entry(package, name, getattr(module, name)) for name in names]
    return "\n".join([package, "=" * len(package), "", f"{what}.", "", *parts])


def _entry(package: str, name: str, value: Any) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {package}.{name}\n   :members:\n"
    if callable(value) and hasattr(value, "__name__"):
        return f".. autofunction:: {package}.{name}\n"
    shown = reprlib.repr(value).replace("\\", "\\\\")
    return f".. py:data:: {package}.{name}\n   :value: {shown}\n"
