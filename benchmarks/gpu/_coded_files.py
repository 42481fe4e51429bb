"""Array files (.npy, stored .npz, .safetensors, .h5), encoded array by array, else unchanged."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.gpu._coding import Spec, decode, encode

#: Suffix of an encoded file.
SUFFIX = ".coded"
#: Smaller arrays are left unchanged.
_SMALLEST = 4096
_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2"}


class Place(NamedTuple):
    """Where the bytes of an array are in a file."""

    start: int
    dtype: np.dtype
    shape: tuple[int, ...]
    order: str

    @property
    def end(self) -> int:
        """The byte after the array."""
        return self.start + self.dtype.itemsize * int(np.prod(self.shape))


def encode_file(path: Path) -> bytes | None:
    """The encoded content of a file; None if no array is recognised in it."""
    places = sorted(place for place in find_arrays(path) if place.end - place.start >= _SMALLEST)
    if not places:
        return None
    content, start = path.read_bytes(), 0
    specs: list[Spec] = []
    chunks: list[bytes] = []
    for place in [*places, None]:
        end = place.start if place else len(content)
        specs.append({"raw": end - start})
        chunks.append(content[start:end])
        if place:
            flat = np.frombuffer(content[place.start : place.end], place.dtype)
            array = flat.reshape(place.shape, order=place.order)  # type: ignore[call-overload]
            spec, data = encode(array)
            specs.append({"array": spec, "bytes": len(data), "layout": place.order})
            chunks.append(data)
            start = place.end
    coded = join(specs, chunks)
    if decode_file(coded) != content:
        raise ValueError(f"{path} does not survive its coding")
    return coded


def decode_file(coded: bytes) -> bytes:
    """The original content that was passed to `encode_file`."""
    chunks = []
    for spec, data in split(coded):
        if "raw" in spec:
            chunks.append(data)
        else:
            chunks.append(decode(spec["array"], data).tobytes(spec["layout"]))
    return b"".join(chunks)


def join(specs: list[Spec], chunks: list[bytes]) -> bytes:
    """One byte string: length of the specs as JSON, the specs, the chunks."""
    head = json.dumps(specs).encode()
    return b"".join([struct.pack("<Q", len(head)), head, *chunks])


def split(coded: bytes) -> Iterator[tuple[Spec, bytes]]:
    """Undo `join`: each spec, whose length is in ``raw`` or ``bytes``, with its bytes."""
    (size,) = struct.unpack("<Q", coded[:8])
    start = 8 + size
    for spec in json.loads(coded[8:start]):
        end = start + spec.get("raw", spec.get("bytes", 0))
        yield spec, coded[start:end]
        start = end
    if start != len(coded):
        raise ValueError(f"{start} bytes are needed, got {len(coded)}")


def find_arrays(path: Path) -> list[Place]:
    """The arrays of a file whose items have two or more bytes."""
    if path.suffix == ".npy":
        return [_npy(path, 0)]
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    return _h5(path) if path.suffix == ".h5" else []


def _npy(path: Path, start: int) -> Place:
    with path.open("rb") as file:
        file.seek(start)
        version = np.lib.format.read_magic(file)
        reader = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = reader[version[0]](file)
        return Place(file.tell(), dtype, shape, "F" if fortran else "C")


def _npz(path: Path) -> list[Place]:
    """Arrays of an archive that stores them uncompressed."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        starts = []
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                return []
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
            starts.append(info.header_offset + 30 + name + extra)
    return [_npy(path, start) for start in starts]


def _safetensors(path: Path) -> list[Place]:
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return [
        Place(8 + size + each["data_offsets"][0], np.dtype(_TYPES[each["dtype"]]),
              tuple(each["shape"]), "C")
        for name, each in header.items() if name != "__metadata__" and each["dtype"] in _TYPES
    ]  # fmt: skip


def _h5(path: Path) -> list[Place]:
    """Contiguous numeric datasets of an HDF5 file."""
    import h5py

    found: list[Place] = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            start = item.id.get_offset()
            if start is not None:
                found.append(Place(start, item.dtype, item.shape, "C"))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found
