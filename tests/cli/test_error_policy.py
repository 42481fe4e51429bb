"""One policy of errors: a user error is one line, a bug a traceback, for every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from screens import exit_code
from tiny_configs import TINY

from geozoo.cli._errors import errors_shown
from geozoo.cli.main import _COMMANDS
from geozoo.config import ConfigError
from geozoo.runs.errors import RunError, UsageError, is_user_error, user_errors_named

Train = Callable[..., int]

#: Of every command a mistake of its user, and the exit code.
MISTAKES = [
    ("train model=nothing", 2),
    ("train trainer.max_epochs=1 trainer.max_epochs=2", 2),
    ("train model.width=[1,", 2),
    ("train --quick", 2),
    ("train quick", 2),
    ("train -m --cfg job", 2),
    ("train ensemble=2 --cfg job", 2),
    ("train --config-dir nowhere", 2),
    ("train resume=nothing", 1),
    ("evaluate nothing", 1),
    ("evaluate", 2),
    ("sample checkpoint=nothing", 1),
    ("sample checkpoint=nothing n=0", 2),
    ("predict checkpoint=nothing input=in.npz out=a.npz", 1),
    ("predict checkpoint=nothing input=nothing out=a.npz", 1),
    ("predict input=in.npz", 2),
    ("label input=nothing teacher=a out=a.xyz", 1),
    ("label input=in.npz teacher=nothing out=a.xyz", 1),
    ("label input=in.npz", 2),
    ("distil data=nothing teacher=a student=painn", 1),
    ("distil data=in.npz teacher=nothing student=painn", 1),
    ("distil data=in.npz teacher=a", 2),
    ("compare dataset=nothing models=painn", 2),
    ("compare dataset=nbody models=painn seed=1", 2),
    ("learning-curve model=painn dataset=nbody sizes=[100]", 2),
    ("learning-curve model=nothing dataset=nbody sizes=[100,200]", 2),
    ("relax nothing input=in.npz", 1),
    ("relax a input=nothing", 1),
    ("md a input=nothing", 1),
    ("md a input=in.npz timestep=fast", 2),
    ("vibrations a input=nothing", 1),
    ("vibrations a", 2),
    ("uncertainty nothing", 1),
    ("uncertainty nothing force_structures=0", 2),
    ("export nothing out=a.pt2", 1),
    ("export nothing", 2),
    ("publish nothing", 1),
    ("publish nothing nothing=1", 2),
    ("test-model nothing:Model", 1),
    ("test-model geozoo.models:EGNN hiden_channels=1", 2),
    ("test-dataset geozoo.data:GraphStore", 1),
    ("diff nothing ponita-nbody_small", 1),
    ("diff ponita-nbody_small", 2),
    ("list nothing", 2),
    ("table nothing", 1),
    ("table nbody picture=a.xyz", 2),
    ("results nothing-of-that-name", 1),
    ("reproduce nothing", 1),
    ("record nothing", 1),
    ("cards nothing=1", 2),
    ("nothing", 2),
]
#: Of every command something that it calls.
CALLED = {
    "train": "geozoo.cli._launch.train",
    "evaluate": "geozoo.cli._evaluation.evaluation",
    "sample": "geozoo.cli._sample.trained_model",
    "predict": "geozoo.cli._predicting.trained_models",
    "label": "geozoo.cli._labelling.teacher_of",
    "distil": "geozoo.cli._distilling.teacher_of",
    "compare": "geozoo.cli._comparing.claim_folder",
    "learning-curve": "geozoo.cli._learning_curve.claim_folder",
    "relax": "geozoo.cli._simulation.read_input",
    "md": "geozoo.cli._simulation.read_frame",
    "vibrations": "geozoo.cli._vibrating.read_frame",
    "uncertainty": "geozoo.cli._uncertainty.trained_model",
    "export": "geozoo.runs.trained.trained_model",
    "publish": "geozoo.cli._publishing.find_checkpoint",
    "test-model": "geozoo.cli._own_classes.check_model",
    "test-dataset": "geozoo.cli._own_classes.check_dataset",
    "diff": "geozoo.cli._comparing_models.trained_model",
    "list": "geozoo.report.listing.show_entries",
    "table": "geozoo.results.benchmark_table.benchmark_tables",
    "results": "geozoo.report.ledger_table.show_results",
    "reproduce": "geozoo.cli._reproducing.find_run",
    "record": "geozoo.runs.recording.record_runs",
    "cards": "geozoo.report.listing.write_cards",
}
#: A command line that gets there.
WORDS = {
    "train": "train dataset=nbody trainer=quick",
    "evaluate": "evaluate run/last.ckpt",
    "sample": "sample checkpoint=a",
    "predict": "predict checkpoint=a input=in.npz out=a.npz",
    "label": "label input=in.npz teacher=a out=a.xyz",
    "distil": "distil data=in.npz teacher=a student=painn",
    "compare": "compare dataset=nbody models=painn",
    "learning-curve": "learning-curve model=painn dataset=nbody sizes=[10,20]",
    "relax": "relax a input=in.npz",
    "md": "md a input=in.npz",
    "vibrations": "vibrations a input=in.npz",
    "uncertainty": "uncertainty a",
    "export": "export a out=a.pt2",
    "publish": "publish a",
    "test-model": "test-model geozoo.models:EGNN",
    "test-dataset": "test-dataset geozoo.data:Chirality",
    "diff": "diff a b",
    "table": "table nbody",
    "reproduce": "reproduce 9bb205",
    "record": "record a",
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys) -> Callable[[str], tuple[int, str, str]]:
    """Run ``geozoo`` in an empty folder; gives the exit code and both streams."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.npz").touch()

    def call(words: str) -> tuple[int, str, str]:
        code = exit_code(monkeypatch, 80, *words.split())
        return (code, *capsys.readouterr())

    return call


@pytest.mark.parametrize(("words", "code"), MISTAKES)
def test_a_mistake_of_the_user_is_one_line(words: str, code: int, run) -> None:
    found, said, about = run(words)
    assert found == code, about
    assert said == "" and len(about.splitlines()) == 1, about
    name = words.split()[0]
    assert about.startswith("geozoo: " if name == "nothing" else f"geozoo {name}: ")
    assert "Traceback" not in about and "Hydra" not in about


def test_every_command_has_its_mistake_and_its_bug() -> None:
    known = {"train", *_COMMANDS}
    assert {words.split()[0] for words, _ in MISTAKES} == known | {"nothing"}
    assert set(CALLED) == known


def _broken(*_: Any, **__: Any) -> Any:
    return np.zeros(3).reshape(2)


@pytest.mark.parametrize("name", CALLED)
def test_a_bug_is_a_traceback(name: str, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CALLED[name], _broken)
    code, _, about = run(WORDS.get(name, name))
    assert code == 1
    assert "Traceback (most recent call last)" in about and "np.zeros(3).reshape(2)" in about
    told = about.splitlines()[-1]
    assert told.startswith(f"geozoo {name}: this is a bug") and "Please report it" in told
    assert "HYDRA_FULL_ERROR" not in about


def test_the_traceback_of_any_error_can_be_had(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    for words, kind in (
        ("evaluate nothing", RunError), ("train resume=nothing", RunError),
        ("train +logger@x=csv", ConfigError), ("table nothing", ValueError),
        ("sample n=0", UsageError),
    ):  # fmt: skip
        with pytest.raises(kind):
            run(words)


@pytest.mark.thorough
@pytest.mark.parametrize("sweep", [(), ("-m", "seed=0,1")])
def test_errors_of_a_run_are_those_of_its_command(
    sweep: tuple[str, ...], geozoo_train: Train, monkeypatch, capsys
) -> None:
    import tiny_graphs

    def missing(*_: object) -> None:
        raise FileNotFoundError("frames.npz is missing")

    with monkeypatch.context() as patch:
        patch.setattr(tiny_graphs.TinyData, "load", missing)
        assert geozoo_train(*TINY, *sweep) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "geozoo train: dataset: frames.npz is missing"
    )
    monkeypatch.setattr(tiny_graphs.TinyData, "load", _broken)
    assert geozoo_train(*TINY, *sweep) == 1
    about = capsys.readouterr().err
    assert "Traceback" in about and "geozoo train: this is a bug" in about


def _error_of(code: str, name: str) -> BaseException:
    """What a line of code raises, as if it stood in a module."""
    space: dict[str, Any] = {"__name__": name, "np": np, "ConfigError": ConfigError}
    exec(f"def call():\n    {code}\n", space)
    try:
        space["call"]()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("code", "name", "is_users"),
    [
        ("raise ValueError('n must be positive')", "geozoo.data.x", True),
        ("raise TypeError('n must be an int')", "geozoo.data.x", True),
        ("raise ImportError('needs ase')", "geozoo.data.x", True),
        ("raise RuntimeError('no forces')", "geozoo.tasks.x", True),
        ("raise ConfigError('model.x: unknown key')", "hydra.core", True),
        ("open('/nowhere/at/all')", "geozoo.data.x", True),
        ("open('/nowhere/at/all')", "numpy.lib", True),
        ("int('x')", "geozoo.data.x", False),
        ("np.zeros(3).reshape(2)", "geozoo.data.x", False),
        ("np.stack([])", "geozoo.data.x", False),
        ("raise ValueError('shapes differ')", "numpy.lib", False),
        ("raise NotImplementedError", "geozoo.tasks.x", False),
        ("raise KeyError('x')", "geozoo.tasks.x", False),
        ("{}['x']", "geozoo.tasks.x", False),
    ],
)
def test_what_geozoo_raises_on_purpose_is_for_the_user(code, name, is_users) -> None:
    assert is_user_error(_error_of(code, name)) is is_users


def test_an_error_that_passes_through_handlers_is_judged_by_where_it_began() -> None:
    code = "\n    ".join(["try: np.zeros(3).reshape(2)", "except ValueError as error: raise error"])
    assert not is_user_error(_error_of(code, "geozoo.data.x"))
    code = "\n    ".join(["try: raise ValueError('a')", "finally: len('a')"])
    assert is_user_error(_error_of(code, "geozoo.data.x"))
    with pytest.raises(RunError, match="dataset: no file"), user_errors_named("dataset"):
        raise OSError("no file")
    with pytest.raises(ValueError, match="reshape"), user_errors_named("dataset"):
        _broken()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("bad key"), 2, "geozoo x: bad key\n"),
        (UsageError("bad word"), 2, "geozoo x: bad word\n"),
        (RunError("no run"), 1, "geozoo x: no run\n"),
        (torch.OutOfMemoryError("CUDA out of memory.\nmore"), 1,
         "geozoo x: out of memory: CUDA out of memory.\n"),
        (MemoryError(), 1, "geozoo x: out of memory: MemoryError\n"),
        (KeyboardInterrupt(), 1, "geozoo x: interrupted\n"),
        (ModuleNotFoundError("No module named 'ase'", name="ase"), 1,
         'geozoo x: needs ase, which is not installed: pip install "geozoo[molecules]"\n'),
    ],
)  # fmt: skip
def test_exit_codes(error: BaseException, code: int, told: str, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended, errors_shown("geozoo x"):
        raise error
    assert ended.value.code == code and capsys.readouterr().err == told


def test_a_job_hands_its_errors_to_the_process_that_began_it(capsys) -> None:
    error = _error_of("raise ValueError('no weights')", "geozoo.hub.x")
    with pytest.raises(RunError, match="no weights"), errors_shown("x", leaves=False):
        raise error
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="reshape"), errors_shown("x", leaves=False):
        _broken()
    assert "Traceback" in capsys.readouterr().err
