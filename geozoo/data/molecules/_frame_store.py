"""Prepared files of large sets of structures: parsed once, memory-mapped afterwards."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geozoo.data.molecules._electronic_states import ElectronicState
from geozoo.data.molecules._frames import FrameOptions, Frames, read_frames
from geozoo.data.molecules._structure_paths import StructurePaths
from geozoo.data.store import GraphStore
from geozoo.files.folders import check_writable, data_folder

_LOG = logging.getLogger(__name__)
#: Version of the prepared file; files of other versions are ignored.
_VERSION = "2"
#: Total size in bytes from which a prepared file is worth its space: seconds of parsing.
_LARGE = 20_000_000


def frames_of(paths: StructurePaths, options: FrameOptions) -> Frames:
    """The structures of some files, through a prepared file if they are large.

    Logs what was read. See `read_frames` for errors.
    """
    prepared = _prepared_path(paths, options)
    frames = None
    if prepared is not None:
        prepare_frames(paths, options)
        frames = _load(prepared)
    if frames is None:
        frames = read_frames(paths.files, options)
    frames.report(paths.files)
    return frames


def prepare_frames(paths: StructurePaths, options: FrameOptions) -> None:
    """Write the prepared file of large files, unless it exists or its folder is read-only."""
    prepared = _prepared_path(paths, options)
    if prepared is None or _header(prepared) is not None:
        return
    try:
        check_writable(prepared.parent)
    except OSError as error:
        _LOG.warning("%s; the structures are parsed again by every run", error)
        return
    _LOG.info("parsing the structures once, into %s", prepared)
    frames = read_frames(paths.files, options)
    frames.store.save(prepared, metadata={"version": _VERSION, "frames": _described(frames)})


def _prepared_path(paths: StructurePaths, options: FrameOptions) -> Path | None:
    """Path of the prepared file; None for small files.

    Its name is a hash of the contents of all files and of how they are interpreted, so that changed
    files or options have another one.
    """
    if sum(path.stat().st_size for path in paths.files.values()) < _LARGE:
        return None
    import ase

    parts = {"files": paths.hashes, "options": asdict(options), "ase": ase.__version__}
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return data_folder("extxyz") / f"prepared_{key}.safetensors"


def _header(prepared: Path) -> Mapping[str, str] | None:
    header = GraphStore.header(prepared)
    return header if header and header.get("version") == _VERSION else None


def _load(prepared: Path) -> Frames | None:
    header = _header(prepared)
    if header is None:
        return None
    values: dict[str, Any] = json.loads(header["frames"])
    values["isolated"] = {
        name: {int(number): value for number, value in energies.items()}
        for name, energies in values["isolated"].items()
    }
    values["states"] = tuple(ElectronicState(*state) for state in values["states"])
    _LOG.info("reading the structures from %s", prepared)
    return Frames(store=GraphStore.load(prepared), **values)


def _described(frames: Frames) -> str:
    """Everything but the store, as JSON."""
    names = (
        "sizes", "isolated", "states", "keys", "num_ignored", "contents", "indefinite", "unknown",
    )  # fmt: skip
    return json.dumps({name: getattr(frames, name) for name in names})
