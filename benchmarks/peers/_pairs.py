"""All pairs, by name."""

from __future__ import annotations

from benchmarks.peers import mace, nequip, sevenn, torchmd
from benchmarks.peers._pair import Pair

PAIRS: dict[str, Pair] = {
    pair.name: pair for module in (sevenn, nequip, mace, torchmd) for pair in module.PAIRS
}
