"""Keys, values and files that cannot work: one line that names them, before data are touched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_configs import TINY

Train = Callable[..., int]


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=tinny", "unknown model 'tinny'. Did you mean tiny?"),
        ("dataset=nbdoy", "Did you mean nbody?"),
        ("recipe=ponita-nbdoy", "Did you mean ponita-nbody?"),
        ("trainer=quik", "Did you mean quick?"),
        ("modle=ponita", "Did you mean model?"),
        (
            "model.widht=3",
            "model.widht: unknown key of tiny_graphs.TinyModel; "
            "did you mean width (int)? [command line]",
        ),
        ("model.width=wide", "model.width: expected int, got str 'wide' [command line]"),
        (
            "optimizer.lr=fast",
            "optimizer.lr: expected float or Tensor, got str 'fast' [command line]",
        ),
        ("dataset.loader.batch_size=1.5", "dataset.loader.batch_size: expected int, got float 1.5"),
        ("trainer.max_epoch=3", "did you mean max_epochs"),
        ("+nonsense=1", "nonsense: unknown key of the top level"),
        ("trainer.callbacks=[]", "trainer.callbacks: is set by the program"),
        ("model._target_=tiny_graphs.Tiny", "model._target_: cannot import 'tiny_graphs.Tiny'"),
        ("seed=-1", "seed: must be in 0..4294967295, got -1 [command line]"),
        ("optimizer.lr=nan", "optimizer: Invalid learning rate: nan"),
        ("optimizer.eps=0", "optimizer.eps: must not be 0, got 0 [command line]"),
        ("seed=4294967296", "seed: must be in 0..4294967295, got 4294967296 [command line]"),
        ("ema_decay=2.0", "ema_decay: must be in [0, 1)"),
        ("ema_start=-1", "ema_start: must be at least 0"),
        ("early_stopping_patience=0", "early_stopping_patience: must be at least 1"),
        ("trainer.max_epochs=0", "trainer.max_epochs must be at least 1, got 0"),
        ("trainer.gradient_clip_val=-1", "trainer: gradient_clip_val must be at least 0 or null"),
        ("trainer.check_val_every_n_epoch=0", "check_val_every_n_epoch must be at least 1"),
        ("trainer.accumulate_grad_batches=0", "accumulate_grad_batches must be at least 1"),
        ("trainer.log_every_n_steps=-1", "trainer: log_every_n_steps must be at least 0"),
        ("trainer.limit_train_batches=-1", "invalid value -1 for limit_train_batches"),
        ("trainer.max_steps=-3", "You passed in -3"),
        ("trainer.devices=0", "Trainer(devices=0)"),
        ("trainer.strategy=nonsense", "strategy='nonsense'"),
        ("trainer.strategy=deepspeed", "must have DeepSpeed installed"),
        ("trainer.strategy=fsdp", "strategy"),
        ("trainer.accelerator=tpu", "torch_xla"),
        ("dataset.loader.batch_size=0", "batch_size must be a whole number of at least 1, got 0"),
        ("dataset.loader.num_workers=-1", "num_workers must be a whole number of at least 0"),
        ("optimizer.lr=-1", "optimizer: Invalid learning rate: -1"),
        ("optimizer.weight_decay=-1", "Invalid weight_decay value: -1"),
        ("optimizer.betas=[0.9,2]", "optimizer: Invalid beta parameter at index 1: 2"),
        ("schedule.warmup_epochs=-1", "warmup_epochs must be at least 0, got -1"),
    ],
)  # fmt: skip
def test_a_key_or_value_is_refused_in_one_line(
    word: str, message: str, geozoo_train: Train, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import tiny_graphs

    def never(*_: object) -> None:
        raise AssertionError("the data was touched")

    monkeypatch.setattr(tiny_graphs.TinyData, "load", never)
    assert geozoo_train(*TINY, word) == 2
    said = _said(capsys)
    assert message in said and "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_wrong_key_in_a_recipe_names_the_file(
    geozoo_train: Train, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = "# @package _global_\nmodel:\n  widht: 5\ntrainer:\n  max_epochs: many\n"
    (configs / "recipe" / "faulty.yaml").write_text(recipe)
    words = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    assert geozoo_train(*words, "recipe=faulty") == 2
    said = _said(capsys)
    assert "model.widht: unknown key" in said and "did you mean width" in said
    assert "trainer.max_epochs: expected int or null, got str 'many'" in said
    assert said.count("my_configs/recipe/faulty.yaml") == 2


@pytest.mark.thorough
def test_values_that_a_constructor_refuses_are_named(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "task.monitor=val/energy_mae") == 2
    assert "task: monitor must be one of val/position_mse" in _said(capsys)


def test_a_model_argument_that_the_data_cannot_tell(
    geozoo_train: Train, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configs / "model" / "tiny.yaml"
    path.write_text(path.read_text().replace("width: 8", "width: ???"))
    assert geozoo_train(*TINY) == 2
    assert "model.width is not set and the dataset does not define a value" in _said(capsys)


def test_an_endless_training_has_a_schedule_without_an_end(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "schedule=constant", "trainer.max_epochs=0") == 2
    assert "trainer: max_epochs must be at least 1, or -1 for no end, got 0" in _said(capsys)


@pytest.mark.thorough
def test_milestones_are_epochs(geozoo_train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert geozoo_train(*TINY, "schedule=multistep", "schedule.milestones=[-1]") == 2
    assert (
        "milestones must be increasing epochs of at least 1 and gamma must be positive, got [-1]"
        in _said(capsys)
    )


@pytest.mark.thorough
def test_a_warm_up_that_is_longer_than_the_training_is_a_warning(
    geozoo_train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("trainer.max_epochs=2", "test=false")
    assert geozoo_train(*TINY, *words, "schedule.warmup_epochs=2") == 0
    assert "schedule.warmup_epochs=2 must be less than" in caplog.text
    caplog.clear()
    assert geozoo_train(*TINY, *words, "schedule.warmup_epochs=1") == 0
    assert "no shorter" not in caplog.text


def test_slurm_that_is_not_there(
    geozoo_train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.config import arguments as _words

    monkeypatch.setattr(_words, "_has_submitit", lambda: True)
    monkeypatch.setattr(_words, "which", lambda name: None)
    assert geozoo_train(*TINY, "-m", "seed=0,1", "hydra/launcher=submitit_slurm") == 2
    assert "needs SLURM, but sbatch and srun cannot be found" in _said(capsys)
    words = ["hydra/launcher=submitit_slurm"]
    assert _words.wrong_argument([*words, "--cfg", "job"]) is None
    words = ["-m", *words]
    monkeypatch.setattr(_words, "which", lambda name: f"/usr/bin/{name}")
    assert _words.wrong_argument(words) is None


@pytest.mark.thorough
def test_the_option_of_a_sweep_may_stand_anywhere(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("trainer.max_epochs=1", "-m", "seed=0,1", "test=true")
    assert geozoo_train(*TINY, *words) == 0
    assert "mean ± standard deviation" in _said(capsys)


@pytest.fixture
def wrong(tmp_path: Path, tiny_run: Path) -> dict[str, tuple[str, str]]:
    """Models that there are not: the word, and what the error says of it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.ckpt").write_text("hello\n")
    whole = (tiny_run / "checkpoints" / "best.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    return {
        "missing": (str(tmp_path / "nowhere.ckpt"), "nowhere.ckpt"),
        "folder": (str(tmp_path / "empty"), "checkpoints/best.ckpt"),
        "text": (str(tmp_path / "text.ckpt"), "is not a checkpoint of a run"),
        "corrupt": (str(tmp_path / "cut.ckpt"), "is not a checkpoint of a run"),
    }


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["missing", "folder", "text", "corrupt"])
@pytest.mark.parametrize(
    "command",
    ["evaluate checkpoint={}", "predict checkpoint={} input=in.npz out=out.npz", "publish {}",
     "export {} out=out.pt2", "sample checkpoint={}", "train resume={}", "train init_from={}"],
)  # fmt: skip
def test_a_model_that_there_is_not_is_named_in_one_line(
    command: str, kind: str, wrong: dict[str, tuple[str, str]], geozoo_train: Train,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from geozoo.cli.main import main

    (tmp_path / "in.npz").touch()
    word, message = wrong[kind]
    words = command.format(word).split()
    capsys.readouterr()
    if "init_from" in command:
        assert geozoo_train(*TINY, *words[1:]) == 1
    else:
        monkeypatch.setattr(sys, "argv", ["geozoo", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
    said = _said(capsys)
    assert Path(word).name in said
    assert message in said or "resume" in command
    assert len(said.strip().splitlines()) == 1 and "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.seed=1", "dataset.seed=2"], "given more than once: dataset.seed"),
        (["dataset=nbody", "dataset=rmd17"], "given more than once: dataset"),
    ],
)
def test_keys_given_twice_to_a_test(
    words: list[str], message: str, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli.main import run_command

    with pytest.raises(SystemExit):
        run_command("evaluate", [str(tiny_run), *words])
    assert message in _said(capsys)


def test_keys_given_twice_to_a_continuation(
    tiny_run: Path, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = f"resume={tiny_run}"
    assert geozoo_train(resume, "trainer.max_epochs=5", "trainer.max_epochs=6") == 2
    assert "given more than once: trainer.max_epochs" in _said(capsys)
    assert geozoo_train(resume, resume) == 2
    assert "given more than once: resume" in _said(capsys)


def test_a_finished_run_that_is_resumed_says_so(
    tiny_run: Path, geozoo_train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    assert geozoo_train(f"resume={tiny_run}") == 0
    assert "this run is already finished: 4 of 4 epochs are done" in caplog.text
