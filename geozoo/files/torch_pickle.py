"""Reading checkpoints of PyTorch as data, without unpickling their objects.

A checkpoint is a ZIP archive of a pickle and the bytes of its tensors. Only tensors, strings,
numbers, lists, tuples and dicts are read; any other object becomes an inert `Placeholder`, which
records its name. Nothing is imported or called.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Collection
from typing import Any, NoReturn

import torch
from torch import Tensor

from geozoo.files.array_pickle import check_instructions

_DTYPES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}  # fmt: skip
_DEEPEST = 20


class Placeholder:
    """An object of a pickle that is not read.

    Attributes:
        name: module and name of its class or function, as the pickle states them.
    """

    name = ""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        """Ignore the state of the object."""

    def __repr__(self) -> str:
        """The name."""
        return f"<{self.name}>"


class _Ordered(dict[Any, Any]):
    """An ordered dict, whose attributes are ignored."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Storage:
    """Bytes of tensors, in a file of the archive."""

    def __init__(self, dtype: torch.dtype, key: str, count: int) -> None:
        self.dtype, self.key, self.count = dtype, key, count


class _Tensor:
    """A view of a storage."""

    def __init__(self, storage: Any, start: Any, size: Any, stride: Any, *_: Any) -> None:
        self.storage, self.start, self.size, self.stride = storage, start, size, stride


_NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _Ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Resolve every name to a class of this module."""
        known = _NAMES.get((module, name))
        return known or type("Unread", (Placeholder,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        """Record a storage, given as its kind, type, key, place and number of entries."""
        match pid:
            case ("storage", type() as kind, str() as key, str(), int() as count):
                label = getattr(kind, "name", "").removeprefix("torch.")
                if label in _DTYPES and key.isdecimal():
                    return _Storage(_DTYPES[label], key, count)
        raise ValueError(f"the storage {pid!r:.80} is not supported")


def parse_torch_pickle(content: bytes, name: str, *, keys: Collection[str] = ()) -> Any:
    """Read a checkpoint that ``torch.save`` wrote.

    Args:
        content: the file.
        name: what messages call it.
        keys: read only these entries of the dict at the top; empty: all.

    Raises:
        ValueError: If the content is corrupt, or no such checkpoint; also if an entry of ``keys``
            is missing.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _parse(archive, keys)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"{name} is not a checkpoint of PyTorch: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{name} is not a checkpoint of plain tensors: {error}") from None
    except (pickle.UnpicklingError, EOFError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is a corrupt checkpoint: {error}") from None


def _parse(archive: zipfile.ZipFile, keys: Collection[str]) -> Any:
    for entry in archive.infolist():
        if entry.compress_type != zipfile.ZIP_STORED:  # so that the file bounds the memory
            raise ValueError(f"{entry.filename} is compressed")
    (main,) = [each for each in archive.namelist() if each.endswith("/data.pkl")] or _no_pickle()
    folder = main.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        order = archive.read(f"{folder}byteorder")
        if order != b"little":
            raise ValueError(f"the byte order {order!r:.20} is not supported")
    pickled = archive.read(main)
    check_instructions(pickled, also=("BINPERSID",))
    loaded = _Reader(io.BytesIO(pickled)).load()
    if keys:
        if not isinstance(loaded, dict) or (missing := [k for k in keys if k not in loaded]):
            raise ValueError(f"it lacks the entries {', '.join(missing or keys)}")
        loaded = {key: loaded[key] for key in keys}
    return _Finisher(archive, folder)(loaded)


def _no_pickle() -> NoReturn:
    raise ValueError("it has no data.pkl")


class _Finisher:
    """Converts records to tensors."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self.archive, self.folder = archive, folder
        self.done: dict[int, Any] = {}

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
        if isinstance(value, list | tuple | dict | _Tensor):
            if id(value) not in self.done:  # an object that is referenced many times is read once
                self.done[id(value)] = self._finish(value, depth + 1)
            return self.done[id(value)]
        if isinstance(value, _Storage):
            raise ValueError("it holds a storage without a tensor")
        return value

    def _finish(self, value: Any, depth: int) -> Any:
        if isinstance(value, _Tensor):
            return self._tensor(value)
        if isinstance(value, dict):
            return {self(key, depth): self(each, depth) for key, each in value.items()}
        return type(value)([self(each, depth) for each in value])

    def _tensor(self, record: _Tensor) -> Tensor:
        storage, start, size, stride = record.storage, record.start, record.size, record.stride
        if not isinstance(storage, _Storage) or not _is_view(start, size, stride, storage.count):
            raise ValueError(f"the tensor of size {size!r:.80} does not fit its storage")
        raw = self.archive.read(f"{self.folder}data/{storage.key}")
        if len(raw) != storage.count * storage.dtype.itemsize:
            raise ValueError(
                f"storage {storage.key} must have {storage.count * storage.dtype.itemsize} bytes, "
                f"got {len(raw)}"
            )
        if not raw:
            return torch.empty(size, dtype=storage.dtype)
        flat = torch.frombuffer(bytearray(raw), dtype=storage.dtype)
        return flat.as_strided(size, stride, start)


def _is_view(start: Any, size: Any, stride: Any, count: int) -> bool:
    """Whether a view stays inside a storage with ``count`` entries."""
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        return False
    if not all(type(n) is int and n >= 0 for n in (start, *size, *stride)):
        return False
    if 0 in size:
        return True
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    return bool(last < count)
