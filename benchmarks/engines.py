"""Time per step of programs that run potentials, next to ASE with the same potential.

    python -m benchmarks.engines lammps --help

``--record`` appends to ``benchmarks/results/engines.jsonl``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import _lammps_engine

#: Functions of the remaining arguments, by engine.
ENGINES: dict[str, Callable[[list[str]], None]] = {"lammps": _lammps_engine.main}


def main() -> None:
    """Run the benchmark of an engine."""
    if len(sys.argv) < 2 or sys.argv[1] not in ENGINES:
        raise SystemExit(f"usage: python -m benchmarks.engines {{{','.join(ENGINES)}}} [...]")
    ENGINES[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    main()
