from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from geozoo.config import configs_folder, forced_overrides, plain_override
from geozoo.config.arguments import GROUPS, wrong_argument
from geozoo.config.options import RunOptions


@pytest.mark.parametrize(
    "word",
    [
        "model=ponita", "dataset=nbody,rmd17", "seed=0,1,2", "trainer=quick", "recipe=none",
        "--cfg", "-m", "hydra.verbose=true", "+model.new=1", "~logger.csv", "model.num_layers=3",
        "model.anything=3", "resume=somewhere", "run_dir=here", "test=false", "recipe=null",
        "optimizer=choice(adam,adamw)",
    ],
)  # fmt: skip
def test_words_that_are_for_others_to_judge(word: str) -> None:
    assert wrong_argument([word]) is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=ponitta", "unknown model 'ponitta'. Did you mean ponita?"),
        ("dataset=nbody,rmd71", "unknown dataset 'rmd71'. Did you mean rmd17?"),
        ("optimizer=sgd9", "Known: adam, adamw."),
        ("recipe=ponita-nbodi", "Did you mean ponita-nbody?"),
        ("datasets=nbody", "unknown key 'datasets'. Did you mean dataset?"),
        ("batch_size=3", "Did you mean dataset.loader.batch_size? Known: "),
        ("epochs=3", "unknown key 'epochs'. Known: adapter_layers, "),
    ],
)
def test_wrong_arguments_are_named_with_what_was_meant(word: str, message: str) -> None:
    assert message in wrong_argument(["seed=1", word])


def test_entries_of_a_user_are_known(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text("{}")
    for words in (
        ["--config-dir", str(tmp_path)],
        [f"--config-dir={tmp_path}"],
        ["-cd", str(tmp_path)],
    ):
        assert wrong_argument([*words, "model=own"]) is None
    assert wrong_argument(["model=own"])


def test_the_top_of_the_config_is_what_the_options_say() -> None:
    cfg = OmegaConf.load(configs_folder() / "train.yaml")
    keys = set(cfg) - {"defaults", "hydra"}
    assert keys | set(GROUPS) - {"recipe"} == {f.name for f in dataclasses.fields(RunOptions)}


def test_the_eight_groups_are_all_there_is() -> None:
    folders = {path.name for path in configs_folder().iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(GROUPS) - {"model", "dataset"}


def test_forced_overrides_can_be_taken_back() -> None:
    words = ["model=ponita", "recipe=a,b-c", "model.num_layers=3", "+x.y=1", "seed=2"]
    taken = [plain_override(word) for word in forced_overrides(words)]
    assert taken == ["model=ponita", "recipe=a,b-c", "model.num_layers=3", "x.y=1", "seed=2"]


def test_a_launcher_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.config.arguments.find_spec", lambda name: None)
    fault = wrong_argument(["-m", "hydra/launcher=submitit_slurm", "seed=0,1"])
    assert 'pip install "geozoo[slurm]"' in fault


def test_a_program_is_a_file_that_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning starts further processes from it."""
    from geozoo.cli._programs import program_file

    monkeypatch.setattr(sys, "argv", [str(tmp_path / "geozoo"), "train"])
    assert program_file("train") == "geozoo-train"
    (tmp_path / "geozoo-train").touch()
    assert program_file("train") == str(tmp_path / "geozoo-train")
