"""``geozoo distil``: a student from a teacher, around a few structures."""

from __future__ import annotations

from pathlib import Path

from geozoo.cli._console import configure_logging
from geozoo.cli._labelling import teacher_of
from geozoo.cli._student import check_training, train_student, training_arguments
from geozoo.cli._teaching_arguments import Distil
from geozoo.engines import PotentialEvaluator
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.teaching import SamplingPlan, compare, reference_energies, step_times
from geozoo.teaching.dataset import OWN, StudentData, student_data
from geozoo.teaching.references import Reference, References
from geozoo.teaching.report import Distillation

_REFERENCES: dict[str, Reference] = {
    "auto": "auto", "isolated": "isolated", "fitted": "fitted"
}  # fmt: skip


def distil(options: Distil, screen: Screen) -> None:
    """Sample, label, train and compare; an interrupted call is continued by the same command.

    Raises:
        RunError: If the teacher does not exist, or the folder holds another distillation.
        FileNotFoundError: If the structures do not exist.
        ValueError: If a structure or a number is invalid, or the teacher does not accept them.
    """
    if not options.data.is_file():
        raise FileNotFoundError(f"data: there is no file {options.data}")
    plan = _plan(options)
    check_training(options.student, options.changes)
    configure_logging(screen, has_clock=False)
    teacher = teacher_of(options.teacher, any_composition=options.any_composition)
    screen.note(teacher.model)
    data = student_data(options.data, teacher, plan, options.out, duplicate=options.duplicate)
    screen.show(_counts(data))
    references = reference_energies(teacher, data.train, _REFERENCES[options.reference])
    screen.note(f"reference energies: {references.reason}")
    arguments = training_arguments(
        options.student, data, references, inputs=teacher.state_inputs, seed=options.seed,
        changes=options.changes,
    )  # fmt: skip
    run = options.out / "run"
    train_student(arguments, run)
    _report(options, teacher, data, references, run, screen)


def _plan(options: Distil) -> SamplingPlan:
    return SamplingPlan(
        rattled=options.rattled, rattle=options.rattle, strained=options.strained,
        strain=options.strain, temperatures=options.temperatures,
        trajectories=options.trajectories, frames=options.frames, steps=options.steps,
        timestep=options.timestep, closest=options.closest, seed=options.seed,
    )  # fmt: skip


def _counts(data: StudentData) -> Sheet:
    table = Sheet("structures", "train", "val", "test")
    for kind, counts in data.counts().items():
        table.add(kind, *map(str, counts.values()))
    return table


def _report(
    options: Distil, teacher: PotentialEvaluator, data: StudentData, references: References,
    run: Path, screen: Screen,
) -> None:  # fmt: skip
    """Compare both potentials, print and write the result."""
    student = teacher_of(str(run), any_composition=False)
    largest = max(data.tests[OWN] or data.train, key=len)
    result = Distillation(
        teacher=teacher.name, student=options.student,
        weights=(_num_weights(teacher), _num_weights(student)), counts=data.counts(),
        duplicates=data.duplicates, close=data.close, references=references,
        errors=compare(student, data.tests, data.train),
        times=step_times({teacher.name: teacher, options.student: student}, largest), run=run,
    )  # fmt: skip
    head, *rows = result.error_rows()
    errors = Sheet(*head, title="mean absolute errors against the teacher (baseline)")
    for row in rows:
        errors.add(*row)
    screen.show(errors)
    times = Sheet("potential", "CPU time per step (ms)", "elapsed (ms)", "atoms")
    for row in result.time_rows():
        times.add(*row)
    screen.show(times)
    for path in result.write(options.out):
        screen.result(path)


def _num_weights(potential: PotentialEvaluator) -> int:
    members = potential.model.members
    return sum(weight.numel() for each in members for weight in each.model.parameters())
