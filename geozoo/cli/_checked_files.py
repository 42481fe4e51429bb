"""Checks of the input and the output file of a command, before any work."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from geozoo.runs.arguments import check_not_input, check_writable
from geozoo.runs.errors import RunError
from geozoo.runs.trained import model_files


def check_files(source: Path, target: Path, formats: Collection[str], model: str) -> None:
    """Check the files ``input`` and ``out`` of a command with a trained model.

    Args:
        source: the input, which must exist.
        target: the output, which must be writable and no input.
        formats: endings that the output may have.
        model: the model or models, whose files are inputs, too.

    Raises:
        RunError: If the output has another ending, or cannot be written or is an input.
        FileNotFoundError: If the input does not exist.
    """
    if not source.is_file():
        raise FileNotFoundError(f"input: there is no file {source}")
    if target.suffix not in formats:
        raise RunError(f"out must end with one of {', '.join(formats)}, got {target}")
    check_writable("out", target)
    check_not_input("out", target, [source, *model_files(model)])
