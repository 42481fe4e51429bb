"""What is known of a trained model, as one JSON file beside its weights."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from geozoo.data import RemoteFile, atomic_path

#: Name of the description in a model's folder.
FILE_NAME = "model.json"
#: Precisions that a network may be trained in.
PRECISIONS = ("float32", "float64", "bfloat16", "float16")
_FORMAT, _VERSION = "geozoo-model", 1
_MAX_BYTES = 4 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


class ModelFileError(ValueError):
    """Files that are no trained model of the zoo, or are damaged."""


@dataclass(frozen=True)
class Weights:
    """The file of the weights.

    Attributes:
        file: its name, in the folder of the description.
        sha256: its checksum.
        size: its length in bytes.
        mirrors: addresses where it can be had if it is not in the folder; https only.
    """

    file: str
    sha256: str
    size: int
    mirrors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name that leaves the folder, and a checksum that is none."""
        if Path(self.file).name != self.file or self.file in ("", ".", ".."):
            raise ModelFileError(f"weights.file must be a name without folders, got {self.file!r}")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ModelFileError(f"weights.sha256 must be 64 digits, got {self.sha256!r}")
        if self.mirrors:
            self.remote()

    def remote(self) -> RemoteFile:
        """The file as one that can be fetched.

        Raises:
            ModelFileError: for an address that is not safe.
        """
        try:
            return RemoteFile(self.file, self.mirrors, size=self.size, sha256=self.sha256)
        except ValueError as error:
            raise ModelFileError(f"weights.mirrors: {error}") from error


@dataclass(frozen=True)
class Description:
    """A trained model in words: plain data from end to end.

    Attributes:
        name: what to call it, ``ponita-nbody_small``.
        model: config node of the network, complete.
        task: config node of the task.
        data: the description of the data (`geozoo.data.DataSpec.to_dict`): units, statistics of
            the training part, protocol with the hash of the split.
        weights: where the weights are.
        metrics: ``value``, ``unit`` and ``baseline`` of every test metric.
        training: command, seed, epoch, commit, device, date, seconds.
        versions: software that made it.
        licence: of the ``weights`` and of the ``data``.
        precision: of the network, one of `PRECISIONS`; None where a description is older than this
            entry: that of the weights.
    """

    name: str
    model: Mapping[str, Any]
    task: Mapping[str, Any]
    data: Mapping[str, Any]
    weights: Weights
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    licence: Mapping[str, str] = field(default_factory=dict)
    precision: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that could not be typed, and an unknown precision."""
        if self.precision is not None and self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ModelFileError(f"precision must be one of {known}, got {self.precision!r}")
        if not _NAME.fullmatch(self.name):
            raise ModelFileError(f"name must be letters, digits and any of _.+-, got {self.name!r}")

    def write(self, folder: Path) -> Path:
        """Write the file into a folder, complete or not at all."""
        path = folder / FILE_NAME
        content = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        if self.precision is None:
            del content["precision"]
        with atomic_path(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read a description; nothing in it is executed.

        Args:
            path: the file.

        Raises:
            FileNotFoundError: when it is not there.
            ModelFileError: for a file that is none of this version.
        """
        content = _read_json(path)
        if content.get("format") != _FORMAT or content.get("version") != _VERSION:
            raise ModelFileError(
                f"{path} is no {_FORMAT} file of version {_VERSION}: it says format "
                f"{content.get('format')!r}, version {content.get('version')!r}"
            )
        try:
            return cls(**_arguments(content))
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error


def valid_name(text: str) -> str:
    """A name for a description like a text that may hold anything, such as that of a folder.

    >>> valid_name("my run, lr=0.1"), valid_name("..."), valid_name("seed0")
    ('my_run_lr_0.1', 'run', 'seed0')
    """
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).lstrip("_.+-") or "run"


def file_sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > _MAX_BYTES:
        raise ModelFileError(f"{path} is too long for a description of a model")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} holds no keys")
    return content


def _arguments(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a description out of a file, each of the kind that it must be."""
    given = {key: value for key, value in content.items() if key not in ("format", "version")}
    known = {f.name: f for f in fields(Description)}
    needed = {name for name, f in known.items() if _is_needed(f)}
    if unknown := given.keys() - known.keys():
        raise ModelFileError(f"unknown keys: {', '.join(sorted(unknown))}")
    if missing := needed - given.keys():
        raise ModelFileError(f"missing keys: {', '.join(sorted(missing))}")
    for name, value in given.items():
        wanted = str if name in ("name", "precision") else dict
        if not isinstance(value, wanted):
            raise ModelFileError(f"{name} must be a {wanted.__name__}, got {type(value).__name__}")
    weights = given["weights"]
    kinds = {"file": str, "sha256": str, "size": int}
    mirrors = weights.get("mirrors", [])
    if weights.keys() - {"mirrors"} != kinds.keys() or any(
        not isinstance(weights[key], kind) for key, kind in kinds.items()
    ):
        raise ModelFileError(f"weights must have {', '.join(kinds)}, got {weights}")
    if not isinstance(mirrors, list) or not all(isinstance(url, str) for url in mirrors):
        raise ModelFileError(f"weights.mirrors must be a list of addresses, got {mirrors!r}")
    return {**given, "weights": Weights(**{**weights, "mirrors": tuple(mirrors)})}


def _is_needed(known: Any) -> bool:
    return known.default is MISSING and known.default_factory is MISSING
