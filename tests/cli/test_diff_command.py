"""``geozoo diff``: settings, weights and predictions of two models."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import geozoo
from geozoo.cli.main import main
from geozoo.files.checksums import file_sha256
from geozoo.hub.differences import model_differences

STORED = Path(__file__).resolve().parents[1] / "stored" / "format_1"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A published model with one weight doubled and one licence changed."""
    folder = tmp_path / "changed"
    shutil.copytree(STORED / "published_potential", folder)
    weights = folder / "model.safetensors"
    before = file_sha256(weights)
    size = weights.stat().st_size
    state = load_file(weights)
    name = next(n for n, v in state.items() if n.startswith("model.") and v.dim() == 2)
    state[name] = 2 * state[name]
    save_file(state, weights)
    text = (folder / "model.json").read_text()
    text = text.replace(before, file_sha256(weights)).replace(
        f'"size": {size}', f'"size": {weights.stat().st_size}'
    )
    (folder / "model.json").write_text(text.replace('"weights": "MIT"', '"weights": "CC0"'))
    return folder


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr("sys.argv", ["geozoo", "diff", *words])
    main()
    return capsys.readouterr().out


def test_the_changes_are_listed(changed, capsys, monkeypatch):
    first = str(STORED / "published_potential")
    text = run(capsys, monkeypatch, first, str(changed), f"input={STORED / 'new.xyz'}")
    assert re.search(r"licence\.weights +MIT +CC0", text)
    assert re.search(r"1 of \d+ weights differ", text)
    (line,) = [row for row in text.splitlines() if row.startswith("model.")]
    assert line.split()[1] == "1"  # doubled
    # The predictions differ, by less than they vary.
    rows = {row.split()[0]: row.split() for row in text.splitlines() if row}
    mean, largest = float(rows["force"][1]), float(rows["force"][2])
    assert 0 < mean < largest
    assert rows["force"][-1] == "meV/angstrom"


def test_a_run_and_what_was_published_of_it(capsys, monkeypatch):
    first, second = str(STORED / "potential"), str(STORED / "published_potential")
    text = run(capsys, monkeypatch, first, second, f"input={STORED / 'new.xyz'}")
    assert re.search(r"all \d+ weights are equal", text)
    assert "metrics." in text  # a checkpoint has none
    rows = {row.split()[0]: row.split() for row in text.splitlines() if row}
    assert float(rows["energy"][2]) == float(rows["force"][2]) == 0


def test_models_of_other_sizes():
    one, other = geozoo.load("ponita-nbody_small"), geozoo.load("ponita-qm9_homo")
    found = model_differences(one, other)
    names = {each.name: each for each in found.settings}
    assert names["model.hidden_channels"].first != names["model.hidden_channels"].second
    assert {each.relative for each in found.weights[:3]} == {None}
    relative = [each.relative for each in found.weights if each.relative is not None]
    assert relative == sorted(relative, reverse=True)
    assert model_differences(one, one).is_empty


def test_another_precision_is_a_difference():
    one, other = geozoo.load("ponita-nbody_small"), geozoo.load("ponita-nbody_small")
    other.cast(torch.float64)
    found = model_differences(one, other)
    assert {each.relative for each in found.weights} == {0.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ponita-nbody_small", "stid-los_loop", "input=new.xyz"), "stid-los_loop is none"),
        (("ponita-nbody_small", "ponita-qm9_homo", "input=new.xyz"), "no quantity in common"),
        (("ponita-nbody_small", "ponita-qm9_homo", "input=nothing.xyz"), "nothing.xyz does not"),
        (("ponita-nbody_small", "nothing"), "there is no trained model 'nothing'"),
        (("ponita-nbody_small",), "second"),
    ],
)
def test_bad_words_are_named(words, message, capsys, monkeypatch):
    monkeypatch.chdir(STORED)
    with pytest.raises(SystemExit):
        run(capsys, monkeypatch, *words)
    assert message in capsys.readouterr().err
