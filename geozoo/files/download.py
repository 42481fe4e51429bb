"""Fetching files whose content is known, from any of several places."""

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
#: Set to 1, it keeps geozoo from touching the network.
OFFLINE_VARIABLE = "GEOZOO_OFFLINE"
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_SECONDS_WITHOUT_DATA = 30
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be had from the network.

    Attributes:
        name: file name.
        urls: where it is, the best place first; https only, or http on this machine.
        size: length in bytes; ``None`` when nobody published it.
        sha256: checksum; ``None`` when nobody published it. The checksum of the first copy is
            then written beside the file and later copies have to agree with it.
        md5: the older checksum, where it is the only one that was published.
        note: where size and checksum come from, or why they are not known.

    Raises:
        ValueError: for a name with folders in it, no place, an unencrypted one, or a checksum
            that is none.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be fetched safely."""
        if Path(self.name).name != self.name:
            raise ValueError(f"name must be a file name without folders, got {self.name!r}")
        if not self.urls:
            raise ValueError(f"urls of {self.name} is empty")
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme != "https" and not (
                parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS
            ):
                raise ValueError(f"urls: {self.name} must come over https, got {url!r}")
        for algorithm, digits in (("sha256", 64), ("md5", 32)):
            checksum = getattr(self, algorithm)
            if checksum is not None and not re.fullmatch(f"[0-9a-f]{{{digits}}}", checksum):
                raise ValueError(f"{algorithm} must be {digits} hexadecimal digits: {checksum!r}")


def remote_files(dataset: str) -> dict[str, RemoteFile]:
    """The files of ``datasets/<dataset>/files.yaml`` by name.

    Raises:
        FileNotFoundError: when there is no such data set.
    """
    path = _entries_folder() / dataset / "files.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"dataset {dataset!r} has no file list {path}")
    entries: Sequence[Mapping[str, Any]] = yaml.safe_load(path.read_text())["files"]
    files = [RemoteFile(**{**entry, "urls": tuple(entry["urls"])}) for entry in entries]
    return {file.name: file for file in files}


def is_offline() -> bool:
    """Whether the environment variable ``GEOZOO_OFFLINE`` forbids the network."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def fetch(file: RemoteFile, folder: str | Path, *, download: bool = True) -> Path:
    """The path of a checked file, which is downloaded when it is not there.

    The places are tried one after the other. A copy takes its final name only after its size and
    checksum were checked.

    Args:
        file: the file.
        folder: where it lies or shall lie.
        download: whether the network may be used; ``GEOZOO_OFFLINE=1`` forbids it, too.

    Raises:
        FileNotFoundError: when it is not there and the network may not be used.
        ValueError: when the file that is there is not the published one.
        OSError: when no place has the published file.
    """
    path = Path(folder) / file.name
    if path.is_file():
        problem = _problem(file, path)
        if problem:
            raise ValueError(
                f"{path} is not the published file: {problem}. Delete it to fetch it anew "
                f"({_sources(file)})"
            )
        _remember(file, path)
        return path
    if is_offline() or not download:
        reason = f"{OFFLINE_VARIABLE} is set" if is_offline() else "download is false"
        raise FileNotFoundError(
            f"{file.name} is missing in {path.parent}, and {reason}. Fetch it from "
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
        except OSError as error:  # what requests raises derives from it
            failures.append(f"{url}: {error}")
        finally:
            partial.unlink(missing_ok=True)
    raise OSError(
        f"{file.name} could not be fetched into {path.parent}:\n  " + "\n  ".join(failures)
    )


def _problem(file: RemoteFile, path: Path, lock_of: Path | None = None) -> str | None:
    """What is wrong with a copy of the file; ``None`` for nothing."""
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
    """The checksum that the first copy had."""
    lock = _lock_path(path)
    return json.loads(lock.read_text())["sha256"] if lock.is_file() else None


def _remember(file: RemoteFile, path: Path) -> None:
    """Write down the checksum of a file for which none was published."""
    if file.sha256 is not None or _lock_path(path).exists():
        return
    content = {"sha256": pooch.file_hash(str(path), alg="sha256"), "size": path.stat().st_size}
    try:
        _lock_path(path).write_text(json.dumps(content) + "\n")
    except PermissionError:
        _LOG.info("cannot write %s; a later change of the file stays unnoticed", _lock_path(path))


def _sources(file: RemoteFile) -> str:
    return " or ".join(file.urls)


def _entries_folder() -> Path:
    """``datasets/`` of the checkout, or its copy in an installed package."""
    package = Path(str(resources.files("geozoo")))
    installed = package / "_zoo" / "datasets"
    return installed if installed.is_dir() else package.parent / "datasets"


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
        """Bytes to come."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, value: int) -> None:
        self._progress.update(self._task, total=value or None)

    def update(self, amount: int) -> None:
        """Move on by some bytes."""
        self._progress.advance(self._task, amount)

    def reset(self) -> None:
        """Return to the start; pooch fills the bar after it."""
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Nothing to do: the bar ends with its block."""
