"""The table of ``docs/speed.md``, made from the newest record of each pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks._record import FOLDER
from benchmarks.peers._pairs import PAIRS

PAGE = Path(__file__).parents[2] / "docs" / "speed.md"
BEGIN = "<!-- peers: made from the records by `python -m benchmarks peers --table` -->"
END = "<!-- end of peers -->"
_WORK = {
    "calculator": "call of the ASE calculator",
    "evaluation": "energy, forces",
    "step": "training step on energies and forces",
    "property": "training step on a scalar",
}


def records(threads: int = 1) -> list[dict[str, Any]]:
    """The newest record of each pair with a number of threads, in the order of the pairs."""
    path = FOLDER / "peers.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    newest = {row["pair"]: row for row in rows if row["threads"] == threads}
    return [newest[name] for name in PAIRS if name in newest]


def table(rows: list[dict[str, Any]], two_threads: list[dict[str, Any]]) -> str:
    """A line per pair.

    Args:
        rows: records with one thread, which are compared by CPU time.
        two_threads: records with two threads, which are compared by the time of the clock.
    """
    waited = {row["pair"]: f"{row['times_faster_wall']:.2f}" for row in two_threads}
    lines = [
        "| networks | structures | work | ours | theirs | times faster (range) | with two threads "
        "| memory, ours / theirs (MiB) | function |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        pair, work = PAIRS[row["pair"]], _WORK[row["work"]]
        if row["work"] == "evaluation" and pair.with_stress:
            work += ", stress"
        low, high = row["times_faster_range"]
        cells = [
            pair.title, row["system"], work,
            *(_seconds(row[side]["cpu_seconds"]) for side in ("ours", "theirs")),
            f"{row['times_faster']:.2f} ({low:.2f} to {high:.2f})",
            waited.get(row["pair"], ""),
            f"{row['ours']['mib']:.0f} / {row['theirs']['mib']:.0f}", _function(row),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _function(row: dict[str, Any]) -> str:
    if row["differs"]:
        return f"differs: {row['differs']}"
    return f"the same, results {max(row['deviation'].values()):.0e} apart"


def page(text: str, rows: list[dict[str, Any]], two_threads: list[dict[str, Any]]) -> str:
    """The page with a new table between its markers.

    Raises:
        ValueError: If the page does not contain each marker exactly once.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{PAGE.name} must contain {BEGIN!r} and {END!r} once each")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(rows, two_threads)}\n\n{END}{rest.split(END)[1]}"


def write() -> None:
    """Write the table into the page."""
    text = page(PAGE.read_text(encoding="utf-8"), records(), records(threads=2))
    PAGE.write_text(text, encoding="utf-8")
