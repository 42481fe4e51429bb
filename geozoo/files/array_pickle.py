"""Pickles of arrays, read without running anything they say.

A pickle is a program that may import and call whatever it likes. Here only the instructions that
make lists, dicts, texts and numbers are let through, and the few names that a numpy array needs
stand for records of this module: numpy itself sees nothing but the finished bytes, whose number has
to fit the shape.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
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
#: Booleans, whole numbers, floats, bytes and text of a fixed width.
_DTYPE = re.compile(r"[biuf][1248]|[SU][1-9]\d{0,4}")
_DEEPEST = 20


class _Record:
    """Something of numpy as the pickle describes it."""

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
    """Stands for ``numpy.ndarray``, which a pickle only hands on."""


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
        """Let a name of ours through, refuse all others."""
        try:
            return _NAMES[module, name]
        except KeyError:
            raise ValueError(
                f"it refers to {module}.{name}; only numpy arrays, lists, dicts, texts and "
                "numbers are read"
            ) from None


def read_array_pickle(path: str | Path) -> Any:
    """Read a pickle of numpy arrays, texts, numbers, and lists, tuples and dicts of these.

    Pickles of Python 2 are read as with ``encoding="latin1"``. The file is not trusted: nothing
    is imported or called, and what it makes is bounded by its size.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: for a file that is damaged or refers to anything else, which is named, and for
            arrays of Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing in {path.parent}")
    return parse_array_pickle(path.read_bytes(), str(path))


def parse_array_pickle(content: bytes, name: str, *, allow_texts: bool = False) -> Any:
    """Read a pickle from memory, see :func:`read_array_pickle`.

    Args:
        content: the pickle.
        name: what to call it in messages.
        allow_texts: also read arrays of Python objects, if these are texts or numbers, as lists.

    Raises:
        ValueError: as there.
    """
    try:
        _check_instructions(content)
        # fix_imports renames modules of Python 2 in the default find_class only, not in ours.
        loaded = _Reader(io.BytesIO(content), encoding="latin1").load()
        return _Finisher(allow_texts)(loaded)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{name} is not a pickle of plain arrays: {error}") from None
    except (pickle.UnpicklingError, EOFError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is a damaged pickle: {error}") from None


def _check_instructions(content: bytes) -> None:
    """Refuse all that is not needed; a memo number may be no larger than the file."""
    # As pickletools.genops, which fails on the non-ASCII strings of Python 2.
    stream, name = io.BytesIO(content), ""
    while name != "STOP":
        code = stream.read(1).decode("latin1")
        if not code:
            raise EOFError("it ends too early")
        opcode = _BY_CODE.get(code)
        if opcode is None or opcode.name not in _OPCODES:
            raise ValueError(f"instruction {opcode.name if opcode else repr(code)} is not read")
        name = opcode.name
        argument: Any = None
        if name == "STRING":
            stream.readline()
        elif opcode.arg is not None:
            argument = opcode.arg.reader(stream)
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= argument <= len(content):
            raise ValueError(f"memo number {argument} in a file of {len(content)} bytes")


class _Finisher:
    """Replaces records by what they describe."""

    def __init__(self, allow_texts: bool) -> None:
        self.allow_texts = allow_texts
        # A list that is referred to many times is finished once: nested references would otherwise
        # make a small file take for ever.
        self.done: dict[int, Any] = {}

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
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
        raise ValueError(f"it holds a {type(value).__name__.strip('_')} that is not complete")


def _from_bytes(data: Any, dtype: Any, shape: Any, is_fortran: bool) -> np.ndarray:
    real = _dtype(dtype)
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray):
        raise ValueError(f"the content of an array is {type(raw).__name__}, not bytes")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"the shape of an array is {shape!r:.80}")
    if math.prod(shape) * real.itemsize != len(raw):
        raise ValueError(
            f"an array of shape {shape} and type {real} needs {math.prod(shape) * real.itemsize} "
            f"bytes, not {len(raw)}"
        )
    array = np.frombuffer(raw, real).reshape(shape, order="F" if is_fortran else "C")
    return array.astype(real.newbyteorder("="), order="C", copy=True)


def _dtype(record: Any) -> np.dtype:
    if not isinstance(record, _Dtype) or not record.args or not isinstance(record.args[0], str):
        raise ValueError("an array without a type")
    code = record.args[0]
    if code.startswith("O"):
        raise ValueError("it holds an array of Python objects; only arrays of numbers are read")
    if not _DTYPE.fullmatch(code):
        raise ValueError(f"arrays of type {code!r:.40} are not read")
    match record.state:
        case None | (_, "<" | ">" | "|" | "=", None, None, None, *_):
            order: Any = "=" if record.state is None else record.state[1]
            return np.dtype(code).newbyteorder(order)
    raise ValueError(f"the state {record.state!r:.80} of a type is not read")


def _texts(entries: list[Any], shape: Any) -> list[Any]:
    if shape != (len(entries),) or not all(isinstance(e, str | bytes | int) for e in entries):
        raise ValueError("it holds an array of Python objects other than texts")
    return entries
