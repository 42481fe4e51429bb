"""The training run of a student, started or continued."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from geozoo.cli._launch import launch
from geozoo.cli._programs import program_file
from geozoo.config import ConfigError, check, check_pair, compose, group_names
from geozoo.config.arguments import wrong_argument
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.files.folders import atomic_path
from geozoo.runs.errors import RunError, UsageError
from geozoo.runs.folder import RunFolder
from geozoo.teaching.dataset import StudentData
from geozoo.teaching.references import References

_LOG = logging.getLogger(__name__)
#: Keys that the distillation itself sets.
_SET = (
    "dataset.path", "dataset.val_path", "dataset.test_path", "dataset.energy_unit",
    "dataset.length_unit", "dataset.labels", "dataset.fractions", "dataset.ignore_cell",
)  # fmt: skip
#: For models without a recipe for structures with energies and forces: structures of different
#: size, few of them, and smooth labels.
_DEFAULTS = (
    "task.energy_per_atom=true", "task.energy_weight=10.0", "optimizer.lr=1.0e-3",
    "schedule.warmup_epochs=1", "trainer.gradient_clip_val=10.0", "ema_decay=0.99",
)  # fmt: skip


def check_training(student: str, changes: Sequence[str]) -> None:
    """Check the keys of the training before the long work.

    Raises:
        UsageError: If a key or an entry is unknown, or is set by the distillation itself.
        ConfigError: If a value is invalid.
    """
    for each in changes:
        name = each.partition("=")[0].lstrip("+~")
        if name.startswith(_SET):
            raise UsageError(f"{name} is set by the distillation itself and cannot be given")
    words = [f"model={student}", "dataset=extxyz", *changes]
    if message := wrong_argument(words):
        raise UsageError(message.replace("unknown model", "student: unknown model"))
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from geozoo.config.keys import first_lines

    try:
        cfg = compose(*words, *_defaults(student, changes), "dataset.path=train.xyz", "run_dir=run")
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(first_lines(error)) from error
    check(cfg, root=RunOptions, provided=PROVIDED, open_nodes=("model",))
    check_pair(cfg.model, cfg.dataset, cfg.task, names=(student, "extxyz"))


def training_arguments(
    student: str, data: StudentData, references: References, *, inputs: Sequence[str], seed: int,
    changes: Sequence[str],
) -> list[str]:  # fmt: skip
    """The arguments of ``geozoo train``, except for the run folder."""
    tests = ",".join(_quoted(data.path(name)) for name in data.tests if data.tests[name])
    words = [
        f"model={student}", "dataset=extxyz", f"dataset.path={_quoted(data.path('train'))}",
        f"dataset.val_path={_quoted(data.path('val'))}", f"dataset.test_path=[{tests}]",
        f"seed={seed}",
    ]  # fmt: skip
    if references.energies is None:
        words.append("dataset.energy_reference=atoms")
    else:
        listed = ",".join(f"{symbol}:{value!r}" for symbol, value in references.energies.items())
        words += ["dataset.energy_reference=given", f"dataset.atom_energies={{{listed}}}"]
    if inputs:
        words.append(f"dataset.inputs=[{','.join(inputs)}]")
    given = {each.partition("=")[0].lstrip("+") for each in changes}
    words = [word for word in words if word.partition("=")[0] not in given]
    return [*words, *_defaults(student, changes), *changes]


def _defaults(student: str, changes: Sequence[str]) -> list[str]:
    given = dict(each.lstrip("+").partition("=")[::2] for each in changes)
    if given.get("recipe", "none") != "none" or f"{student}-extxyz" in group_names("recipe"):
        return []
    return [
        each for each in _DEFAULTS
        if (name := each.partition("=")[0]) not in given
        and not (name.startswith("schedule.") and "schedule" in given)
    ]  # fmt: skip


def _quoted(path: Path) -> str:
    """A path as a value of Hydra."""
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def train_student(arguments: Sequence[str], folder: Path) -> None:
    """Train, continue an interrupted training, or keep a finished one.

    Args:
        arguments: see `training_arguments`.
        folder: the run folder; the arguments are kept next to it.

    Raises:
        RunError: If the folder holds a student that was trained otherwise.
    """
    run, stored = RunFolder(folder), folder.with_name("training.json")
    before = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else None
    if not run.last.is_file():
        if folder.exists():
            _LOG.info("%s has no finished epoch: the training starts again", folder)
            shutil.rmtree(folder)
        _store(stored, arguments)
        _launched([*arguments, f"run_dir={_quoted(folder)}"])
        return
    if before is None:
        raise RunError(f"out: {folder} was not trained by this command; choose another folder")
    changed = [each for each in arguments if each not in before]
    dropped = [each for each in before if each not in arguments]
    other = [each for each in (*changed, *dropped) if not each.startswith("trainer.")]
    if other:
        raise RunError(
            f"out: the student in {folder} was trained otherwise ({', '.join(other)} differ). "
            f"Delete {folder} to train anew on the same structures, or choose another folder"
        )
    if changed or not run.result.is_file():
        _LOG.info("continuing the training of %s", folder)
        _store(stored, arguments)
        _launched([f"resume={folder}", *changed])
    else:
        _LOG.info("the student in %s is trained", folder)


def _store(path: Path, arguments: Sequence[str]) -> None:
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(list(arguments), indent=1) + "\n", encoding="utf-8")


def _launched(arguments: Sequence[str]) -> None:
    """Train as ``geozoo train`` does, which Lightning starts again for each further process."""
    before = sys.argv
    sys.argv = [program_file("train"), *arguments]
    try:
        launch(arguments)
    finally:
        sys.argv = before
