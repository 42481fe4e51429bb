"""Several members trained by one word, and used by one name."""

from __future__ import annotations

import json

import pytest
from tiny_configs import TINY

from geozoo.cli._trained import trained_models
from geozoo.hub import Ensemble

WORDS = (*TINY, "trainer.max_epochs=1")


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


def test_the_folder_may_be_named(geozoo_train, tmp_path):
    assert geozoo_train(*WORDS, "ensemble=2", "run_dir=mine") == 0
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["seed0", "seed1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ensemble=1"], "ensemble: expected a whole number of at least 2 members, got '1'"),
        (["ensemble=two"], "ensemble: expected a whole number"),
        (["ensemble=2", "seed=0,1"], "ensemble: give one seed"),
        (["ensemble=2", "ensemble=3"], "ensemble: given more than once: ensemble"),
        (["ensemble=2", "seed=1", "seed=2"], "ensemble: given more than once: seed"),
    ],
)
def test_words_that_do_not_fit(words, message, geozoo_train, capsys):
    assert geozoo_train(*WORDS, *words) == 2
    assert message in " ".join("".join(capsys.readouterr()).split())


def test_members_are_resumed_one_by_one(geozoo_train, capsys):
    assert geozoo_train("ensemble=2", "resume=somewhere") == 2
    assert "resumed one by one" in " ".join("".join(capsys.readouterr()).split())
