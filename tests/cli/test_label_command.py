"""``geozoo label`` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from screens import exit_code

ase_io = pytest.importorskip("ase.io")
from tiny_teachers import silicon, water, written  # noqa: E402

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def label(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; gives exit code and what was said."""

    def run(*words: str) -> tuple[int, str]:
        code = exit_code(monkeypatch, 200, "label", *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "teacher")
    written(tmp_path / "other", seed=1)
    ase_io.write("frames.xyz", [silicon(), water(), silicon(1)])
    return tmp_path


def test_it_labels_and_says_what(label: Command, place: Path) -> None:
    code, said = label("input=frames.xyz", "teacher=teacher", "output=out.xyz")
    assert code == 0 and len(ase_io.read("out.xyz", ":")) == 3
    for expected in (
        "structures 3",
        "with stress 2",
        "elements H, O, Si",
        "largest force",
        "out.xyz",
    ):
        assert expected in said
    code, said = label("input=frames.xyz", "teacher=teacher", "out=out.xyz")
    assert code == 0 and "3 of 3 structures are done" in said


def test_several_teachers_are_an_ensemble(label: Command, place: Path) -> None:
    assert label("input=frames.xyz", "teacher=teacher,other", "out=out.xyz")[0] == 0
    assert ase_io.read("out.xyz", 0).info["energy_std"] > 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("input=none.xyz", "teacher=teacher", "out=o.xyz"), "input: there is no file"),
        (("input=frames.xyz", "teacher=teacher", "out=o.npz"), "out must end with one of .xyz"),
        (("input=frames.xyz", "teacher=teacher", "out=frames.xyz"), "would be overwritten"),
        (("input=frames.xyz", "teacher=teacher", "out=gone/o.xyz"), "out: there is no folder"),
        (("input=frames.xyz", "teacher=nobody", "out=o.xyz"), "nobody"),
        (("input=frames.xyz", "teacher=stid-los_loop", "out=o.xyz"), "must be a potential"),
        (("input=frames.xyz", "out=o.xyz"), "missing: teacher="),
    ],
)
def test_wrong_arguments_are_named(
    words: tuple[str, ...], expected: str, label: Command, place: Path
) -> None:
    before = (place / "frames.xyz").read_bytes()
    code, said = label(*words)
    assert code != 0 and expected in said and "Traceback" not in said
    assert (place / "frames.xyz").read_bytes() == before
