"""File the output of a job: records, the state of a training run, its result.

    python -m benchmarks.gpu.keep FOLDER

``FOLDER`` holds the returned files of a job, with all subfolders. Records go to
``benchmarks/results/gpu.jsonl`` and get an id, by which ``QUEUE.md`` refers to them; the table of a
job is printed. The run folder of a training job goes to ``runs/gpu/<job>`` and its state to
``benchmarks/gpu/state``, from where the next job resumes; its test errors become rows of
``models/<model>/results.csv``, marked with the epochs completed (`geozoo record`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.gpu._job import RECORDS, ROOT
from benchmarks.gpu._runs import pack_run, pieces_of, unpack_run

STATE = ROOT / "benchmarks" / "gpu" / "state"


def record_id(line: str) -> str:
    """Six digits that identify a record by its content."""
    return hashlib.sha256(line.encode()).hexdigest()[:6]


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records below a folder by their id, excluding rehearsals."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "job" in row and not row.get("rehearsal"):
                found[record_id(line)] = row
    return found


def add_records(rows: dict[str, dict[str, Any]], path: Path) -> list[str]:
    """Append the records that are not in the file yet; return their ids."""
    known = set()
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        known = {json.loads(line)["id"] for line in lines}
    new = [key for key in rows if key not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for key in new:
            file.write(json.dumps({"id": key, **rows[key]}) + "\n")
    return new


def keep_run(folder: Path, job: str, runs: Path, state: Path) -> Path | None:
    """Restore the run of a job and keep its state for the next one; return its folder, if any.

    A finished run needs no state any more.
    """
    pieces = pieces_of(folder, job)
    if not pieces:
        return None
    place = runs / job
    if place.exists():
        shutil.rmtree(place)
    unpack_run(pieces[0].parent, job, place)
    for piece in pieces_of(state, job):
        piece.unlink()
    if not is_whole(place):
        state.mkdir(parents=True, exist_ok=True)
        pack_run(place, state, job)
    return place


def is_whole(run: Path) -> bool:
    """Whether all epochs of a run are completed."""
    from geozoo.runs.checkpoints import read_checkpoint
    from geozoo.runs.folder import RunFolder

    last = read_checkpoint(RunFolder(run).last)
    return last.epochs >= last.record["config"]["trainer"]["max_epochs"]


def table(rows: Iterable[tuple[str, dict[str, Any]]]) -> str:
    """One line per record: id, case, milliseconds, memory, shares of the peaks."""
    lines = [f"{'id':6} {'case':42} {'ms':>9} {'MiB':>6} {'products':>8} {'copy':>6}"]
    for key, row in rows:
        words = [row.get("case"), row.get("form"), row.get("precision")]
        name = " ".join(str(word) for word in words if word)
        name += " captured" if row.get("is_captured") else ""
        if "seconds" not in row:
            told = row.get("failed") or row.get("summary") or f"{row.get('test')}"
            lines.append(f"{key:6} {name:42} {told}")
            continue
        shares = [_percent(row.get(part)) for part in ("share_of_products", "share_of_copy")]
        mib = "-" if row.get("mib") is None else f"{row['mib']:.0f}"
        cells = f"{1e3 * row['seconds']:>9.3f} {mib:>6} {shares[0]:>8} {shares[1]:>6}"
        lines.append(f"{key:6} {name:42} {cells}")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="what came back")
    folder = parser.parse_args().folder
    rows = read_records(folder)
    if not rows:
        parser.error(f"{folder} holds no records of a job (a rehearsal's do not count)")
    new = add_records(rows, RECORDS)
    sys.stdout.write(f"{table(rows.items())}\n{len(new)} of {len(rows)} are new in {RECORDS}\n")
    for job in sorted({row["job"] for row in rows.values()}):
        run = keep_run(folder, job, ROOT / "runs" / "gpu", STATE)
        if run is None:
            continue
        sys.stdout.write(f"the run of {job} is in {run}\n")
        if (run / "result.csv").is_file():
            from geozoo.runs.recording import record_runs

            try:
                sys.stdout.write(f"recorded in {record_runs([run]).path}\n")
            except ValueError as error:  # the other jobs are filed all the same
                sys.stderr.write(f"not recorded: {error}\n")


if __name__ == "__main__":
    main()
