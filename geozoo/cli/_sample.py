"""Molecules from a checkpoint, from what the checkpoint itself says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from geozoo.cli._console import configure_logging, faults_shown
from geozoo.data import progress_bar
from geozoo.figures import plot_molecules
from geozoo.metrics import generation_scores, molecule_bonds, molecule_smiles
from geozoo.report.molecules import check_molecule_file, write_molecules
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.arguments import check_not_input, key_values
from geozoo.runs.errors import RunError
from geozoo.runs.trained import model_files, trained_model
from geozoo.tasks import MAX_SAMPLES, Generation, SampledMolecules


@dataclass(frozen=True)
class SampleOptions:
    """What `geozoo-sample` is told.

    Attributes:
        checkpoint: name or folder of a trained model, run folder, or checkpoint file.
        n: number of molecules.
        out: file to write.
        seed: of sizes and noise.
        batch: molecules drawn at once.
    """

    checkpoint: str
    n: int = 1000
    out: str = "molecules.sdf"
    seed: int = 0
    batch: int = 100

    @classmethod
    def from_words(cls, words: Sequence[str]) -> SampleOptions:
        """Read ``key=value`` words.

        Raises:
            RunError: for an unknown or repeated key, a missing checkpoint, or a number that is none
                or out of range.
        """
        given = key_values(words)
        known = [option.name for option in fields(cls)]
        unknown = [key for key in given if key not in known]
        if unknown or "checkpoint" not in given:
            what = f"unknown: {', '.join(unknown)}" if unknown else "checkpoint=... is missing"
            raise RunError(f"{what}; words are {', '.join(f'{name}=...' for name in known)}")
        values: dict[str, Any] = dict(given)
        for name, least, most in (
            ("n", 1, MAX_SAMPLES),
            ("seed", 0, 2**63 - 1),
            ("batch", 1, 10**6),
        ):
            if name in given:
                text = given[name]
                if not text.isdecimal() or not least <= int(text) <= most:
                    raise RunError(
                        f"{name} must be a whole number in {least}..{most}, got {text!r}"
                    )
                values[name] = int(text)
        return cls(**values)


def sample(words: Sequence[str]) -> None:
    """Draw, write and judge molecules; a fault that the user can mend ends the program.

    Args:
        words: see `SampleOptions`.
    """
    screen = Screen()
    configure_logging(screen)
    with faults_shown(screen, "geozoo-sample"):
        options = SampleOptions.from_words(words)
        out = Path(options.out).expanduser().absolute()
        check_molecule_file(out)
        check_not_input("out", out, model_files(options.checkpoint))
        task = _load(options)
        started = time.perf_counter()
        with progress_bar("Drawing molecules", options.n) as advance:
            drawn = task.sample(options.n, seed=options.seed, progress=advance)
        seconds = time.perf_counter() - started
        write_molecules(drawn, out)
        screen.show(_scores(drawn))
        plot_molecules(drawn.pos, drawn.z, drawn.counts, out.with_suffix(".png"))
        rate = f"{len(drawn)} molecules in {seconds:.1f} s ({len(drawn) / seconds:.3g} a second)"
        screen.note(f"{rate}; the first ones are drawn in {out.with_suffix('.png')}; written to")
        screen.result(out)


def _load(options: SampleOptions) -> Generation:
    """The task with trained weights, on a GPU where there is one."""
    model = trained_model(options.checkpoint)
    if not isinstance(model.task, Generation):
        kind = type(model.task).__name__
        raise RunError(f"{options.checkpoint} is of task {kind}, which draws nothing")
    model.task.sampler.batch_size = options.batch
    return model.task


def _scores(drawn: SampledMolecules) -> Sheet:
    atoms = (drawn.pos, drawn.z, drawn.batch, len(drawn))
    bonds = molecule_bonds(*atoms)
    scores = {
        "atom stability": 100 * float(bonds.stable_atoms.double().mean()),
        "molecule stability": 100 * float(bonds.stable.double().mean()),
        **generation_scores(molecule_smiles(*atoms), None),
    }
    table = Sheet("measure", "%")
    for name, value in scores.items():
        table.add(name.replace("_", " * "), f"{value:.1f}")
    return table
