"""The prepared file of QM9, encoded: published decimals for properties, bonds by later atom."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.gpu._coded_files import _TYPES, join, split
from benchmarks.gpu._coding import (
    Spec,
    add_bits,
    bits_between,
    decode,
    encode,
    pack_whole,
    split_parts,
    unpack_whole,
)

#: Suffix of the encoded file.
QM9_SUFFIX = ".qm9"
#: Digits after the point of the properties in the order of the file, in their published units.
_DIGITS = (5, 5, 5, 4, 2, 4, 4, 4, 4, 6, 6, 6, 6, 6, 3)
#: A property derived from others of the same molecule: column, columns to add, to subtract.
_TOLD = {7: ((6,), (5,)), 11: ((10,), ()), 12: ((11,), ()), 13: ((10,), ())}
Arrays = dict[str, np.ndarray]


def encode_qm9(path: Path, factors: list[float], atoms: Mapping[int, list[float]]) -> bytes:
    """The encoded content of a prepared file, verified to be restored bit for bit.

    Args:
        path: ``prepared_distance.safetensors``.
        factors: of each of the 19 properties, from its published unit to that of the file.
        atoms: the four isolated-atom energies of each element, in the published unit.
    """
    content = path.read_bytes()
    arrays = dict(_arrays(content))
    head = content[: 8 + struct.unpack("<Q", content[:8])[0]]
    specs: list[Spec] = [{"raw": len(head)}]
    chunks = [head]
    for name, array in arrays.items():
        if name == "graph.properties":
            spec, data = _properties(array, arrays, factors, atoms)
        elif name == "edge_index":
            spec, data = _edges(arrays)
        elif name == "node.pos":
            spec, data = _positions(arrays)
        else:
            spec, data = encode(array)
        specs.append({"name": name, "array": spec, "bytes": len(data)})
        chunks.append(data)
    coded = join(specs, chunks)
    if decode_qm9(coded) != content:
        raise ValueError(f"{path} does not survive its coding")
    return coded


def decode_qm9(coded: bytes) -> bytes:
    """The prepared file that was passed to `encode_qm9`."""
    (_, head), *fields = split(coded)
    arrays: Arrays = {}
    # Derived columns come last.
    for spec, data in sorted(fields, key=lambda field: field[0]["name"] in _RESTORE):
        restore = _RESTORE.get(spec["name"])
        given = (spec["array"], data)
        arrays[spec["name"]] = restore(*given, arrays) if restore else decode(*given)
    return b"".join([head, *(arrays[spec["name"]].tobytes() for spec, _ in fields)])


def _arrays(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a safetensors file in file order."""
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    types = {"I8": "|i1", "U8": "|u1", **_TYPES}
    for name, each in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = each["data_offsets"]
        flat = np.frombuffer(content[start + first : start + last], types[each["dtype"]])
        yield name, flat.reshape(each["shape"])


def _properties(
    values: np.ndarray, arrays: Arrays, factors: list[float], atoms: Mapping[int, list[float]]
) -> tuple[Spec, bytes]:
    """Decimals of 15 columns, and the bitwise difference of all 19 from those derived from them."""
    whole = np.stack([
        np.rint(values[:, column] / factors[column] * 10.0**digits).astype(np.int64)
        for column, digits in enumerate(_DIGITS)
    ])  # fmt: skip
    spec: Spec = {"factors": factors, "atoms": {str(z): each for z, each in atoms.items()}}
    guess = _made_of(whole, spec, arrays)
    parts = [
        *(pack_whole(_less_told(whole, column)) for column in range(len(whole))),
        *(pack_whole(bits_between(*pair)) for pair in zip(guess, values.T.copy(), strict=True)),
    ]
    return spec | {"parts": [part for part, _ in parts]}, b"".join(data for _, data in parts)


def _restored_properties(spec: Spec, data: bytes, arrays: Arrays) -> np.ndarray:
    parts = [unpack_whole(*part) for part in split_parts(spec["parts"], data)]
    whole, rest = np.stack(parts[: len(_DIGITS)]), parts[len(_DIGITS) :]
    for column in sorted(_TOLD):
        whole[column] = whole[column] + _told(whole, column)
    guess = _made_of(whole, spec, arrays)
    return np.stack([add_bits(*pair) for pair in zip(guess, rest, strict=True)], 1)


def _told(whole: np.ndarray, column: int) -> np.ndarray:
    plus, minus = _TOLD.get(column, ((), ()))
    return sum((whole[c] for c in plus), np.zeros_like(whole[0])) - sum(whole[c] for c in minus)


def _less_told(whole: np.ndarray, column: int) -> np.ndarray:
    return whole[column] - _told(whole, column)


def _made_of(whole: np.ndarray, spec: Spec, arrays: Arrays) -> np.ndarray:
    """All 19 columns ``[19, S]`` as geozoo derives them from published decimals."""
    values = [column / 10.0**digits for column, digits in zip(whole, _DIGITS, strict=True)]
    owner = np.repeat(np.arange(len(arrays["num_nodes"])), arrays["num_nodes"])
    free: list[np.ndarray] = [np.zeros(1)] * 4
    for z, energies in spec["atoms"].items():
        number = np.bincount(owner, arrays["node.z"] == int(z), len(arrays["num_nodes"]))
        free = [sum_ + number * energy for sum_, energy in zip(free, energies, strict=True)]
    values += [values[10 + k] - free[k] for k in range(4)]
    return np.stack([v * f for v, f in zip(values, spec["factors"], strict=True)])


def _positions(arrays: Arrays) -> tuple[Spec, bytes]:
    """Positions of all atoms but the last, and bits of the last relative to minus their sum."""
    pos, last = arrays["node.pos"], np.cumsum(arrays["num_nodes"]) - 1
    others = np.delete(pos, last, 0)
    guess = _last_atoms(others, arrays["num_nodes"])
    difference = pos[last].view(np.int32).astype(np.int64) - guess.view(np.int32)
    (first, head), (second, tail) = encode(others), pack_whole(difference)
    return {"others": first, "last": second, "head": len(head)}, head + tail


def _restored_positions(spec: Spec, data: bytes, arrays: Arrays) -> np.ndarray:
    others = decode(spec["others"], data[: spec["head"]])
    guess = _last_atoms(others, arrays["num_nodes"])
    difference = unpack_whole(spec["last"], data[spec["head"] :]).reshape(guess.shape)
    last = np.cumsum(arrays["num_nodes"]) - 1
    pos = np.empty((len(others) + len(last), 3), np.float32)
    pos[np.delete(np.arange(len(pos)), last)] = others
    pos[last] = (guess.view(np.int32) + difference).astype(np.int32).view(np.float32)
    return pos


def _last_atoms(others: np.ndarray, num_nodes: np.ndarray) -> np.ndarray:
    """Position of the last atom if the mean is zero, in integers, whose sum is unambiguous."""
    whole = np.rint(others.astype(np.float64) * float(1 << 40)).astype(np.int64)
    total = np.concatenate([np.zeros((1, 3), np.int64), whole.cumsum(0)])
    ends = np.cumsum(num_nodes - 1)
    return ((total[ends - (num_nodes - 1)] - total[ends]) / float(1 << 40)).astype(np.float32)


def _edges(arrays: Arrays) -> tuple[Spec, bytes]:
    """For each atom, the number of earlier atoms bonded to it, and their differences to it."""
    first, second = arrays["edge_index"]
    start = np.cumsum(arrays["num_nodes"]) - arrays["num_nodes"]
    shift = np.repeat(start, arrays["num_edges"])
    order = np.lexsort((first, second + shift))
    number = np.bincount(second + shift, minlength=len(arrays["node.z"]))
    parts = [pack_whole(number.astype(np.uint64)), pack_whole(first[order].astype(np.uint64))]
    spec = {"parts": [part for part, _ in parts]}
    return spec, b"".join(data for _, data in parts)


def _restored_edges(spec: Spec, data: bytes, arrays: Arrays) -> np.ndarray:
    number, earlier = (
        unpack_whole(*part).astype(np.int64) for part in split_parts(spec["parts"], data)
    )
    start = np.cumsum(arrays["num_nodes"]) - arrays["num_nodes"]
    local = np.arange(len(number)) - np.repeat(start, arrays["num_nodes"])
    later = np.repeat(local, number)
    shift = np.repeat(start, arrays["num_edges"])
    order = np.lexsort((later, earlier + shift))
    return np.stack([earlier[order], later[order]])


_RESTORE = {
    "graph.properties": _restored_properties,
    "edge_index": _restored_edges,
    "node.pos": _restored_positions,
}
