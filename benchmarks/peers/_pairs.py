"""All pairs, by name."""

from __future__ import annotations

from benchmarks.peers import mace, nequip, pyg, schnetpack, sevenn, torchmd
from benchmarks.peers._pair import Pair

_MODULES = (sevenn, nequip, mace, torchmd, schnetpack, pyg)
PAIRS: dict[str, Pair] = {pair.name: pair for module in _MODULES for pair in module.PAIRS}
