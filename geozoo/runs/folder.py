"""The files in a run folder."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from geozoo.files.errors import corrupt_file_errors
from geozoo.runs.errors import RunError


@dataclass(frozen=True)
class RunFolder:
    """The paths of the files in a run folder.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def info(self) -> Path:
        """Command, versions, commit, and the description of the data."""
        return self.path / "run.json"

    @property
    def splits(self) -> Path:
        """Indices of the graphs of every part."""
        return self.path / "splits.npz"

    @property
    def metrics(self) -> Path:
        """Losses and metrics by epoch, counted from 1."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """Folder of ``best.ckpt`` and ``last.ckpt``."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation metric."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def result(self) -> Path:
        """One row per test metric."""
        return self.path / "result.csv"

    @property
    def parts(self) -> Path:
        """Test metrics of each part of the test set, such as its files."""
        return self.path / "test_parts.csv"

    @property
    def sizes(self) -> Path:
        """Test metrics and time of some sizes of an elastic model."""
        return self.path / "test_sizes.csv"

    @property
    def summary(self) -> Path:
        """The summary printed at the end."""
        return self.path / "summary.txt"

    @property
    def page(self) -> Path:
        """The self-contained HTML report of the run."""
        return self.path / "report.html"

    @property
    def files(self) -> list[Path]:
        """The files that other commands read, whether or not they exist; without figures."""
        record = [self.config, self.info, self.splits, self.metrics, self.result, self.parts]
        record += [self.sizes]
        return [*record, self.summary, self.page, *sorted(self.checkpoints.glob("*"))]

    def create(self) -> None:
        """Create the folder.

        Raises:
            RunError: If it exists, or cannot be created.
        """
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            raise RunError(f"the run folder {self.path} already exists") from None
        except OSError as error:
            raise RunError(f"run_dir: the folder cannot be created: {error}") from error

    def write_start(
        self,
        cfg: DictConfig,
        *,
        info: Mapping[str, Any],
        splits: Mapping[str, Any],
    ) -> None:
        """Write the files that are known before training."""
        OmegaConf.save(cfg, self.config, resolve=True)
        self.info.write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        arrays: dict[str, Any] = {part: np.asarray(index) for part, index in splits.items()}
        np.savez(self.splits, **arrays)

    def read_config(self) -> DictConfig:
        """The resolved config.

        Raises:
            RunError: If this is not a run folder.
        """
        if not self.config.is_file():
            raise RunError(f"{self.path} is not a run folder: it has no config.yaml")
        with _corrupt_file_errors(self.config, "no YAML"):
            config = OmegaConf.load(self.config)
        if not isinstance(config, DictConfig):
            raise RunError(f"{self.config} must hold a mapping of keys")
        return config

    def read_info(self) -> dict[str, Any]:
        """Command, versions and data description."""
        with _corrupt_file_errors(self.info, "no JSON"):
            return json.loads(self.info.read_text(encoding="utf-8"))


@contextmanager
def _corrupt_file_errors(path: Path, what: str) -> Iterator[None]:
    try:
        with corrupt_file_errors(path, what):
            yield
    except (ValueError, FileNotFoundError) as error:
        raise RunError(str(error)) from error


def command_line(arguments: Sequence[str]) -> str:
    """The arguments of a command, quoted for a shell."""
    return shlex.join(arguments)
