"""Several members trained by one word, and used by one name."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from screens import exit_code
from tiny_configs import TINY

from geozoo.hub import Ensemble
from geozoo.runs.trained import trained_models

WORDS = (*TINY, "trainer.max_epochs=1")


@pytest.mark.thorough
def test_members_lie_in_one_folder_and_are_one_model(geozoo_train, tmp_path):
    assert geozoo_train(*WORDS, "ensemble=3", "seed=4", "runs=all") == 0
    (folder,) = (tmp_path / "all" / "tiny-tiny").iterdir()
    assert folder.name.endswith("_ensemble")
    assert sorted(path.name for path in folder.iterdir()) == ["seed4", "seed5", "seed6"]
    model = trained_models(str(folder))
    assert isinstance(model, Ensemble) and len(model.members) == 3
    assert model.units == {"position": "length", "position_std": "length"}
    command = json.loads((folder / "seed5" / "run.json").read_text())["command"]
    assert "seed=4,5,6" in command and "ensemble" not in command  # a sweep that others can repeat


@pytest.mark.thorough
def test_the_folder_may_be_named(geozoo_train, tmp_path):
    assert geozoo_train(*WORDS, "ensemble=2", "run_dir=mine") == 0
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["seed0", "seed1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ensemble=1"], "ensemble: expected a whole number of at least 2 members, got '1'"),
        (["ensemble=two"], "ensemble: expected a whole number"),
        (["ensemble=2", "seed=0,1"], "ensemble: expected one seed"),
        (["ensemble=2", "ensemble=3"], "geozoo train: given more than once: ensemble"),
        (["ensemble=2", "seed=1", "seed=2"], "geozoo train: given more than once: seed"),
    ],
)
def test_words_that_do_not_fit(words, message, geozoo_train, capsys):
    assert geozoo_train(*WORDS, *words) == 2
    assert message in " ".join("".join(capsys.readouterr()).split())


@pytest.fixture
def ensemble(geozoo_train, tmp_path, monkeypatch, capsys):
    """A folder of two runs, and what was said at its end."""
    assert geozoo_train(*WORDS, "ensemble=2", "run_dir='my ens'") == 0
    return tmp_path / "my ens", capsys.readouterr().out


@pytest.mark.thorough
def test_the_end_tells_how_all_members_are_used(ensemble, monkeypatch):
    folder, said = ensemble
    head, command = said.splitlines()[-2:]
    assert head == "use the members as an ensemble:"
    words = shlex.split(command)
    assert words[:3] == ["geozoo", "predict", f"checkpoint={folder.name}"]
    pos = np.random.default_rng(0).normal(size=(2, 4, 3))
    np.savez("graphs.npz", pos=pos, x=np.ones((2, 4, 1)), vec=np.zeros((2, 4, 1, 3)))
    assert exit_code(monkeypatch, 200, *words[1:]) == 0
    assert set(np.load("predictions.npz").files) >= {"position", "position_std"}


@pytest.mark.thorough
def test_commands_of_one_model_name_the_members(ensemble, monkeypatch, capsys):
    folder, _ = ensemble
    pair = f"{folder}/seed0,{folder}/seed1"
    for words in (
        ("evaluate", folder), ("evaluate", f"checkpoint={folder}", "dataset=nbody"),
        ("evaluate", pair), ("publish", folder), ("export", folder, "out.pt2"),
        ("export", pair, "out.pt2"), ("train", f"resume={folder}"), ("record", folder),
        ("sample", f"checkpoint={folder}", "out=m.sdf"),
    ):  # fmt: skip
        assert exit_code(monkeypatch, 200, *words) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "is an ensemble of 2 models; geozoo predict checkpoint=... and geozoo.load" in said
        assert f"'{folder}/seed0', '{folder}/seed1'" in said


def test_members_are_resumed_one_by_one(geozoo_train, capsys):
    assert geozoo_train("ensemble=2", "resume=somewhere") == 2
    assert "resumed one by one" in " ".join("".join(capsys.readouterr()).split())
