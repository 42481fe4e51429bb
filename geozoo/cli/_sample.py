"""``geozoo sample``: molecules from a checkpoint."""

from __future__ import annotations

import time

from geozoo.cli._arguments import Sample
from geozoo.cli._console import configure_logging
from geozoo.figures import plot_molecules
from geozoo.files.progress import progress_bar
from geozoo.metrics import (
    can_check_plausibility,
    generation_scores,
    molecule_bonds,
    molecule_smiles,
    plausible_molecules,
)
from geozoo.report.molecules import check_molecule_file, write_molecules
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.arguments import check_not_input
from geozoo.runs.errors import RunError
from geozoo.runs.trained import model_files, trained_model
from geozoo.tasks import Generation, SampledMolecules


def sample(arguments: Sample, screen: Screen) -> None:
    """Sample molecules, write them to a file and print their scores.

    Raises:
        RunError: If the model is not a generative model, or the file cannot be written.
    """
    configure_logging(screen)
    out = arguments.out.absolute()
    check_molecule_file(out)
    check_not_input("out", out, model_files(arguments.checkpoint))
    task = _load(arguments)
    started = time.perf_counter()
    with progress_bar("Sampling molecules", arguments.n) as advance:
        drawn = task.sample(arguments.n, seed=arguments.seed, progress=advance)
    seconds = time.perf_counter() - started
    write_molecules(drawn, out)
    screen.show(_scores(drawn))
    if not can_check_plausibility():
        screen.note('geometries not checked: pip install "geozoo[plausibility]"')
    plot_molecules(drawn.pos, drawn.z, drawn.counts, out.with_suffix(".png"))
    rate = f"{len(drawn)} molecules in {seconds:.1f} s ({len(drawn) / seconds:.3g} per second)"
    screen.note(f"{rate}; the first ones are shown in {out.with_suffix('.png')}; written to")
    screen.result(out)


def _load(arguments: Sample) -> Generation:
    """The task with trained weights, on the GPU if there is one."""
    model = trained_model(arguments.checkpoint)
    if not isinstance(model.task, Generation):
        kind = type(model.task).__name__
        raise RunError(
            f"checkpoint: {arguments.checkpoint} is a model of task {kind}, not a generative model"
        )
    model.task.sampler.batch_size = arguments.batch_size
    return model.task


def _scores(drawn: SampledMolecules) -> Sheet:
    atoms = (drawn.pos, drawn.z, drawn.batch, len(drawn))
    bonds = molecule_bonds(*atoms)
    scores = {
        "atom stability": 100 * float(bonds.stable_atoms.double().mean()),
        "molecule stability": 100 * float(bonds.stable.double().mean()),
        "connected": 100 * float(bonds.connected.double().mean()),
        **generation_scores(molecule_smiles(*atoms), None),
    }
    if can_check_plausibility():
        passed = plausible_molecules(*atoms)
        scores["plausible"] = 100 * float(passed.pop("plausible").double().mean())
        scores |= {f"- {k}": 100 * float(v.double().mean()) for k, v in passed.items()}
    table = Sheet("measure", "%")
    for name, value in scores.items():
        shown = name.replace("valid_unique", "valid * unique").replace("_", " ")
        table.add(shown, f"{value:.1f}")
    return table
