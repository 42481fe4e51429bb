"""One elastic training against training every size alone, on charged N-body systems.

    python -m benchmarks.elastic                     # needs nbody in the data folder
    python -m benchmarks.elastic record=true
    python -m benchmarks.elastic draw=true           # the picture of the newest records

A PONITA is trained with ``elastic=true``, and, for as many epochs and with the same other options,
one network for each of some of its sizes: a few from the smallest to the largest
(``alone=ladder``), or all (``alone=all``). ``data=ethanol`` trains potentials instead. All have the
same seed. Costs are CPU seconds of training, validation included, and of the predictions for one
batch, at one thread. Runs that exist in ``folder`` are used again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from omegaconf import OmegaConf

from benchmarks._record import FOLDER, record
from benchmarks._run import train_py
from geozoo.hub import TrainedModel, load
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.elastic import rows_of_sizes, tested_row
from geozoo.runs.evaluation import data_of_run
from geozoo.runs.folder import RunFolder
from geozoo.tasks import ElasticSizes, Size

OPTIONS: dict[str, Any] = {
    "epochs": 24,
    "orientations": [6, 8, 12],
    "layers": [3, 4, 5],
    "widths": [0.5, 0.75, 1.0],
    "hidden_channels": 32,
    "basis_channels": 64,
    "start": 0.5,
    "teacher": "data",
    "data": "nbody",
    "alone": "ladder",
    "seed": 0,
    "folder": "runs/elastic",
    "record": False,
    "draw": False,
}
_FACTS = ("epochs", "hidden_channels", "basis_channels", "start", "teacher", "data", "seed")
#: Words and the error that counts, by data.
_DATA = {
    "nbody": (("dataset=nbody",), "position_mse"),
    "ethanol": (
        ("dataset=rmd17", "dataset.molecule=ethanol", "task.test_rotations=1"),
        "force_mae",
    ),
}
_NAMES = ("orientations", "num_layers", "width")


def picture(data: str) -> Path:
    """The picture of the newest records of some data."""
    return FOLDER / ("elastic.png" if data == "nbody" else f"elastic_{data}.png")


def error(row: dict[str, Any]) -> float:
    """The test error that counts."""
    return float(row[_DATA[row["data"]][1]])


def train(folder: Path, options: Any, size: Size, *words: str) -> Path:
    """A run of a size; trained unless it exists."""
    if (folder / "result.csv").is_file():
        return folder
    given = [
        "model=ponita", *_DATA[options.data][0],
        "trainer=quick", "trainer.accelerator=cpu", f"trainer.max_epochs={options.epochs}",
        f"model.orientations.num_orientations={size.orientations}",
        f"model.num_layers={size.num_layers}",
        f"model.hidden_channels={round(size.width * options.hidden_channels)}",
        f"model.kernel.basis_channels={options.basis_channels}", f"seed={options.seed}",
        *words,
    ]  # fmt: skip
    train_py(given, folder)
    return folder


def cpu_seconds(run: Path) -> float:
    """CPU time of the training of a run."""
    seconds = read_checkpoint(RunFolder(run).last).cpu_seconds
    assert seconds is not None  # the runs are of this version
    return seconds


def rows_of(run: Path, size: Size | None = None) -> list[dict[str, Any]]:
    """Test metrics and time of all sizes of an elastic run, or of one trained at a size."""
    _, datamodule = data_of_run(str(run))
    model = load(run)
    assert isinstance(model, TrainedModel)
    if size is not None:
        return [{**size.arguments, **tested_row(model.task, datamodule)}]
    sizes = ElasticSizes.from_dict(model.description.elastic or {})
    return rows_of_sizes(model.task, datamodule, sizes)


def measured(options: Any) -> list[dict[str, Any]]:
    """One row for each size of the elastic network and for each network trained alone."""
    folder = Path(options.folder).absolute()
    sizes = ElasticSizes(
        tuple(options.orientations), tuple(options.layers), tuple(map(float, options.widths))
    )
    elastic = train(
        folder / "elastic", options, sizes.largest, "elastic=true",
        f"elastic_orientations={list(options.orientations)}",
        f"elastic_layers={list(options.layers)}", f"elastic_widths={list(options.widths)}",
        f"elastic_start={options.start}", f"elastic_teacher={options.teacher}",
    )  # fmt: skip
    cost = cpu_seconds(elastic)
    rows = [{"training": "elastic", **row, "cpu_s": cost} for row in rows_of(elastic)]
    for size in reversed(list(sizes) if options.alone == "all" else sizes.ladder()):
        name = f"o{size.orientations}-l{size.num_layers}-w{size.width:g}"
        run = train(folder / name, options, size)
        (row,) = rows_of(run, size)
        rows.append({"training": "alone", **row, "cpu_s": cpu_seconds(run)})
    facts = {key: options[key] for key in _FACTS}
    return [{**row, **facts} for row in rows]


def front(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that no other one beats in both time and error, the fastest first."""
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: row["batch_ms"]):
        if not found or error(row) < error(found[-1]):
            found.append(row)
    return found


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Error against time of all sizes, with the front of the elastic network."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(5.5, 3.6), layout="constrained")
    for training, mark in (("elastic", "o"), ("alone", "s")):
        chosen = [row for row in rows if row["training"] == training]
        label = f"{training}: {len(chosen)} sizes" + (" of one training" * (mark == "o"))
        axis.scatter(
            [row["batch_ms"] for row in chosen], [error(row) for row in chosen],
            marker=mark, s=22, label=label, zorder=3,
        )  # fmt: skip
    best = front([row for row in rows if row["training"] == "elastic"])
    axis.step(
        [row["batch_ms"] for row in best], [error(row) for row in best],
        where="post", alpha=0.5,
    )  # fmt: skip
    axis.set(
        xlabel="CPU time of a batch, ms", ylabel=f"test {_DATA[rows[0]['data']][1]}", yscale="log"
    )
    axis.grid(visible=True, alpha=0.3, which="both")
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def newest(path: Path) -> list[dict[str, Any]]:
    """The records of the last measurement: those with the options of the last line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    last = rows[-1]
    keys = (*_FACTS, "date")
    return [row for row in rows if all(row.get(key) == last.get(key) for key in keys)]


def show(rows: list[dict[str, Any]]) -> None:
    """Each size that was also trained alone, the median of the ratios, and the cost of both."""
    sheet = Sheet("size", "elastic", "alone", "ratio", "ms per batch", "training alone, CPU s")
    part = {
        tuple(row[name] for name in _NAMES): row for row in rows if row["training"] == "elastic"
    }
    alone = [row for row in rows if row["training"] == "alone"]
    ratios = []
    for row in alone:
        key = tuple(row[name] for name in _NAMES)
        ratios.append(error(part[key]) / error(row))
        sheet.add(
            str(Size(*key)), f"{error(part[key]):.5g}", f"{error(row):.5g}", f"{ratios[-1]:.3f}",
            f"{part[key]['batch_ms']:.0f}", f"{row['cpu_s']:.0f}",
        )  # fmt: skip
    cost, total = next(iter(part.values()))["cpu_s"], sum(row["cpu_s"] for row in alone)
    screen = Screen()
    screen.show(sheet)
    screen.note(
        f"median ratio {median(ratios):.3f}; elastic: {cost:.0f} CPU s for {len(part)} sizes, "
        f"{cost / alone[0]['cpu_s']:.2f} times the largest alone; alone: {total:.0f} CPU s for "
        f"{len(alone)} sizes"
    )


def main() -> None:
    given = OmegaConf.from_dotlist(sys.argv[1:])
    if unknown := sorted(set(map(str, given)) - set(OPTIONS)):
        raise SystemExit(f"unknown arguments {unknown}; known: {', '.join(OPTIONS)}")
    options = OmegaConf.merge(OmegaConf.create(OPTIONS), given)
    if options.draw:
        rows = newest(FOLDER / "elastic.jsonl")
        draw(rows, picture(rows[0]["data"]))
        return
    rows = measured(options)
    show(rows)
    if options.record:
        for row in rows:
            record("elastic", row)
        draw(rows, picture(options.data))


if __name__ == "__main__":
    main()
