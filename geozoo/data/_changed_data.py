"""Whether data are still those that a protocol describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Keys of a protocol that hold a hash, each with what it is of; the first that differs says most.
_HASHES = {
    "source_hash": "the file {source} has",
    "data_hash": "the values of the data have",
    "split_hash": "the parts have",
}


def changed_data(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What has another hash in one protocol than in another; empty where nothing has.

    Hashes that one of them lacks, as those of earlier versions do, are not compared.

    Args:
        before: the protocol that was written down.
        now: that of the data at hand.

    >>> changed_data({"file_hashes": {"train": "0a"}}, {"file_hashes": {"train": "1b"}})
    'the train file has the hash 1b, and had 0a'
    """
    names, here = now.get("files") or {}, now.get("file_hashes") or {}
    found = [
        f"the {part} file {names.get(part, '')}".rstrip() + f" has the hash {here[part]}, and had "
        f"{digest}"
        for part, digest in (before.get("file_hashes") or {}).items()
        if here.get(part, digest) != digest
    ]
    if found:
        return "; ".join(found)
    for key, what in _HASHES.items():
        if None not in (before.get(key), now.get(key)) and before[key] != now[key]:
            told = what.format(source=now.get("source", ""))
            return f"{told} the hash {now[key]}, and had {before[key]}"
    return ""
