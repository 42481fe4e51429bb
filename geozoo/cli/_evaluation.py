"""``geozoo evaluate``: a test, printed or saved to its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from geozoo.cli._arguments import Evaluate
from geozoo.cli._console import configure_logging
from geozoo.cli._uncertainty import show_coverage
from geozoo.config import use_own_folder
from geozoo.hub.description import FILE_NAME
from geozoo.report.screen import Screen
from geozoo.report.summary import show_summary
from geozoo.report.write import report
from geozoo.runs.arguments import existing_folder
from geozoo.runs.errors import UsageError
from geozoo.runs.evaluation import evaluation
from geozoo.runs.transfer import evaluation_elsewhere

#: Keys of a test on data other than those of the run.
_ELSEWHERE = ("dataset=", "protocol=")
_BATCH_SIZE = "dataset.loader.eval_batch_size"


def evaluate(arguments: Evaluate, screen: Screen) -> None:
    """Test and print the summary.

    With ``save=true``, result, plots and summary are written into the run folder, as the run itself
    does: for a run that ended before its test, or to record a test with other settings.

    Raises:
        RunError: If the checkpoint or the data cannot be tested.
        UsageError: If ``save=true`` is given without a run folder or with other data, or the batch
            size is given twice.
    """
    configure_logging(screen, has_clock=False)
    use_own_folder(existing_folder("config_dir", arguments.config_dir))
    run, changes, save = arguments.checkpoint, _changes(arguments), arguments.save
    if save and not Path(run).expanduser().is_dir():
        raise UsageError("save=true completes the record of a run: checkpoint must be a run folder")
    is_elsewhere = _is_published(run) or any(each.startswith(_ELSEWHERE) for each in changes)
    if save and is_elsewhere:
        raise UsageError(
            "save=true completes the record of a run and must use its data: leave out dataset and "
            "protocol"
        )
    test = evaluation_elsewhere if is_elsewhere else partial(evaluation, is_saved=save)
    outcome = test(run, changes, is_terminal=screen.has_bars)
    if save:
        report(outcome, screen)
    else:
        show_summary(outcome, screen, is_saved=False)
    show_coverage(run, outcome, screen)


def _changes(arguments: Evaluate) -> list[str]:
    """The overrides of the config."""
    changes = list(arguments.changes)
    if arguments.batch_size is None:
        return changes
    if any(each.lstrip("+").startswith(f"{_BATCH_SIZE}=") for each in changes):
        raise UsageError(f"given more than once: batch_size and {_BATCH_SIZE} are the same key")
    return [*changes, f"{_BATCH_SIZE}={arguments.batch_size}"]


def _is_published(model: str) -> bool:
    """Whether an argument is a model name of the zoo, or the folder of a published model."""
    path = Path(model).expanduser()
    is_name = len(path.parts) == 1 and not path.suffix == ".ckpt" and not path.exists()
    return is_name or (path / FILE_NAME).is_file() or path.name == FILE_NAME
