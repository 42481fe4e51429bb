"""Untrusted pickles: arrays are read, everything else is rejected, and no code runs."""

import builtins
import os
import pickle
import struct

import numpy as np
import pytest

from geozoo.files.array_pickle import parse_array_pickle, read_array_pickle

PLAIN = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    np.array(["a", "bc"]),
    np.array([b"x"]),
    np.float32(3),
    np.array([True, False]),
    np.zeros((0, 3), np.uint8),
    np.array(4),
    "é",
    b"\xff\x00",
    b"",
    (1, 2.5, None, True, 10**30),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_values_come_back(protocol):
    found = parse_array_pickle(pickle.dumps(PLAIN, protocol), "sample")
    for value, other in zip(PLAIN, found, strict=True):
        assert type(value) is type(other)
        if isinstance(value, np.ndarray):
            assert value.dtype.newbyteorder("=") == other.dtype
            assert value.shape == other.shape
        assert np.array_equal(value, other) if isinstance(value, np.ndarray) else value == other


def test_pickle_of_python_2_with_names_of_old_numpy():
    raw = np.array([1.5, -2.0], "<f4").tobytes()
    text = (
        b"(lp0\nS'773869'\np1\nacnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n"
        b"(I0\ntp4\nS'b'\np5\ntp6\nRp7\n(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'f4'\np10\nI0\nI1\n"
        b"tp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\nS"
        + repr(raw)[1:].encode()
        + b"\np15\ntp16\nba."
    )
    ids, array = parse_array_pickle(text, "old")
    assert ids == "773869"
    assert array.tolist() == [1.5, -2.0]


class Call:
    """Pickles as a call of an arbitrary function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "function", [os.system, builtins.eval, builtins.getattr, np.load, os.mkdir]
)
def test_calls_are_rejected_and_not_made(tmp_path, protocol, function):
    path = tmp_path / "adj_mx.pkl"
    trace = tmp_path / "trace"
    argument = f"touch {trace}" if function is os.system else str(trace)
    path.write_bytes(pickle.dumps([np.ones(2), Call(function, argument)], protocol))
    with pytest.raises(ValueError, match=rf"adj_mx.pkl is not .* refers to .*{function.__name__};"):
        read_array_pickle(path)
    assert not trace.exists()


def reconstruct(shape, dtype, data):
    """The pickle of an array with arbitrary shape, dtype and content."""
    good = pickle.dumps(np.zeros(1, "<f8"), 2)
    assert good.count(b"K\x01\x85") == 1
    size = b"\x8a\x08" + struct.pack("<q", shape) + b"\x85"
    return (
        good.replace(b"K\x01\x85", size)
        .replace(b"X\x02\x00\x00\x00f8", b"X" + struct.pack("<i", len(dtype)) + dtype)
        .replace(b"X\x08\x00\x00\x00" + bytes(8), b"X" + struct.pack("<i", len(data)) + data)
    )


def test_forged_array_is_like_a_real_one():
    assert parse_array_pickle(reconstruct(2, b"i4", bytes(8)), "x").tolist() == [0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(np.array([1, [2]], dtype=object)), "an array of Python objects"),
        (pickle.dumps(np.array(["a"], dtype=object), 2), "an array of Python objects"),
        (pickle.dumps(np.zeros(3, "f4,i4")), "arrays of dtype 'V8'"),
        (pickle.dumps(np.array(["2020"], "M8[s]")), "arrays of dtype 'M8'"),
        (pickle.dumps(np.zeros(2).view(np.matrix)), "refers to numpy.matrix"),
        (pickle.dumps({1, 2}, 4), "opcode EMPTY_SET"),
        (pickle.dumps(np.dtype("f4"), 2), "holds an incomplete Dtype"),
        (pickle.dumps(np.ndarray), "it holds an incomplete type"),
        (reconstruct(10**15, b"f8", bytes(8)), "needs 8000000000000000 bytes, got 8"),
        (reconstruct(-1, b"f8", bytes(8)), "the shape of an array"),
        (reconstruct(1, b"O8", bytes(8)), "an array of Python objects"),
        (reconstruct(10**15, b"S0", bytes(0)), "arrays of dtype 'S0'"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "memo index 2147483647"),
        (b"\x80\x02]q\x00h\x00a.", "nested more than"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"cos\nsystem\n.", "refers to os.system"),
        (b"(ios\nsystem\n.", "opcode INST"),
        (b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "bytes8|BINBYTES8|expected"),
        (b"", "pickle"),
        (b"from,to,cost\n", "is not a pickle"),
    ],
)
def test_what_is_no_plain_array_is_rejected(content, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_array_pickle(content, "graph.pkl")
    assert str(error.value).startswith("graph.pkl is ")


def test_nested_references_take_no_time():
    value = ["x"]
    for _ in range(15):
        value = [value] * 10
    found = parse_array_pickle(pickle.dumps(value), "sample")
    assert found[0] is found[9]


def test_texts_are_read_where_they_are_asked_for():
    texts = pickle.dumps(np.array(["773869", b"767541", 3], dtype=object))
    assert parse_array_pickle(texts, "ids", allow_texts=True) == ["773869", b"767541", 3]
    others = pickle.dumps(np.array([None, "a"], dtype=object))
    with pytest.raises(ValueError, match="Python objects other than strings"):
        parse_array_pickle(others, "ids", allow_texts=True)


def test_every_truncation_is_rejected(tmp_path):
    content = pickle.dumps([["a"], {"a": 0}, np.eye(3, dtype=np.float32)], 2)
    for length in range(len(content)):
        with pytest.raises(ValueError, match=r"adj.pkl is"):
            parse_array_pickle(content[:length], "adj.pkl")


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="adj_mx.pkl is missing in"):
        read_array_pickle(tmp_path / "adj_mx.pkl")
