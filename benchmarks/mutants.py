"""Results of mutation testing: mutants killed in each package, and a list of the survivors.

    mutmut run --max-children 2                 # hours; see CONTRIBUTING.md
    python -m benchmarks.mutants --record

Reads ``mutants/`` in the root of the project, from a complete run. The survivors go to
``benchmarks/results/surviving_mutants.csv``, each with a verdict: an existing verdict for the same
change is kept, one of a regular kind (`KINDS`) is filled in, the others are left for a person to
write. The counts go to ``benchmarks/results/mutants.jsonl``.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks._record import FOLDER, record

SURVIVORS = FOLDER / "surviving_mutants.csv"
COLUMNS = ("function", "before", "after", "judgement")


class Survivor(NamedTuple):
    """A mutant that no test detected.

    Attributes:
        function: dotted name of the mutated function.
        before: the original lines.
        after: the mutated lines.
    """

    function: str
    before: str
    after: str


def _without(pattern: str) -> Callable[[str], str]:
    return lambda line: re.sub(r",?\s*\)", ")", re.sub(pattern, "", line))


#: Regular kinds: a verdict, and what makes both lines equal where it applies.
KINDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("same program: a type or device that its place has anyway, as tests run on one device",
     _without(r",?\s*(dtype|device|memory_format)=[\w.]+(\(\))?|\.to\([\w.]*\)")),
    ("same program: an assertion that lists are equally long", _without(r",?\s*strict=\w+")),
    ("same program: None is as false as False", lambda line: line.replace("=None", "=False")),
    ("same program: an axis counted from the other end, or the only one",
     lambda line: re.sub(r"(?<!\w)[-+](?=\d\b)|\bdim=", "", line)),
    ("same program: letters of an einsum",
     lambda line: line.lower() if "einsum" in line else line),
    ("wording of a message", lambda line: _unsaid(line) if _speaks(line) else line),
    ("a single number at a bound", lambda line: re.sub(r"[<>]=?", "<", line)),
)  # fmt: skip


def _speaks(line: str) -> bool:
    return bool(re.search(r"check_\w+\(|raise |^f?[\"']|^None$", line))


def _unsaid(line: str) -> str:
    """The line without its wording: text of an error, names of arguments and axes of a check."""
    if re.match(r"raise |f?[\"']|None$", line):
        return ""
    return re.sub(r"(?<=check_)(\w+\()None", r'\1"name"', re.sub(r'"[^"]*"', '"name"', line))


def judge(survivor: Survivor) -> str:
    """Return the verdict of a regular kind, or nothing."""
    for judgement, plain in KINDS:
        if plain(survivor.before) == plain(survivor.after):
            return judgement
    return ""


def outcomes() -> Iterator[tuple[str, str, str]]:
    """Yield name, file and outcome of every mutant, as reported by mutmut."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            yield name, str(path), status_by_exit_code[code]


def survivor(name: str, path: str) -> Survivor:
    """Return the change that a mutant makes."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    changes = {"-": "", "+": ""}
    for line in get_diff_for_mutant(name, path=path).splitlines():
        if line[:1] in changes and line[:3] not in ("---", "+++"):
            changes[line[0]] = f"{changes[line[0]]} {line[1:].strip()}".strip()
    function = re.sub(r"x_|xǁ", "", name.rsplit("__mutmut_", 1)[0]).replace("ǁ", ".")
    return Survivor(function, changes["-"], changes["+"])


def judged() -> dict[Survivor, str]:
    """Return the verdicts of the existing list."""
    if not SURVIVORS.exists():
        return {}
    with SURVIVORS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {Survivor(*(row[key] for key in COLUMNS[:3])): row["judgement"] for row in rows}


def write(survivors: list[Survivor]) -> Counter[str]:
    """Write the list, sorted by name; return the number of mutants per verdict."""
    known = judged()
    rows = [(*each, known.get(each) or judge(each)) for each in sorted(set(survivors))]
    with SURVIVORS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
    return Counter(row[-1].split(":")[0] for row in rows)


def main() -> None:
    """Count, list and report what is left to judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="keep the counts")
    wanted = parser.parse_args()
    rooms: dict[str, Counter[str]] = {}
    survivors = []
    for name, path, outcome in outcomes():
        rooms.setdefault(Path(path).parts[1], Counter())[outcome] += 1
        if outcome in ("survived", "no tests"):
            survivors.append(survivor(name, path))
    left = sum(counts["not checked"] for counts in rooms.values())
    if left or not rooms:  # the list would lose what people wrote
        parser.error(
            f"mutants/ must hold a whole run, got {left or 'all'} changes not run: mutmut run"
        )
    kinds = write(survivors)
    for room, counts in rooms.items():
        noticed = counts["killed"] + counts["timeout"]  # a test that never ends has detected it
        print(f"{room}: {dict(counts)}, {noticed / counts.total():.1%} noticed")
    print(f"{SURVIVORS}: {dict(kinds)}; {kinds['']} without a judgement")
    if wanted.record:
        record("mutants", {"rooms": rooms, "survivors": kinds})


if __name__ == "__main__":
    main()
