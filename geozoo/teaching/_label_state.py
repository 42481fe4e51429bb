"""How far the labelling of a file has come, in a small file next to the output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from geozoo.files.folders import atomic_path

#: Appended to the name of the labelled file.
SUFFIX = ".json"


@dataclass
class LabelSummary:
    """What a file of labels contains.

    Attributes:
        frames: labelled structures.
        bad: reason by index in the input, of the structures that were skipped.
        with_stress: structures with a stress.
        elements: chemical symbols that occur, with the number of structures of each.
        lowest: smallest energy per atom, in eV.
        highest: largest energy per atom, in eV.
        sum_per_atom: sum of the energies per atom, in eV.
        largest_force: length of the largest force, in eV/angstrom.
        largest_force_frame: its structure, as an index in the input.
    """

    frames: int = 0
    bad: dict[str, str] = field(default_factory=dict)
    with_stress: int = 0
    elements: dict[str, int] = field(default_factory=dict)
    lowest: float = float("inf")
    highest: float = float("-inf")
    sum_per_atom: float = 0.0
    largest_force: float = 0.0
    largest_force_frame: int = -1

    @property
    def mean(self) -> float:
        """Mean energy per atom in eV."""
        return self.sum_per_atom / max(self.frames, 1)


@dataclass
class LabelState:
    """The progress of a labelling.

    Attributes:
        input_sha256: of the input file.
        teacher: name, precision and hash of the weights of the teacher.
        total: structures in the input.
        done: structures of the input that are labelled or skipped.
        size: bytes of the output that hold them.
        sha256: of these bytes.
        summary: what they contain.
    """

    input_sha256: str
    teacher: dict[str, str]
    total: int
    done: int = 0
    size: int = 0
    sha256: str = hashlib.sha256().hexdigest()
    summary: LabelSummary = field(default_factory=LabelSummary)

    def write(self, path: Path) -> None:
        """Replace the file at once."""
        with atomic_path(path) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> LabelState:
        """Read the file.

        Raises:
            ValueError: If it was not written by `write`.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**values, "summary": LabelSummary(**values["summary"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path} does not describe a labelling: {error}. Delete it and the labelled file "
                "next to it to start anew"
            ) from error

    def continued(self, output: Path, before: LabelState) -> LabelState:
        """The state to continue from, after a check that input, teacher and output are the same.

        What an interrupted write left after the last complete chunk is cut off.

        Args:
            output: the file of labels.
            before: the stored state.

        Raises:
            ValueError: If the input, the teacher or the output changed.
        """
        anew = f"Delete {output} and {output.name}{SUFFIX} to start anew, or choose another file"
        if before.input_sha256 != self.input_sha256:
            raise ValueError(
                f"out: {output} holds the labels of another input: the input file has changed. "
                f"{anew}"
            )
        if before.teacher != self.teacher:
            raise ValueError(
                f"out: {output} was labelled by {_words(before.teacher)}, the teacher is now "
                f"{_words(self.teacher)}. {anew}"
            )
        if not output.is_file() or output.stat().st_size < before.size:
            raise ValueError(f"out: {output} is shorter than when labelling stopped. {anew}")
        with output.open("r+b") as file:
            if hashlib.sha256(file.read(before.size)).hexdigest() != before.sha256:
                raise ValueError(f"out: {output} was changed after labelling stopped. {anew}")
            file.truncate(before.size)
        return before


def _words(teacher: Mapping[str, Any]) -> str:
    return f"{teacher['name']} ({teacher['precision']}, weights {teacher['weights']})"
