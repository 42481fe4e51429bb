"""``geozoo label``: energies, forces and stresses of a trained potential for a file."""

from __future__ import annotations

import time

from geozoo.cli._checked_files import check_files
from geozoo.cli._console import configure_logging
from geozoo.cli._teaching_arguments import Label
from geozoo.engines import PotentialEvaluator
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.trained import trained_models
from geozoo.teaching import LabelSummary, label_file

_FORMATS = (".xyz", ".extxyz")


def label(options: Label, screen: Screen) -> None:
    """Label and write; all arguments and structures are checked before any is evaluated.

    Raises:
        RunError: If the teacher does not exist, or the output cannot be written or is an input.
        FileNotFoundError: If the input does not exist.
        ValueError: If the teacher is not a potential or does not accept a structure, or the output
            holds anything else.
    """
    source, target = options.input, options.out
    check_files(source, target, _FORMATS, options.teacher)
    configure_logging(screen, has_clock=False)
    evaluator = teacher_of(options.teacher, any_composition=options.any_composition)
    screen.note(evaluator.model)
    started = time.perf_counter()
    summary = label_file(source, target, evaluator, skip_bad=options.skip_bad)
    screen.show(label_table(summary))
    screen.note(f"{summary.frames} structures in {time.perf_counter() - started:.1f} s, written to")
    screen.result(target)


def teacher_of(name: str, *, any_composition: bool) -> PotentialEvaluator:
    """The potential of a command line, on the GPU if there is one.

    Raises:
        RunError: If it does not exist.
        ValueError: If it is not a potential.
    """
    model = trained_models(name)
    return PotentialEvaluator(model, device=model.device, any_composition=any_composition)


def label_table(summary: LabelSummary) -> Sheet:
    """What a file of labels contains."""
    table = Sheet("labels", "value")
    table.add("structures", str(summary.frames))
    table.add("skipped", str(len(summary.bad)))
    table.add("with stress", str(summary.with_stress))
    table.add("elements", ", ".join(summary.elements))
    if summary.frames:
        energies = (summary.lowest, summary.mean, summary.highest)
        shown = ", ".join(f"{value:.4f}" for value in energies)
        table.add("energy per atom: least, mean, largest (eV)", shown)
        force = f"{summary.largest_force:.4g} (frame {summary.largest_force_frame})"
        table.add("largest force (eV/angstrom)", force)
    return table
