"""Reading pickled arrays without executing code.

A pickle is a program that may import and call anything. Here only the opcodes that build lists,
dicts, strings and numbers are allowed, and the few names that a NumPy array needs resolve to
inert records of this module. NumPy only receives the raw bytes, whose number must match the shape.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

_OPCODES = frozenset(
    """PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG
    LONG1 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_LIST LIST APPEND APPENDS
    EMPTY_DICT DICT SETITEM SETITEMS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 PUT BINPUT LONG_BINPUT
    MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD""".split()
)
_BY_CODE = {opcode.code: opcode for opcode in pickletools.opcodes}
#: Booleans, integers, floats, and bytes or text of a fixed width.
_DTYPE = re.compile(r"[biuf][1248]|[SU][1-9]\d{0,4}")
_DEEPEST = 20


class _Record:
    """A NumPy object as the pickle describes it."""

    def __init__(self, *args: Any) -> None:
        self.args, self.state = args, None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Dtype(_Record):
    """``numpy.dtype(code, align, copy)`` and its state ``(version, byte order, ...)``."""


class _Array(_Record):
    """``_reconstruct(ndarray, (0,), b"b")`` and ``(version, shape, dtype, fortran, data)``."""


class _Buffer(_Record):
    """``_frombuffer(data, dtype, shape, order)``."""


class _Scalar(_Record):
    """``scalar(dtype, data)``."""


class _NdArray:
    """Stands for ``numpy.ndarray``, which a pickle only passes as an argument."""


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it encodes {type(text).__name__} as {encoding!r}")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


_NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _NdArray,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
}
for _package in ("numpy.core", "numpy._core"):
    _NAMES[f"{_package}.multiarray", "_reconstruct"] = _Array
    _NAMES[f"{_package}.multiarray", "scalar"] = _Scalar
    _NAMES[f"{_package}.numeric", "_frombuffer"] = _Buffer


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Resolve a known name; reject all others."""
        try:
            return _NAMES[module, name]
        except KeyError:
            raise ValueError(
                f"it refers to {module}.{name}; only NumPy arrays, lists, dicts, strings and "
                "numbers are supported"
            ) from None


def read_array_pickle(path: str | Path) -> Any:
    """Read a pickle of NumPy arrays, strings, numbers, and lists, tuples and dicts of these.

    Python 2 pickles are read as with ``encoding="latin1"``. The file is not trusted: nothing is
    imported or called, and memory use is bounded by the file size.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, refers to any other object, or holds arrays of Python
            objects.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing in {path.parent}")
    return parse_array_pickle(path.read_bytes(), str(path))


def parse_array_pickle(content: bytes, name: str, *, allow_texts: bool = False) -> Any:
    """Read a pickle from memory, see :func:`read_array_pickle`.

    Args:
        content: the pickle.
        name: what messages call it.
        allow_texts: also read object arrays of strings or numbers, as lists.

    Raises:
        ValueError: As for `read_array_pickle`.
    """
    try:
        check_instructions(content)
        # fix_imports renames Python 2 modules only in the default find_class, not in ours.
        loaded = _Reader(io.BytesIO(content), encoding="latin1").load()
        return _Finisher(allow_texts)(loaded)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{name} is not a pickle of plain arrays: {error}") from None
    except (pickle.UnpicklingError, EOFError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is a corrupt pickle: {error}") from None


def check_instructions(content: bytes, also: Collection[str] = ()) -> None:
    """Reject opcodes that are not needed, and memo indices larger than the file.

    Args:
        content: the pickle.
        also: further allowed opcodes.

    Raises:
        ValueError: If there are others.
        EOFError: If the pickle is truncated.
    """
    # Like pickletools.genops, which fails on non-ASCII strings of Python 2.
    stream, name = io.BytesIO(content), ""
    while name != "STOP":
        code = stream.read(1).decode("latin1")
        if not code:
            raise EOFError("unexpected end of data")
        opcode = _BY_CODE.get(code)
        if opcode is None or opcode.name not in {*_OPCODES, *also}:
            raise ValueError(f"opcode {opcode.name if opcode else repr(code)} is not supported")
        name = opcode.name
        argument: Any = None
        if name == "STRING":
            stream.readline()
        elif opcode.arg is not None:
            argument = opcode.arg.reader(stream)
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= argument <= len(content):
            raise ValueError(f"memo index {argument} in a file of {len(content)} bytes")


class _Finisher:
    """Converts records to the objects that they describe."""

    def __init__(self, allow_texts: bool) -> None:
        self.allow_texts = allow_texts
        # A list that is referenced many times is converted once: with nested references, a small
        # file would otherwise take exponential time.
        self.done: dict[int, Any] = {}

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        if value is None or isinstance(value, bool | int | float | str | bytes | bytearray):
            return value
        if id(value) not in self.done:
            self.done[id(value)] = self._finish(value, depth + 1)
        return self.done[id(value)]

    def _finish(self, value: Any, depth: int) -> Any:
        match value:
            case list() | tuple():
                return type(value)([self(each, depth) for each in value])
            case dict():
                return {self(key, depth): self(each, depth) for key, each in value.items()}
            case _Scalar(args=(dtype, data)):
                return _from_bytes(data, dtype, (), False)[()]
            case _Buffer(args=(data, dtype, shape, order)):
                return _from_bytes(data, dtype, shape, order == "F")
            case _Array(state=(_, shape, _, _, list(entries))) if self.allow_texts:
                return _texts(entries, shape)
            case _Array(state=(_, shape, dtype, is_fortran, data)):
                return _from_bytes(data, dtype, shape, bool(is_fortran))
        raise ValueError(f"it holds an incomplete {type(value).__name__.strip('_')}")


def _from_bytes(data: Any, dtype: Any, shape: Any, is_fortran: bool) -> np.ndarray:
    real = _dtype(dtype)
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray):
        raise ValueError(f"the content of an array is {type(raw).__name__}, not bytes")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"the shape of an array is {shape!r:.80}")
    if math.prod(shape) * real.itemsize != len(raw):
        raise ValueError(
            f"an array of shape {shape} and dtype {real} needs "
            f"{math.prod(shape) * real.itemsize} bytes, got {len(raw)}"
        )
    array = np.frombuffer(raw, real).reshape(shape, order="F" if is_fortran else "C")
    return array.astype(real.newbyteorder("="), order="C", copy=True)


def _dtype(record: Any) -> np.dtype:
    if not isinstance(record, _Dtype) or not record.args or not isinstance(record.args[0], str):
        raise ValueError("it holds an array without a dtype")
    code = record.args[0]
    if code.startswith("O"):
        raise ValueError("it holds an array of Python objects; only numeric arrays are supported")
    if not _DTYPE.fullmatch(code):
        raise ValueError(f"arrays of dtype {code!r:.40} are not supported")
    match record.state:
        case None | (_, "<" | ">" | "|" | "=", None, None, None, *_):
            order: Any = "=" if record.state is None else record.state[1]
            return np.dtype(code).newbyteorder(order)
    raise ValueError(f"the dtype state {record.state!r:.80} is not supported")


def _texts(entries: list[Any], shape: Any) -> list[Any]:
    if shape != (len(entries),) or not all(isinstance(e, str | bytes | int) for e in entries):
        raise ValueError("it holds an array of Python objects other than strings")
    return entries
