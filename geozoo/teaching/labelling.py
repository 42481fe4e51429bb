"""Labels of a trained potential for a file of structures."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.data import Structure, structure_of
from geozoo.engines import Evaluation, PotentialEvaluator
from geozoo.files.checksums import file_sha256
from geozoo.files.progress import progress_bar
from geozoo.hub.structures import structure_store
from geozoo.teaching._fingerprints import teacher_identity
from geozoo.teaching._frames import extxyz, frames_of_file, labelled
from geozoo.teaching._label_state import SUFFIX, LabelState, LabelSummary

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["LabelSummary", "label_file"]
_LOG = logging.getLogger(__name__)
#: Structures that are evaluated at once, and written together.
_CHUNK = 32
#: Bad structures that a message lists.
_SHOWN = 5


def label_file(
    source: Path,
    target: Path,
    teacher: PotentialEvaluator,
    *,
    skip_bad: bool = False,
    chunk: int = _CHUNK,
) -> LabelSummary:
    """Label every structure of a file with energy, forces, and stress where there is a volume.

    All structures are checked before any is evaluated. Labels are appended in chunks; next to them,
    ``<target>.json`` records the progress, from which a second call continues.

    Args:
        source: structures in any format that ASE reads, in angstrom.
        target: extended XYZ in eV and angstrom, with the keys of ASE.
        teacher: the potential.
        skip_bad: leave out structures that the teacher cannot evaluate; otherwise they are errors.
        chunk: number of structures that are evaluated and written together.

    Raises:
        FileNotFoundError: If there is no input.
        ValueError: If a structure is bad and ``skip_bad`` is false, the input contains none, or the
            output exists and holds anything but the labels of this input and teacher.
    """
    state_file = target.with_name(target.name + SUFFIX)
    before = LabelState.read(state_file) if state_file.is_file() else None
    if before is None and target.exists() and target.stat().st_size:
        raise ValueError(
            f"out: {target} exists and was not written by this command (there is no "
            f"{state_file.name}); choose another file, or delete it"
        )
    total, bad = _checked(source, teacher)
    if bad and not skip_bad:
        raise ValueError(_bad_message(bad, total))
    state = LabelState(file_sha256(source), teacher_identity(teacher), total)
    if before is not None:
        state = state.continued(target, before)
        _LOG.info("continuing %s: %d of %d structures are done", target, state.done, total)
    state.write(state_file)
    work = _Labelling(teacher, bad, skip_bad, state)
    with progress_bar("Labelling", total) as advance, target.open("ab") as output:
        advance(state.done)
        with target.open("rb") as former:
            digest = hashlib.file_digest(former, "sha256")
        frames = islice(enumerate(frames_of_file(source)), state.done, None)
        while part := list(islice(frames, chunk)):
            written = work.labels_of(part)
            output.write(written)
            output.flush()
            os.fsync(output.fileno())
            digest.update(written)
            state.done, state.sha256 = state.done + len(part), digest.hexdigest()
            state.size += len(written)
            state.write(state_file)
            advance(len(part))
    for number, reason in state.summary.bad.items():
        _LOG.warning("frame %s is skipped: %s", number, reason)
    return state.summary


def _checked(source: Path, teacher: PotentialEvaluator) -> tuple[int, dict[int, str]]:
    """The number of structures, and those that no potential or not this one accepts."""
    bad: dict[int, str] = {}
    count, doubts = 0, []
    for number, atoms in enumerate(frames_of_file(source)):
        count += 1
        try:
            structure = structure_of(atoms, "the structure")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                structure_store(teacher.spec, [structure])
            doubts += [
                str(each.message).replace("structure 0", f"frame {number}") for each in caught
            ]
        except ValueError as error:
            bad[number] = str(error)
            continue
        if structure.cell is not None and teacher.cutoff is None:
            bad[number] = "the structure is periodic, and the teacher has no cutoff"
    if not count:
        raise ValueError(f"input: {source} contains no structures")
    for doubt in doubts[:_SHOWN]:
        _LOG.warning("input: %s", doubt)
    if len(doubts) > _SHOWN:
        _LOG.warning("input: and %d more warnings of this kind", len(doubts) - _SHOWN)
    return count, bad


def _bad_message(bad: dict[int, str], total: int) -> str:
    listed = "; ".join(f"frame {number}: {reason}" for number, reason in list(bad.items())[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return (
        f"input: {len(bad)} of {total} structures cannot be labelled: {listed}{more}. "
        "skip_bad=true leaves them out"
    )


@dataclass
class _Labelling:
    """Evaluates chunks, and adds them to the summary."""

    teacher: PotentialEvaluator
    bad: dict[int, str]
    skip_bad: bool
    state: LabelState

    def labels_of(self, part: Sequence[tuple[int, Atoms]]) -> bytes:
        """The labelled structures of a chunk as extended XYZ."""
        good = [(number, atoms) for number, atoms in part if number not in self.bad]
        for number, _ in part:
            if number in self.bad:
                self.state.summary.bad[str(number)] = self.bad[number]
        frames = []
        with warnings.catch_warnings():
            # Told before, by the number in the file instead of that in the chunk.
            warnings.filterwarnings("ignore", r"structure \d+ has a (total charge|spin) of")
            for number, atoms, found in self._evaluated(good):
                frames.append(labelled(atoms, found))
                self._count(number, atoms, found)
        return extxyz(frames) if frames else b""

    def _evaluated(
        self, good: Sequence[tuple[int, Atoms]]
    ) -> Iterator[tuple[int, Atoms, Evaluation]]:
        structures = [structure_of(atoms, "the structure") for _, atoms in good]
        try:
            found = self.teacher.evaluate_many(structures) if structures else []
        except ValueError:
            # One of them is at fault: which one, and why?
            yield from self._one_by_one(good, structures)
            return
        for (number, atoms), each in zip(good, found, strict=True):
            yield number, atoms, each

    def _one_by_one(
        self, good: Sequence[tuple[int, Atoms]], structures: Sequence[Structure]
    ) -> Iterator[tuple[int, Atoms, Evaluation]]:
        for (number, atoms), structure in zip(good, structures, strict=True):
            try:
                found = self.teacher.evaluate_many([structure])[0]
            except ValueError as error:
                if not self.skip_bad:
                    raise ValueError(
                        _bad_message({number: str(error)}, self.state.total)
                    ) from error
                self.state.summary.bad[str(number)] = str(error)
                continue
            yield number, atoms, found

    def _count(self, number: int, atoms: Atoms, found: Evaluation) -> None:
        summary, per_atom = self.state.summary, found.energy / len(atoms)
        summary.frames += 1
        summary.with_stress += found.stress is not None
        counts = Counter(summary.elements) + Counter(set(atoms.get_chemical_symbols()))
        summary.elements = dict(sorted(counts.items()))
        summary.lowest = min(summary.lowest, per_atom)
        summary.highest = max(summary.highest, per_atom)
        summary.sum_per_atom += per_atom
        force = float(np.linalg.norm(found.forces, axis=1).max())
        if force > summary.largest_force:
            summary.largest_force, summary.largest_force_frame = force, number
