"""``geozoo evaluate``: a test, printed or saved into its run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from geozoo.cli._console import configure_logging, faults_shown
from geozoo.hub.description import FILE_NAME
from geozoo.report.screen import Screen
from geozoo.report.summary import show_summary
from geozoo.report.write import report
from geozoo.runs.errors import RunError
from geozoo.runs.evaluation import evaluation
from geozoo.runs.transfer import evaluation_elsewhere

#: Words of a test on other data than those of the run.
_ELSEWHERE = ("dataset=", "protocol=")


def evaluate(run: str, changes: Sequence[str], *, save: bool = False) -> None:
    """Test and print the summary; a fault that the user can mend ends the program.

    Args:
        run: run folder, checkpoint file or trained model.
        changes: ``key=value`` below ``dataset``, ``task`` or ``trainer``; with ``dataset=`` or
            ``protocol=`` the test is one on other data.
        save: write result, pictures and summary into the run folder, as the run itself does; for a
            run that ended before its test, or to record a test under other conditions.
    """
    screen = Screen()
    configure_logging(screen, has_clock=False)
    with faults_shown(screen, "geozoo-evaluate"):
        if save and not Path(run).expanduser().is_dir():
            raise RunError("--save completes the record of a run: it takes a run folder")
        is_elsewhere = _is_published(run) or any(w.startswith(_ELSEWHERE) for w in changes)
        if save and is_elsewhere:
            raise RunError("--save completes the record of a run, which has its own data")
        test = evaluation_elsewhere if is_elsewhere else partial(evaluation, is_saved=save)
        outcome = test(run, changes, is_terminal=screen.has_bars)
        if save:
            report(outcome, screen)
        else:
            show_summary(outcome, screen, is_saved=False)


def _is_published(word: str) -> bool:
    """Whether a word is a name of the zoo, or the folder of a published model."""
    path = Path(word).expanduser()
    is_name = len(path.parts) == 1 and not path.suffix == ".ckpt" and not path.exists()
    return is_name or (path / FILE_NAME).is_file() or path.name == FILE_NAME
