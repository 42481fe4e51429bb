"""Downloading files of known content from one of several mirrors."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import yaml
from rich.progress import DownloadColumn, TimeRemainingColumn

from geozoo.files.progress import start_bar

_LOG = logging.getLogger(__name__)
#: Environment variable; 1 disables all network access.
OFFLINE_VARIABLE = "GEOZOO_OFFLINE"
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_SECONDS_WITHOUT_DATA = 30
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded.

    Attributes:
        name: file name.
        urls: mirrors, the preferred one first; https only, or http on localhost.
        size: length in bytes; ``None`` if it was never published.
        sha256: checksum; ``None`` if it was never published. The checksum of the first download
            is then stored next to the file, and later copies must match it.
        md5: the older checksum, if only that was published.
        note: where size and checksum come from, or why they are unknown.

    Raises:
        ValueError: If the name contains a folder, there is no URL or one without encryption, or a
            checksum is malformed.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Validate the fields."""
        if Path(self.name).name != self.name:
            raise ValueError(f"name must be a file name without folders, got {self.name!r}")
        if not self.urls:
            raise ValueError(f"urls of {self.name} is empty")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme != "https" and not (
                parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS
            ):
                raise ValueError(f"urls of {self.name} must use https, got {url!r}")
        for algorithm, digits in (("sha256", 64), ("md5", 32)):
            checksum = getattr(self, algorithm)
            if checksum is not None and not re.fullmatch(f"[0-9a-f]{{{digits}}}", checksum):
                raise ValueError(
                    f"{algorithm} must be {digits} hexadecimal digits, got {checksum!r}"
                )


def remote_files(dataset: str) -> dict[str, RemoteFile]:
    """The files of ``datasets/<dataset>/files.yaml`` by name.

    Raises:
        FileNotFoundError: If there is no such dataset.
    """
    path = dataset_entry(dataset) / "files.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"dataset {dataset!r} has no file list {path}")
    entries: Sequence[Mapping[str, Any]] = yaml.safe_load(path.read_text())["files"]
    files = [RemoteFile(**{**entry, "urls": tuple(entry["urls"])}) for entry in entries]
    return {file.name: file for file in files}


def dataset_entry(dataset: str) -> Path:
    """The folder ``datasets/<dataset>`` of the checkout, or its copy in an installed package."""
    package = Path(str(resources.files("geozoo")))
    installed = package / "_zoo" / "datasets"
    return (installed if installed.is_dir() else package.parent / "datasets") / dataset


def is_offline() -> bool:
    """Whether the environment variable ``GEOZOO_OFFLINE`` forbids the network."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def fetch(file: RemoteFile, folder: str | Path, *, download: bool = True) -> Path:
    """Download a file unless it exists, verify it and return its path.

    The mirrors are tried in order. A download gets its final name only after its size and checksum
    have been verified.

    Args:
        file: the file.
        folder: where the file is or should go.
        download: whether the network may be used; ``GEOZOO_OFFLINE=1`` disables it, too.

    Raises:
        FileNotFoundError: If the file is missing and the network may not be used.
        ValueError: If the existing file is not the published one.
        OSError: If no mirror has the published file.
    """
    path = Path(folder) / file.name
    if path.is_file():
        problem = _problem(file, path)
        if problem:
            raise ValueError(
                f"{path} is not the published file: {problem}. Delete it to download it again "
                f"({_sources(file)})"
            )
        _remember(file, path)
        return path
    if is_offline() or not download:
        reason = f"{OFFLINE_VARIABLE} is set" if is_offline() else "download is false"
        raise FileNotFoundError(
            f"{file.name} is missing in {path.parent}, and {reason}. Download it from "
            f"{_sources(file)} and put it there"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _download(file, path)
    _remember(file, path)
    return path


def _download(file: RemoteFile, path: Path) -> None:
    failures = []
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    for url in file.urls:
        _LOG.info("downloading %s", url)
        try:
            with _Bar(file.name) as bar:
                pooch.retrieve(
                    url,
                    known_hash=None,
                    fname=partial.name,
                    path=partial.parent,
                    downloader=pooch.HTTPDownloader(
                        progressbar=bar, chunk_size=_CHUNK_BYTES, timeout=_SECONDS_WITHOUT_DATA
                    ),
                )
            problem = _problem(file, partial) or _problem(file, partial, lock_of=path)
            if problem is None:
                partial.replace(path)
                return
            failures.append(f"{url}: {problem}")
        except OSError as error:  # also the base class of the exceptions of requests
            failures.append(f"{url}: {error}")
        finally:
            partial.unlink(missing_ok=True)
    raise OSError(
        f"{file.name} could not be downloaded to {path.parent}:\n  " + "\n  ".join(failures)
    )


def _problem(file: RemoteFile, path: Path, lock_of: Path | None = None) -> str | None:
    """What is wrong with a copy of the file; ``None`` if nothing is."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"its size is {size} bytes, not {file.size} (truncated or altered)"
    known = {"sha256": file.sha256 or _remembered(lock_of or path), "md5": file.md5}
    for algorithm, expected in known.items():
        found = expected and pooch.file_hash(str(path), alg=algorithm)
        if found != expected:
            return f"its {algorithm} is {found}, not {expected} (altered)"
    return None


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock.json")


def _remembered(path: Path) -> str | None:
    """The checksum of the first download."""
    lock = _lock_path(path)
    return json.loads(lock.read_text())["sha256"] if lock.is_file() else None


def _remember(file: RemoteFile, path: Path) -> None:
    """Store the checksum of a file for which none was published."""
    if file.sha256 is not None or _lock_path(path).exists():
        return
    content = {"sha256": pooch.file_hash(str(path), alg="sha256"), "size": path.stat().st_size}
    try:
        _lock_path(path).write_text(json.dumps(content) + "\n")
    except PermissionError:
        _LOG.info("cannot write %s; later changes to the file go undetected", _lock_path(path))


def _sources(file: RemoteFile) -> str:
    return " or ".join(file.urls)


class _Bar:
    """A rich progress bar with the methods that pooch calls."""

    def __init__(self, name: str) -> None:
        columns = (DownloadColumn(), TimeRemainingColumn())
        self._progress, self._task = start_bar(f"Downloading {name}", None, *columns)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def total(self) -> float | None:
        """Total number of bytes."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, value: int) -> None:
        self._progress.update(self._task, total=value or None)

    def update(self, amount: int) -> None:
        """Advance by some bytes."""
        self._progress.advance(self._task, amount)

    def reset(self) -> None:
        """Return to the start; pooch then fills the bar."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Do nothing: leaving the context closes the bar."""
