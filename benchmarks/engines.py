"""Programs that run potentials, next to ASE with the same potential.

    python -m benchmarks.engines lammps --help
    python -m benchmarks.engines torch_sim --help

``--record`` appends to ``benchmarks/results/engines.jsonl``. Each engine needs its own extra.
"""

from __future__ import annotations

import sys
from importlib import import_module

#: Module of each engine, imported when it is asked for.
ENGINES = {"lammps": "benchmarks._lammps_engine", "torch_sim": "benchmarks._torch_sim_engine"}


def main() -> None:
    """Run the benchmark of an engine."""
    if len(sys.argv) < 2 or sys.argv[1] not in ENGINES:
        raise SystemExit(f"usage: python -m benchmarks.engines {{{','.join(ENGINES)}}} [...]")
    import_module(ENGINES[sys.argv[1]]).main(sys.argv[2:])


if __name__ == "__main__":
    main()
