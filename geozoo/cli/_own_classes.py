"""``geozoo test-model`` and ``geozoo test-dataset``: the contract, checked on any class."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.cli._own_arguments import TestDataset, TestModel
from geozoo.config import configs_folder, group_names
from geozoo.config._annotations import parameters_of
from geozoo.config._nearest import did_you_mean
from geozoo.data import GraphDataModule, LoaderOptions
from geozoo.models import EGNN, Stid
from geozoo.options import in_groups
from geozoo.report.screen import Screen
from geozoo.runs.errors import RunError, UsageError
from geozoo.testing import check_dataset, check_model
from geozoo.testing.findings import Finding, Skipped, findings

_MARKS = {"holds": "ok  ", "fails": "FAIL", "skipped": "skip"}


def test_model(arguments: TestModel, screen: Screen) -> None:
    """Check a model class, print one line per check, and end with exit code 1 if one fails.

    Raises:
        RunError: If the class cannot be imported.
        UsageError: If a key is not an argument of the class.
    """
    found = _class(arguments.target)
    given = in_groups(found, _values(found, arguments.changes))
    _report(check_model(found, given, skip=arguments.skip), arguments.skip, screen)


def test_dataset(arguments: TestDataset, screen: Screen) -> None:
    """Check a dataset class, print one line per check, and end with exit code 1 if one fails.

    Raises:
        RunError: If the class cannot be imported, or is not a dataset.
        UsageError: If a key is not an argument of the class.
    """
    found = _class(arguments.target)
    if not issubclass(found, GraphDataModule):
        raise RunError(f"{arguments.target} must be a subclass of geozoo.data.GraphDataModule")
    given = _values(found, arguments.changes)
    loader = given.pop("loader", {})
    if not isinstance(loader, dict):
        raise UsageError(f"loader must be given by its keys, loader.batch_size=32; got {loader!r}")
    given = in_groups(found, given)
    built: list[GraphDataModule] = []

    def build() -> GraphDataModule:
        built.append(found(**given, loader=LoaderOptions(**{"batch_size": 32, **loader})))
        return built[-1]

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    verdicts = _with_task(check_dataset(build, skip=arguments.skip), built, arguments.skip)
    _report(verdicts, arguments.skip, screen)


def _with_task(
    verdicts: Iterable[Finding], built: list[GraphDataModule], skip: Sequence[str]
) -> Iterable[Finding]:
    """The verdicts, and the check with a task, which the package of checks knows nothing of."""
    is_read = False
    for verdict in verdicts:
        is_read |= verdict.verdict == "holds"
        yield verdict
    if is_read:
        name = "a model of the zoo can be trained on it with its standard task"
        yield from findings([(name, lambda: _train_step(built[0]))], skip=skip)


def _train_step(data: GraphDataModule) -> None:
    """Loss, gradients, predictions and baseline of a small network of the zoo on one batch."""
    tasks, name = group_names("task"), data.standard_task
    if name is None:
        raise Skipped(
            f"{type(data).__name__}.standard_task is None; an entry point of a package needs it"
        )
    if name not in tasks:
        hint = did_you_mean(name, tasks)
        raise AssertionError(
            f"{type(data).__name__}.standard_task must be one of {', '.join(tasks)}; got {name!r}."
            + hint
        )
    kind: Any = EGNN if data.spec.family == "geometric" else Stid
    node = OmegaConf.create(  # with the keys of the top level that it refers to
        {"seed": 0, "task": OmegaConf.load(configs_folder() / "task" / f"{name}.yaml")}
    ).task
    make = instantiate(node, _partial_=True, _convert_="all")
    sizes = make.func.model_arguments(data.spec, node)
    model = kind(**{k: v for k, v in sizes.items() if k in parameters_of(kind)})
    task = make(model=model, spec=data.spec)
    task.prepare(data)
    batch = data.store.gather(data.splits["train"][:4])
    loss = task.loss(batch)["loss"]
    loss.backward()
    if not bool(loss.isfinite()):
        raise AssertionError(f"the loss of {kind.__name__} is {float(loss)}")
    predicted, baseline = task.predict(batch), task.predict_baseline(batch)
    for key, value in baseline.items():
        if predicted[key].shape != value.shape:
            raise AssertionError(
                f"predictions of {key!r} have shape {tuple(predicted[key].shape)}, the baseline "
                f"has {tuple(value.shape)}"
            )


def _report(verdicts: Iterable[Finding], skip: Sequence[str], screen: Screen) -> None:
    """Print the verdicts as they are known.

    Raises:
        UsageError: If a name to skip is unknown.
        SystemExit: If a check fails.
    """
    counts = dict.fromkeys(_MARKS, 0)
    names = []
    for each in verdicts:
        counts[each.verdict] += 1
        names.append(each.name)
        reason = " ".join(each.reason.split())
        screen.result(f"{_MARKS[each.verdict]}  {each.name}" + (f": {reason}" if reason else ""))
    if unknown := [name for name in skip if name not in names]:
        raise UsageError(
            f"skip: there is no check {unknown[0]!r}.{did_you_mean(unknown[0], names)}"
        )
    listed = [f"{counts['holds']} hold", f"{counts['fails']} fail"]
    listed += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
    screen.result(", ".join(listed))
    if counts["fails"]:
        sys.exit(1)


def _class(target: str) -> type[Any]:
    """The class of ``my_package:MyClass``."""
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise UsageError(f"target must be my_package:MyClass, got {target!r}")
    try:
        found: Any = import_module(module)
    except Exception as error:  # whatever the module raises
        raise RunError(
            f"target: {module!r} cannot be imported: {type(error).__name__}: {error}. Install its "
            "package, or put its folder on PYTHONPATH"
        ) from error
    known = vars(found)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type):
        classes = [key for key, value in known.items() if isinstance(value, type)]
        what = "there is no class" if found is None else "not a class:"
        raise RunError(f"target: {what} {name!r} in {module}.{did_you_mean(name, classes)}")
    return found


def _values(found: type, changes: Sequence[str]) -> dict[str, Any]:
    """The values of ``key=value``, after a check of the keys."""
    try:
        parsed = OmegaConf.to_container(OmegaConf.from_dotlist(list(changes)), resolve=True)
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0]) from error
    assert isinstance(parsed, dict)
    known = parameters_of(found)
    for key in parsed:
        if key not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            hint = did_you_mean(str(key), known)
            raise UsageError(
                f"unknown argument {key!r} of {found.__name__}.{hint} Known: {', '.join(known)}."
            )
    built = instantiate(parsed, _convert_="all")  # nested nodes with a _target_
    return {str(key): value for key, value in built.items()}
