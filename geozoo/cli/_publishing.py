"""``geozoo publish``: from a finished run to a trained model that others can load."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path
from typing import Any

from geozoo.cli._arguments import Publish
from geozoo.config import entries
from geozoo.data import DataRecord
from geozoo.hub import load, write_model
from geozoo.hub.description import valid_name
from geozoo.hub.loading import run_model
from geozoo.hub.rebuilding import own_modules, rebuild_task
from geozoo.hub.resizing import WantedSize, trained_sizes
from geozoo.hub.uncertainty_files import copy_posterior
from geozoo.report.screen import Screen
from geozoo.results.rows import Result, read_results
from geozoo.runs.checkpoints import find_checkpoint, read_checkpoint
from geozoo.runs.folder import RunFolder
from geozoo.runs.recording import public
from geozoo.tasks import ElasticSizes
from geozoo.tasks._precision import model_dtype

_LICENCE = re.compile(r"^(?:\| *licence *\||- \*\*Licence\*\*:) *(.+?) *\|?$", re.MULTILINE)


def publish(arguments: Publish, screen: Screen) -> Path:
    """Write the best checkpoint of a run as a trained model, and check that it loads.

    Args:
        arguments: the run, and the metadata of the model.
        screen: screen that prints what was written.

    Raises:
        RunError: If there is no checkpoint.
        ValueError: If the run was not tested: its test metrics are part of a published model; or a
            size was not trained.
        FileExistsError: If the folder exists and is not empty.
    """
    run = arguments.checkpoint
    checkpoint = read_checkpoint(find_checkpoint(run))
    record, state = checkpoint.record, checkpoint.weights
    rows = read_results(RunFolder(checkpoint.path.parent.parent).result)
    if not rows:
        raise ValueError(
            f"{run} has no result.csv. Test it first: geozoo evaluate {shlex.quote(run)} save=true"
        )
    nodes = {key: record["config"][key] for key in ("model", "task")}
    own = own_modules(record["config"])
    metrics = {row.metric: _measured(row) for row in rows}
    name, elastic = _name(record), trained_sizes(record["config"])
    if wanted := WantedSize(arguments.orientations, arguments.num_layers, arguments.width):
        sized = run_model(checkpoint.path, trusted=own).at(wanted)
        nodes["model"], network, state = sized.description.model, sized.task, {}
        state |= network.state_dict()
        metrics, name = _of_size(metrics, run, elastic, wanted), f"{name}-{wanted}"
        elastic = None
    else:
        network = rebuild_task(**nodes, data=record["data"], state=state, trusted=own)
    name = arguments.name or valid_name(name)
    folder = arguments.out or Path(name).absolute()
    description = write_model(
        folder,
        name=name,
        **nodes,
        data=record["data"],
        state=state,
        mirrors=arguments.mirror,
        metrics=metrics,
        training=_training(rows[0]),
        versions=record["versions"],
        licence={"weights": arguments.licence, "data": _data_licence(record)},
        precision=str(model_dtype(network.model)).removeprefix("torch."),
        elastic=elastic,
    )
    # The calibrated uncertainty belongs to the model, at the size that it was trained at.
    has_uncertainty = not wanted and copy_posterior(checkpoint.path, folder, network)
    model = load(folder, trusted=own)
    size = f"{description.weights.size / 2**20:.2f} MiB of weights"
    screen.result(folder)
    screen.note(f"{size}, with uncertainty" if has_uncertainty else size)
    trust = f", trusted={own}" if own else ""
    call = f"geozoo.load({str(folder)!r}{trust})"
    screen.note(f"{model}\nload it with: {call}")
    return folder


def _name(record: dict[str, Any]) -> str:
    """Model and data: ``ponita-nbody_small``, ``ponita-rmd17_aspirin``, ``stid-los_loop``."""
    trained_on = DataRecord.from_dict(record["data"]["protocol"])
    dataset = trained_on.dataset or str(record["choices"]["dataset"])
    variant = trained_on.problem
    data = variant if variant.startswith(dataset) else "_".join(filter(None, (dataset, variant)))
    return f"{record['choices']['model']}-{data}"


def _of_size(
    metrics: dict[str, Any], run: str, elastic: dict[str, Any] | None, wanted: WantedSize
) -> dict[str, Any]:
    """The metrics of a size, from the table that training wrote; empty if it was not tested."""
    path = RunFolder(find_checkpoint(run).parent.parent).sizes
    if elastic is None or not path.is_file():
        return {}
    size = ElasticSizes.from_dict(elastic).chosen(**vars(wanted)).arguments
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if all(
                row[name] == ("" if value is None else str(value)) for name, value in size.items()
            ):
                return {
                    name: {**given, "value": float(row[name])}
                    for name, given in metrics.items()
                    if row.get(name)
                }
    return {}


def _measured(row: Result) -> dict[str, Any]:
    return {"value": row.value, "unit": row.unit, "baseline": row.baseline}


def _training(row: Result) -> dict[str, Any]:
    row = public(row)
    names = ("recipe", "split", "seeds", "command", "commit", "device", "wall_time_s", "date")
    facts = {name: getattr(row, name) for name in (*names, "checkpoint")}
    return facts


def _data_licence(record: dict[str, Any]) -> str:
    """The licence on the card of the dataset."""
    for entry in entries("dataset"):
        if entry.name == record["choices"]["dataset"]:
            text = (entry.folder / "README.md").read_text(encoding="utf-8")
            found = _LICENCE.search(text)
            return found[1] if found else f"see datasets/{entry.name}"
    return "not stated"
