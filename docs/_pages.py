"""Pages that are made when the site is built: cards, examples, the interface."""

from __future__ import annotations

import inspect
import re
import reprlib
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Where they are written; nothing in there is kept in git.
MADE = Path(__file__).resolve().parent / "made"
#: Rooms whose public names are the interface, with what they hold.
ROOMS = {
    "geozoo.nn": "Layers",
    "geozoo.models": "Networks",
    "geozoo.ops": "Operations that the layers are made of",
    "geozoo.geometry": "Rotations, grids, invariants, graphs",
    "geozoo.ode": "Solvers of differential equations",
    "geozoo.diffusion": "Denoising diffusion of points",
    "geozoo.data": "Data sets, stores, protocols",
    "geozoo.tasks": "What is learned, and how it is measured",
    "geozoo.metrics": "Measures",
    "geozoo.contracts": "What a model offers, and what a measure means, as protocols",
    "geozoo.hub": "Trained models as files; `geozoo.load` is the `load` of this room",
    "geozoo.checks": "Checks of arguments",
    "geozoo.testing": "The contract that a layer of your own can be tested against",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r'"""(.+?)[.\n"]')


def write_pages() -> None:
    """Write all of them anew."""
    for kind in ("models", "datasets"):
        for card in sorted((ROOT / kind).glob("*/README.md")):
            _write(f"{kind}/{card.parent.name}.md", _linked(card, up="../"))
    _write("extend.md", _linked(ROOT / "CONTRIBUTING.md", up=""))
    for path in sorted((ROOT / "examples").glob("*.py")):
        _write(f"examples/{path.stem}.md", _example(path))
    for room, what in ROOMS.items():
        _write(f"interface/{room}.rst", _interface(room, what))


def _write(name: str, content: str) -> None:
    """Write a page, unless it is there as it is: what has not changed is not built again."""
    path = MADE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")


def _linked(source: Path, *, up: str) -> str:
    """A card whose links to other cards lead to their pages; what is no page stays a name."""

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
    """A script, to be read from top to bottom."""
    code = path.read_text(encoding="utf-8")
    found = _TITLE.search(code)
    title = found[1] if found else path.stem
    return f"# {title}\n\n`{path.relative_to(ROOT)}`\n\n```python\n{code}```\n"


def _interface(room: str, what: str) -> str:
    """Every public name of a room with its docstring."""
    module = import_module(room)
    names = sorted((n for n in module.__all__ if not n.startswith("_")), key=str.lower)
    parts = [_entry(room, name, getattr(module, name)) for name in names]
    return "\n".join([room, "=" * len(room), "", f"{what}.", "", *parts])


def _entry(room: str, name: str, value: Any) -> str:
    if inspect.isclass(value):
        return f".. autoclass:: {room}.{name}\n   :members:\n"
    if callable(value) and hasattr(value, "__name__"):
        return f".. autofunction:: {room}.{name}\n"
    shown = reprlib.repr(value).replace("\\", "\\\\")
    return f".. py:data:: {room}.{name}\n   :value: {shown}\n"
