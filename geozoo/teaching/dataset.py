"""The data set of a student: sampled, screened, labelled and divided, in one folder."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geozoo.data import structure_of
from geozoo.engines import PotentialEvaluator
from geozoo.files.checksums import file_sha256
from geozoo.files.folders import atomic_path
from geozoo.hub.structures import structure_store
from geozoo.teaching._fingerprints import teacher_identity
from geozoo.teaching._frames import frames_of_file, plain, read_frames, write_frames
from geozoo.teaching.labelling import label_file
from geozoo.teaching.sampling import KIND, SamplingPlan, sample_structures
from geozoo.teaching.screening import screened
from geozoo.teaching.splitting import split_by_path

if TYPE_CHECKING:
    from ase import Atoms

_LOG = logging.getLogger(__name__)
#: Name of the test set of the given structures.
OWN = "given structures"


@dataclass(frozen=True)
class StudentData:
    """The labelled structures of a student.

    Attributes:
        folder: where the files are: ``train.xyz``, ``val.xyz``, and one file per test set.
        train: training structures.
        val: structures that select the checkpoint.
        tests: held-out structures by name: the given ones, and those of each kind.
        duplicates: number of sampled structures left out as near duplicates.
        close: number of sampled structures left out because two atoms are too close.
    """

    folder: Path
    train: list[Atoms]
    val: list[Atoms]
    tests: dict[str, list[Atoms]]
    duplicates: int
    close: int

    def path(self, name: str) -> Path:
        """The file of ``train``, ``val`` or a test set."""
        stem = name if name in ("train", "val") else f"test_{name.replace(' ', '_')}"
        return self.folder / f"{stem}.xyz"

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of structures of each kind in each part."""
        parts = {"train": self.train, "val": self.val, "test": sum(self.tests.values(), [])}
        found: dict[str, dict[str, int]] = {}
        for part, frames in parts.items():
            for kind, count in Counter(_kind(atoms) for atoms in frames).items():
                found.setdefault(kind, dict.fromkeys(parts, 0))[part] = count
        return found


def given_structures(path: Path, teacher: PotentialEvaluator) -> list[Atoms]:
    """The structures to start from, without their labels.

    Single atoms that are not periodic are left out: there is nothing to displace.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a structure is invalid or the teacher does not accept it, or none is left.
    """
    found, isolated = [], 0
    for number, atoms in enumerate(frames_of_file(path, "data")):
        where = f"data: frame {number} of {path}"
        structure = structure_of(atoms, where)
        try:
            structure_store(teacher.spec, [structure])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if structure.cell is not None and teacher.cutoff is None:
            raise ValueError(f"{where} is periodic, and {teacher.name} has no cutoff")
        if len(atoms) == 1 and not atoms.pbc.any():
            isolated += 1
        else:
            found.append(plain(atoms))
    if isolated:
        _LOG.info("%d isolated atoms of %s are left out", isolated, path.name)
    if not found:
        raise ValueError(f"data: {path} contains no structure to sample around")
    return found


def student_data(
    source: Path, teacher: PotentialEvaluator, plan: SamplingPlan, folder: Path, *, duplicate: float
) -> StudentData:
    """Sample around the structures of a file, screen, label and divide.

    Everything is kept in ``folder``, and a second call continues where the first one stopped.

    Args:
        source: structures in any format that ASE reads.
        teacher: the potential that samples and labels.
        plan: what is sampled.
        folder: created if necessary.
        duplicate: see `geozoo.teaching.screened`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a structure is invalid, a part of the split is empty, or the folder holds
            structures that were sampled from other structures, by another teacher or plan.
    """
    given = given_structures(source, teacher)
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings(folder, {
        "data": file_sha256(source)[:16], "teacher": teacher_identity(teacher),
        "duplicate": duplicate, **asdict(plan),
    })  # fmt: skip
    sampled = sample_structures(given, teacher, plan, folder / "samples")
    chosen = screened(sampled, duplicate=duplicate, closest=plan.closest, before=given)
    unlabelled, labels = folder / "structures.xyz", folder / "labelled.xyz"
    if not unlabelled.is_file():
        own = [_own(atoms) for atoms in given]
        write_frames(unlabelled, [*own, *(sampled[index] for index in chosen.kept)])
    label_file(unlabelled, labels, teacher, skip_bad=True)
    frames = read_frames(labels)
    rest = [atoms for atoms in frames if _kind(atoms) != OWN]
    parts = split_by_path(rest, plan.seed)
    tests = {OWN: [atoms for atoms in frames if _kind(atoms) == OWN]}
    for atoms, part in zip(rest, parts, strict=True):
        if part == "test":
            tests.setdefault(_kind(atoms), []).append(atoms)
    of = {part: [a for a, p in zip(rest, parts, strict=True) if p == part] for part in set(parts)}
    data = StudentData(
        folder / "data", of["train"], of["val"], tests, chosen.duplicates, chosen.close
    )
    for name, members in {"train": data.train, "val": data.val, **tests}.items():
        write_frames(data.path(name), members)
    return data


def _kind(atoms: Atoms) -> str:
    return str(atoms.info[KIND])


def _own(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.info[KIND] = OWN
    return atoms


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Store the settings, or compare them with those of the interrupted call."""
    path = folder / "settings.json"
    now = json.loads(json.dumps(settings))
    if not path.is_file():
        with atomic_path(path) as partial:
            partial.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = [key for key in now if now[key] != before.get(key)]
    if changed:
        listed = "; ".join(f"{key} was {before.get(key)}, is {now[key]}" for key in changed)
        raise ValueError(
            f"out: {folder} holds structures that were sampled otherwise ({listed}). Choose "
            "another folder, or delete it"
        )
