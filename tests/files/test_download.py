"""Downloads, from a local server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from geozoo.data import RemoteFile, fetch, is_offline, remote_files

CONTENT = b"positions and forces\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; ``/half/...`` is truncated."""

    def log_message(self, *_: object) -> None:
        """Suppress log output."""

    def do_GET(self) -> None:
        if not self.path.startswith("/half/"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2])
        return None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a server with ``data.bin`` and an ``altered/data.bin`` of the same size."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("GEOZOO_OFFLINE")
    folder = tmp_path / "served"
    (folder / "altered").mkdir(parents=True)
    (folder / "data.bin").write_bytes(CONTENT)
    (folder / "altered" / "data.bin").write_bytes(CONTENT[:-1] + b"!")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as httpd:
        thread = Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def remote(*urls: str, **known: object) -> RemoteFile:
    return RemoteFile("data.bin", urls, **known)


KNOWN = {"size": len(CONTENT), "sha256": SHA256}


def test_downloads_once_and_checks(server: str, tmp_path: Path) -> None:
    path = fetch(remote(f"{server}/data.bin", **KNOWN), tmp_path / "to")
    assert path.read_bytes() == CONTENT
    assert list((tmp_path / "to").iterdir()) == [path]
    # the second time no server is asked
    assert fetch(remote("https://nowhere.invalid/data.bin", **KNOWN), tmp_path / "to") == path


@pytest.mark.parametrize("first", ["missing.bin", "half/data.bin", "altered/data.bin"])
def test_the_next_mirror_helps(server: str, tmp_path: Path, first: str) -> None:
    file = remote(f"{server}/{first}", f"{server}/data.bin", **KNOWN)
    assert fetch(file, tmp_path / "to").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("place", "known", "message"),
    [
        ("missing.bin", KNOWN, "404"),
        ("half/data.bin", KNOWN, "could not be downloaded"),
        ("half/data.bin", {"size": len(CONTENT)}, "could not be downloaded"),
        ("altered/data.bin", KNOWN, r"its sha256 is .*\(altered\)"),
        ("data.bin", {"size": len(CONTENT) + 1}, r"its size is 21000 bytes, not 21001"),
    ],
)
def test_wrong_copies_are_rejected(
    server: str, tmp_path: Path, place: str, known: dict, message: str
) -> None:
    with pytest.raises(OSError, match=message) as caught:
        fetch(remote(f"{server}/{place}", **known), tmp_path / "to")
    assert f"data.bin could not be downloaded to {tmp_path / 'to'}" in str(caught.value)
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(CONTENT[:50], r"its size is 50 bytes, not 21000 \(truncated"), (CONTENT[::-1], "its sha256")],
)
def test_a_wrong_file_that_is_there_is_rejected(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "data.bin").write_bytes(content)
    with pytest.raises(ValueError, match=f"is not the published file: {message}"):
        fetch(remote("https://example.org/data.bin", **KNOWN), tmp_path)


def test_without_a_published_checksum_the_first_copy_counts(server: str, tmp_path: Path) -> None:
    file = remote(f"{server}/data.bin")
    path = fetch(file, tmp_path / "to")
    lock = tmp_path / "to" / "data.bin.lock.json"
    assert json.loads(lock.read_text()) == {"sha256": SHA256, "size": len(CONTENT)}
    fetch(file, tmp_path / "to")
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ValueError, match="is not the published file: its sha256"):
        fetch(file, tmp_path / "to")
    path.unlink()
    with pytest.raises(OSError, match="its sha256"):
        fetch(remote(f"{server}/altered/data.bin"), tmp_path / "to")


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_names_file_folder_and_sources(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("GEOZOO_OFFLINE", "1")
    file = remote(f"{server}/data.bin", "https://example.org/data.bin", **KNOWN)
    reason = "download is false" if how == "argument" else "GEOZOO_OFFLINE is set"
    message = f"data.bin is missing in {tmp_path}, and {reason}. .*{server}/data.bin or https://ex"
    with pytest.raises(FileNotFoundError, match=message):
        fetch(file, tmp_path, download=how == "environment")
    (tmp_path / "data.bin").write_bytes(CONTENT)
    assert fetch(file, tmp_path, download=how == "environment").is_file()


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)]
)
def test_offline_variable(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("GEOZOO_OFFLINE", value)
    assert is_offline() is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "../data.bin"}, "name must be a file name without folders"),
        ({"urls": ()}, "urls of data.bin is empty"),
        ({"urls": ("http://example.org/data.bin",)}, "must use https"),
        ({"urls": ("file:///etc/passwd",)}, "must use https"),
        ({"sha256": "abc"}, "sha256 must be 64 hexadecimal digits"),
    ],
)
def test_unsafe_descriptions_are_rejected(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RemoteFile(**{"name": "data.bin", "urls": ("https://example.org/a",), **arguments})


def test_file_lists_of_the_entries() -> None:
    archive = remote_files("rmd17")["rmd17.tar.bz2"]
    assert len(archive.urls) >= 2
    assert archive.size == 1066301513
    assert archive.sha256 is not None
    assert remote_files("nbody") == {}
    with pytest.raises(FileNotFoundError, match="dataset 'nothing' has no file list"):
        remote_files("nothing")
