"""Training runs as trained models, read from their checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geozoo.files.checksums import file_sha256
from geozoo.hub.checkpoints import Checkpoint
from geozoo.hub.description import (
    Description,
    ModelFileError,
    Weights,
    valid_name,
)
from geozoo.hub.rebuilding import own_modules, rebuild_task
from geozoo.hub.resizing import trained_sizes
from geozoo.tasks import GraphTask
from geozoo.tasks._precision import model_dtype


def read_run(
    checkpoint: Path, *, trusted: Sequence[str] | None = ()
) -> tuple[Description, GraphTask]:
    """The description and the task of a checkpoint, read without pickle.

    Args:
        checkpoint: the file.
        trusted: further modules whose classes it may name; None: trust all that it names.

    Raises:
        ModelFileError: If the file is not a checkpoint of a run, or names untrusted classes.
    """
    content = Checkpoint.read(checkpoint)
    record, state = content.record, content.weights
    nodes = {key: record["config"][key] for key in ("model", "task")}
    if trusted is None:
        trusted = own_modules(nodes)
    try:
        task = rebuild_task(**nodes, data=record["data"], state=state, trusted=trusted)
    except ModelFileError as error:
        raise ModelFileError(f"{checkpoint}: {error}") from error
    weights = Weights(checkpoint.name, file_sha256(checkpoint), checkpoint.stat().st_size)
    name = valid_name(checkpoint.absolute().parent.parent.name)
    precision = str(model_dtype(task.model)).removeprefix("torch.")
    options = {
        "data": record["data"], "weights": weights, "precision": precision,
        "elastic": trained_sizes(record["config"]),
    }  # fmt: skip
    return Description(name, **nodes, **options), task
