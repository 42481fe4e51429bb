"""Other libraries and ours on the same work: CPU time and memory.

    python -m benchmarks peers                          # all pairs; or python -m benchmarks.peers
    python -m benchmarks peers nequip_aspirin --rounds 9 --threads 2 --record
    python -m benchmarks peers --environments FOLDER    # one per library, made if missing
    python -m benchmarks peers --list
    python -m benchmarks peers --table                  # docs/speed.md from the records

Each library runs in an environment of its own, with the versions of ``pins.toml``, made on first
use (one to two GB each with PyTorch for CPUs). The two sides of a pair are processes that live as
long as the measurement and work in turn (A B A B ...) after a warm-up; the figures are CPU times
(user and system) and medians of their ratio in a round. Memory is the peak of resident memory of
two steps in a fresh process, beyond the built network, after a step on a few atoms that loads and
compiles code. Both sides leave the C library's allocator as it is, compute in float32 and run
eagerly; ours with its compiled kernels. Where both are the same function, weights are copied and
results compared.
``--record`` appends to ``benchmarks/results/peers.jsonl``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks._record import record
from benchmarks.peers._environments import default_folder, environment
from benchmarks.peers._measure import measure
from benchmarks.peers._pairs import PAIRS
from benchmarks.peers._table import write


def main(arguments: list[str] | None = None) -> None:
    """Measure the pairs that are named, or list them, or write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks peers",
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter,
    )  # fmt: skip
    parser.add_argument("pairs", nargs="*", default=list(PAIRS), help="see --list")
    parser.add_argument("--list", action="store_true", help="show the pairs")
    parser.add_argument("--table", action="store_true", help="write the table from the records")
    parser.add_argument("--environments", type=Path, default=default_folder(), metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.pairs if name not in PAIRS]
    if unknown:
        parser.error(f"unknown pair {unknown[0]!r}: expected one of {', '.join(PAIRS)}")
    if options.rounds < 1 or options.threads < 1:
        parser.error(
            f"rounds and threads must be at least 1, got {options.rounds} and {options.threads}"
        )
    if options.table:
        return write()
    for name in options.pairs:
        pair = PAIRS[name]
        if options.list:
            function = pair.differs or "same function"
            print(f"{name}: {pair.title}, {pair.system}, {pair.work}; {function}")
            continue
        python = environment(pair.environment, options.environments.resolve())
        found = measure(pair, python, rounds=options.rounds, threads=options.threads)
        print(described(found), flush=True)
        if options.record:
            record("peers", found)


def described(found: dict[str, Any]) -> str:
    """A measurement in one line."""
    low, high = found["times_faster_range"]
    parts = [f"{found['pair']}: {found['times_faster']:.2f} times faster ({low:.2f} to {high:.2f})"]
    for side in ("ours", "theirs"):
        parts.append(
            f"{side} {1000 * found[side]['cpu_seconds']:.1f} ms, {found[side]['mib']:.0f} MiB"
        )
    if "deviation" in found:
        parts += [f"{name} {value:.0e} apart" for name, value in found["deviation"].items()]
    else:
        parts.append(f"not the same function: {found['differs']}")
    return "; ".join(parts)


if __name__ == "__main__":
    main()
