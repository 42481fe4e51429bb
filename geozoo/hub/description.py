"""The description of a trained model: a JSON file next to its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from geozoo.files.download import RemoteFile
from geozoo.files.folders import atomic_path

#: Name of the description in a model's folder.
FILE_NAME = "model.json"
#: Packages that contain published weights, and the extra that installs each.
PACKAGES = {"sevenn": "universal"}
#: Precisions in which a network can be trained.
PRECISIONS = ("float32", "float64", "bfloat16", "float16")
_FORMAT, _VERSION = "geozoo-model", 1
#: Of every earlier version of the format, what turns its content into that of the next one.
#: `tests/stored` keeps files of every version.
_UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
_MAX_BYTES = 4 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


class ModelFileError(ValueError):
    """A file is not a trained model of the zoo, or is corrupt."""


@dataclass(frozen=True)
class Package:
    """A Python package whose files contain published weights.

    Attributes:
        name: the package, one of `PACKAGES`.
        folder: folder of the weights file in the package.
        fidelity: the level of theory that is chosen, for weights of several.
    """

    name: str
    folder: str
    fidelity: str | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        if self.name not in PACKAGES:
            known = ", ".join(PACKAGES)
            raise ModelFileError(f"weights.package.name must be one of {known}, got {self.name!r}")
        if not _NAME.fullmatch(self.folder.replace("/", "-")) or ".." in self.folder:
            raise ModelFileError(
                f"weights.package.folder must be a folder in the package, got {self.folder!r}"
            )

    @classmethod
    def of(cls, given: Any) -> Package:
        """The package of a file's entry.

        Raises:
            ModelFileError: If the entry has other keys, or values that are not text.
        """
        keys = {each.name for each in fields(cls)}
        if not isinstance(given, dict) or not keys >= given.keys() >= {"name", "folder"}:
            raise ModelFileError(f"weights.package must have name and folder, got {given!r}")
        if not all(isinstance(value, str) for value in given.values() if value is not None):
            raise ModelFileError(f"weights.package must hold text, got {given!r}")
        return cls(**given)


@dataclass(frozen=True)
class Weights:
    """The weights file.

    Attributes:
        file: file name, in the folder of the description.
        sha256: checksum.
        size: size in bytes.
        mirrors: URLs to download the file from if it is not in the folder; https only.
        package: the package that contains the file, instead of the folder; its weights have other
            names, which are converted. None: the file is our own.
    """

    file: str
    sha256: str
    size: int
    mirrors: tuple[str, ...] = ()
    package: Package | None = None

    def __post_init__(self) -> None:
        """Reject file names outside the folder and malformed checksums."""
        if Path(self.file).name != self.file or self.file in ("", ".", ".."):
            raise ModelFileError(f"weights.file must be a plain file name, got {self.file!r}")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ModelFileError(
                f"weights.sha256 must be 64 hexadecimal digits, got {self.sha256!r}"
            )
        if self.mirrors:
            self.remote()

    def remote(self) -> RemoteFile:
        """The file as a `RemoteFile`, which can be downloaded.

        Raises:
            ModelFileError: If a URL is not safe.
        """
        try:
            return RemoteFile(self.file, self.mirrors, size=self.size, sha256=self.sha256)
        except ValueError as error:
            raise ModelFileError(f"weights.mirrors: {error}") from error


@dataclass(frozen=True)
class Description:
    """Metadata of a trained model, as plain data.

    Attributes:
        name: name of the model, such as ``ponita-nbody_small``.
        model: complete config node of the network.
        task: config node of the task.
        data: the data spec (`geozoo.data.DataSpec.to_dict`): units, statistics of the training
            split, protocol with the hash of the split.
        weights: the weights file.
        metrics: ``value``, ``unit`` and ``baseline`` of every test metric.
        training: command, seed, epoch, commit, device, date, wall time in seconds.
        versions: software versions used in training.
        licence: of the ``weights`` and of the ``data``.
        precision: of the network, one of `PRECISIONS`; None in older descriptions: the precision
            of the weights.
        elastic: numbers of ``orientations`` and ``num_layers`` and fractions ``width`` of the
            channels at which the weights were trained; None: one size.
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
    elastic: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check the name and the precision."""
        if self.precision is not None and self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ModelFileError(f"precision must be one of {known}, got {self.precision!r}")
        if not _NAME.fullmatch(self.name):
            raise ModelFileError(
                f"name must consist of letters, digits and any of _.+-, got {self.name!r}"
            )

    def write(self, folder: Path) -> Path:
        """Write the file to a folder atomically."""
        path = folder / FILE_NAME
        content = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        for optional in ("precision", "elastic"):
            if content[optional] is None:
                del content[optional]
        if self.weights.package is None:
            del content["weights"]["package"]
        with atomic_path(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read a description; nothing in it is executed.

        Args:
            path: the file.

        Raises:
            FileNotFoundError: If the file does not exist.
            ModelFileError: If the file is not a description, or of a later version.
        """
        content = _read_json(path)
        content = _of_this_version(content, path)
        try:
            return cls(**_arguments(content))
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error


def valid_name(text: str) -> str:
    """Turn arbitrary text, such as a folder name, into a valid name for a description.

    >>> valid_name("my run, lr=0.1"), valid_name("..."), valid_name("seed0")
    ('my_run_lr_0.1', 'run', 'seed0')
    """
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).lstrip("_.+-") or "run"


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    if path.stat().st_size > _MAX_BYTES:
        raise ModelFileError(
            f"{path} is too large for a model description (limit {_MAX_BYTES} bytes)"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} must contain a JSON object, got {type(content).__name__}")
    return content


def _of_this_version(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The content in the form of this version; earlier versions are converted step by step."""
    version = content.get("version")
    if content.get("format") != _FORMAT or not isinstance(version, int) or version < 1:
        raise ModelFileError(
            f"{path} must have format {_FORMAT!r} and version {_VERSION}, got format "
            f"{content.get('format')!r} and version {version!r}"
        )
    if version > _VERSION:
        raise ModelFileError(
            f"{path} has version {version} of the format {_FORMAT!r}, which a later geozoo wrote; "
            f"this one reads versions up to {_VERSION}: pip install -U geozoo"
        )
    for step in range(version, _VERSION):
        content = _UPGRADES[step](content)
    return content


def _arguments(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a description from a file, with their types checked."""
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
    if weights.keys() - {"mirrors", "package"} != kinds.keys() or any(
        not isinstance(weights[key], kind) for key, kind in kinds.items()
    ):
        raise ModelFileError(f"weights must have {', '.join(kinds)}, got {weights}")
    if not isinstance(mirrors, list) or not all(isinstance(url, str) for url in mirrors):
        raise ModelFileError(f"weights.mirrors must be a list of URLs, got {mirrors!r}")
    package = weights.get("package")
    changed = {"mirrors": tuple(mirrors), "package": package and Package.of(package)}
    return {**given, "weights": Weights(**{**weights, **changed})}


def _is_needed(known: Any) -> bool:
    return known.default is MISSING and known.default_factory is MISSING
