"""``geozoo uncertainty``: standard deviations of the predictions of a trained potential."""

from __future__ import annotations

from collections.abc import Mapping

from geozoo.cli._arguments import Uncertainty
from geozoo.cli._console import configure_logging
from geozoo.data import GraphStore
from geozoo.files.progress import progress_bar
from geozoo.hub import TrainedModel
from geozoo.hub.uncertainty import Work, compare, fit_uncertainty, potential_of
from geozoo.hub.uncertainty_files import write_posterior
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.errors import RunError
from geozoo.runs.evaluation import data_of_run
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.trained import trained_model
from geozoo.tasks import Potential

#: Quantities with standard deviations, and their names in tables.
_SHOWN = {"energy": "energy", "force": "force components"}


def uncertainty(arguments: Uncertainty, screen: Screen) -> None:
    """Compute, calibrate and save the posterior of the last layers of a run.

    Raises:
        RunError: If there is no such run, its data have changed, or it is no potential.
        ValueError: If its network does not end in a declared linear layer, or there are too few
            validation structures.
    """
    configure_logging(screen, has_clock=False)
    model = trained_model(arguments.checkpoint)
    if not model.description.weights.file.endswith(".ckpt"):
        raise RunError(
            f"{arguments.checkpoint} is a published model: compute the uncertainty of its run, "
            "whose data are known, and geozoo publish keeps it"
        )
    task = potential_of(model)
    path, datamodule = data_of_run(arguments.checkpoint)
    store = datamodule.store
    assert isinstance(store, GraphStore)  # that of a potential
    work = Work.of(store, datamodule.splits, task, arguments.force_structures)
    with progress_bar("Computing uncertainty", work.total) as advance:
        posterior = fit_uncertainty(
            model, store, work, batch_size=arguments.batch_size, progress=advance
        )
    training = {
        "structures": len(work.train), "structures_with_forces": len(work.train_forces),
        "validation_structures": len(work.val),
        "validation_structures_with_forces": len(work.val_forces),
        "split_hash": datamodule.spec.record.split_hash,
    }  # fmt: skip
    files = write_posterior(path, posterior, model.model, training)
    sheet = _sheet(f"validation split, {posterior.size} weights of the last layers")
    for name in _SHOWN:
        if (known := getattr(posterior, name)) is not None:
            unit = model.task.quantity_units()[name]
            per_atom = " per atom" if name == "energy" else ""
            sheet.add(
                _SHOWN[name], str(known.count), f"{100 * known.coverage_68:.1f}",
                f"{100 * known.coverage_95:.1f}", f"{known.largest:.4g} {unit}{per_atom}",
            )  # fmt: skip
    screen.show(sheet)
    screen.result(files.description)
    screen.note("predictions with a larger standard deviation than the largest are extrapolations")


def _sheet(title: str, last: str = "largest std") -> Sheet:
    return Sheet("", "count", "within 68 % [%]", "within 95 % [%]", last, title=title)


def show_coverage(run: str, outcome: RunOutcome, screen: Screen) -> None:
    """Print the coverage of the tested data by predicted uncertainties, if there are any.

    Args:
        run: the model that was tested.
        outcome: the test.
        screen: screen that prints it.
    """
    if not isinstance(outcome.task, Potential):
        return
    model = trained_model(run)
    if model.uncertainty is None:
        return
    task, store = potential_of(model), outcome.datamodule.store
    assert isinstance(store, GraphStore)  # that of a potential
    index = outcome.datamodule.splits["test"]
    with progress_bar("Comparing uncertainties", len(index)) as advance:
        found = compare(model.predict, task, store, index, progress=advance)
    _show(screen, {name: each.summary for name, each in found.items()}, model)


def _show(screen: Screen, rows: Mapping[str, Mapping[str, float]], model: TrainedModel) -> None:
    sheet = _sheet("predicted uncertainty of the test split", "mean std")
    for name, row in rows.items():
        sheet.add(
            _SHOWN[name], f"{row['count']:.0f}", f"{100 * row['coverage_68']:.1f}",
            f"{100 * row['coverage_95']:.1f}", f"{row['mean_std']:.4g} {model.units[name]}",
        )  # fmt: skip
    screen.show(sheet)
