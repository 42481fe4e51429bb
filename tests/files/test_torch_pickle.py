"""Checkpoints of PyTorch: tensors and plain values are read, everything else stays inert."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from geozoo.files.torch_pickle import Placeholder, parse_torch_pickle


def saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def rewritten(content: bytes, name: str, change) -> bytes:
    """The archive with one entry changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        for each in old.namelist():
            raw = old.read(each)
            new.writestr(each, change(raw) if each.endswith(name) else raw)
    return stream.getvalue()


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def test_tensors_and_plain_values_come_back():
    base = torch.arange(12.0).reshape(3, 4)
    given = {
        "view": base[1:, ::2], "turned": base.T, "same": base, "whole": torch.tensor(3),
        "kinds": [torch.zeros(2, dtype=each) for each in (torch.float64, torch.bool, torch.int8)],
        "none": torch.zeros(0, 3), "state": OrderedDict(a=1), "plain": (1, 2.5, None, True, "é"),
    }  # fmt: skip
    found = parse_torch_pickle(saved(given), "sample")
    assert found.keys() == given.keys() and found["state"] == {"a": 1}
    assert found["plain"] == given["plain"]
    for name in ("view", "turned", "same", "whole", "none"):
        assert found[name].dtype == given[name].dtype and torch.equal(found[name], given[name])
    for one, other in zip(found["kinds"], given["kinds"], strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)


def test_other_objects_are_placeholders_and_nothing_is_called(tmp_path):
    mark = tmp_path / "mark"
    found = parse_torch_pickle(
        saved({"device": torch.device("cpu"), "call": Call(os.mkdir, str(mark)), "n": 1}), "sample"
    )
    assert isinstance(found["device"], Placeholder) and found["n"] == 1
    assert repr(found["call"]) == "<posix.mkdir>" and not mark.exists()


def test_only_the_wanted_entries_are_read():
    content = saved({"a": torch.ones(1), "b": torch.ones(2)})
    assert list(parse_torch_pickle(content, "sample", keys=("b",))) == ["b"]
    with pytest.raises(ValueError, match="sample .*: it lacks the entries c"):
        parse_torch_pickle(content, "sample", keys=("b", "c"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c[:100], "sample is not a checkpoint of PyTorch"),
        (lambda c: rewritten(c, "data/0", lambda raw: raw[:-4]), "must have 16 bytes, got 12"),
        (lambda c: rewritten(c, "byteorder", lambda raw: b"big"), "byte order b'big'"),
        (lambda c: rewritten(c, "data.pkl", lambda raw: raw[:40]), "^sample is"),
        (lambda c: rewritten(c, "data.pkl", lambda raw: pickle.dumps({1})), "opcode EMPTY_SET"),
    ],
)
def test_corrupt_checkpoints_are_refused(spoil, message):
    with pytest.raises(ValueError, match=message):
        parse_torch_pickle(spoil(saved({"a": torch.ones(4)})), "sample")


def test_compressed_archives_are_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
    with pytest.raises(ValueError, match="is compressed"):
        parse_torch_pickle(stream.getvalue(), "sample")
