"""Reversible encodings of arrays that compress better with xz: byte planes, decimals, float bits.

Every encoding is exact: ``decode(*encode(array))`` has the bits of ``array``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

#: What `decode` needs besides the bytes; stored as JSON.
Spec = dict[str, Any]
_MOST_DIGITS = 10
_ORDERS: tuple[Literal["C", "F"], ...] = ("C", "F")
#: Integers up to here are exact in float64.
_EXACT = 1 << 53


def encode(array: np.ndarray) -> tuple[Spec, bytes]:
    """Encode an array, as decimals where these are short, in the better of both memory orders."""
    if array.dtype == np.float64 and array.size:
        digits = decimal_digits(array)
        if digits is not None:
            return _decimals(array, digits)
    return _best_order(_to_whole(array), array)


def decode(spec: Spec, data: bytes) -> np.ndarray:
    """The array that was passed to `encode`.

    Raises:
        ValueError: if the data are not as long as the spec says.
    """
    if "digits" in spec:
        whole, rest = (_unpack(part, chunk) for part, chunk in _parts(spec, data))
        guess = _from_decimals(_unzigzag(whole), spec["digits"])
        return add_bits(guess, _unzigzag(rest)).reshape(spec["shape"], order=spec["order"])
    whole = _unpack(spec, data).reshape(spec["shape"], order=spec["order"])
    return _from_whole(np.ascontiguousarray(whole), np.dtype(spec["dtype"]))


def decimal_digits(values: np.ndarray) -> int | None:
    """Smallest number of decimals that writes nearly all values exactly; None: more than 10."""
    sample = values.ravel()[:: max(1, values.size // 20_000)]
    for digits in range(_MOST_DIGITS + 1):
        with np.errstate(invalid="ignore", over="ignore"):
            whole = np.rint(sample * 10.0**digits)
            fits = (np.abs(whole) < _EXACT) & (whole / 10.0**digits == sample)
        if fits.mean() > 0.999:
            return digits
    return None


def bits_between(guess: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Distance between the bits of float64 values and those of a guess, int64 with wrap-around."""
    return values.view(np.int64) - guess.view(np.int64)


def add_bits(guess: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """Undo `bits_between`."""
    return (guess.view(np.int64) + difference).view(np.float64)


def pack_whole(values: np.ndarray) -> tuple[Spec, bytes]:
    """Encode integers, zigzag-folded if signed, in as few byte planes as possible."""
    folded = values if values.dtype.kind == "u" else _zigzag(values.astype(np.int64))
    size = next(k for k in (1, 2, 4, 8) if int(folded.max(initial=0)) < 1 << 8 * k)
    spec = {"size": size, "count": folded.size, "signed": values.dtype.kind != "u"}
    return spec, _planes(folded.ravel().astype(f"<u{size}"))


def unpack_whole(spec: Spec, data: bytes) -> np.ndarray:
    """Undo `pack_whole`: int64 or uint64, flat."""
    whole = _unpack(spec, data)
    return _unzigzag(whole) if spec["signed"] else whole.astype(np.uint64)


def _decimals(array: np.ndarray, digits: int) -> tuple[Spec, bytes]:
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.nan_to_num(np.rint(array * 10.0**digits), nan=0.0, posinf=0.0, neginf=0.0)
    whole = np.where(np.abs(whole) < _EXACT, whole, 0.0).astype(np.int64)
    best: tuple[Spec, bytes] | None = None
    for order in _ORDERS:
        flat, values = whole.ravel(order), array.ravel(order)
        rest = bits_between(_from_decimals(flat, digits), values)
        first, head = pack_whole(flat)
        second, tail = pack_whole(rest)
        spec = {"digits": digits, "shape": array.shape, "order": order, "parts": [first, second]}
        best = _smaller(best, (spec, head + tail))
    assert best is not None
    return best


def _best_order(whole: np.ndarray, array: np.ndarray) -> tuple[Spec, bytes]:
    best: tuple[Spec, bytes] | None = None
    for order in _ORDERS if whole.ndim > 1 else _ORDERS[:1]:
        spec: Spec = {"dtype": array.dtype.str, "shape": array.shape, "order": order}
        spec |= {"size": whole.dtype.itemsize, "count": whole.size}
        best = _smaller(best, (spec, _planes(whole.ravel(order))))
    assert best is not None
    return best


def _smaller(best: tuple[Spec, bytes] | None, other: tuple[Spec, bytes]) -> tuple[Spec, bytes]:
    if best is None:
        return other
    return min(best, other, key=lambda each: len(zlib.compress(each[1], 1)))


def _from_decimals(whole: np.ndarray, digits: int) -> np.ndarray:
    return whole.astype(np.float64) / 10.0**digits


def _to_whole(array: np.ndarray) -> np.ndarray:
    """The bits as unsigned integers; float32 with the sign last, so one byte is the exponent."""
    bits = np.ascontiguousarray(array).view(f"<u{array.dtype.itemsize}")
    return bits << 1 | bits >> 31 if array.dtype == np.float32 else bits


def _from_whole(bits: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return (bits >> 1 | bits << 31 if dtype == np.float32 else bits).view(dtype)


def _zigzag(values: np.ndarray) -> np.ndarray:
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def _unzigzag(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.uint64)
    return (values >> 1).view(np.int64) ^ -(values & 1).view(np.int64)


def _planes(values: np.ndarray) -> bytes:
    """The first byte of every number, then the second byte of every number, ..."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def _unpack(spec: Spec, data: bytes) -> np.ndarray:
    if len(data) != spec["size"] * spec["count"]:
        raise ValueError(f"{spec['size'] * spec['count']} bytes are needed, got {len(data)}")
    planes = np.frombuffer(data, np.uint8).reshape(spec["size"], spec["count"])
    return np.ascontiguousarray(planes.T).view(f"<u{spec['size']}").ravel()


def _parts(spec: Spec, data: bytes) -> Iterator[tuple[Spec, bytes]]:
    """Each part of an encoding with its bytes."""
    return split_parts(spec["parts"], data)


def split_parts(specs: Sequence[Spec], data: bytes) -> Iterator[tuple[Spec, bytes]]:
    """Consecutive specs of `pack_whole`, each with its bytes."""
    start = 0
    for spec in specs:
        end = start + spec["size"] * spec["count"]
        yield spec, data[start:end]
        start = end
