"""``--help`` and misspelt words answer at once, and from any place."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(*words: str, code: str = "from geozoo.cli.train import main; main()") -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", code, *words], text=True, capture_output=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip
    return done.stdout + done.stderr, done.returncode


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_lists_entries_recipes_groups_and_examples(word: str) -> None:
    said, code = _run(word)
    assert code == 0
    for expected in (
        "ponita", "nbody", "rmd17", "extxyz", "ponita-rmd17", "quick", "adamw", "tensorboard",
        "resume=", "dataset.molecule=", "-m seed=0,1,2", "--config-dir",
    ):  # fmt: skip
        assert expected in said


def test_help_loads_neither_torch_nor_lightning_nor_hydra() -> None:
    code = (
        "import sys; from geozoo.cli.train import main; main(); "
        "print('loaded', sorted({'torch', 'lightning', 'hydra', 'omegaconf'} & set(sys.modules)))"
    )
    assert "loaded []" in _run("--help", code=code)[0]


def test_help_is_fast() -> None:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        _run("--help")
        times.append(time.perf_counter() - started)
    assert min(times) < 1.5


def test_a_misspelt_word_answers_without_torch() -> None:
    code = (
        "import sys\nfrom geozoo.cli.train import main\n"
        "try: main()\nexcept SystemExit as error: print(error.code, 'torch' in sys.modules)"
    )
    said, _ = _run("model=ponitta", code=code)
    assert "Did you mean ponita?" in said and "2 False" in said


@pytest.mark.parametrize("name", ["evaluate", "sample", "main"])
def test_other_commands_have_help(name: str) -> None:
    code = f"import sys; from geozoo.cli.{name} import main; sys.exit(main())"
    said, status = _run("--help", code=code)
    assert status == 0 and "usage: geozoo" in said


def test_the_list_of_commands_answers_without_torch() -> None:
    code = "import sys\nfrom geozoo.cli.main import main\nmain(); print('torch' in sys.modules)"
    said, _ = _run("--help", code=code)
    assert "reproduce" in said and said.strip().endswith("False")


def test_the_script_of_the_checkout_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--help"], text=True, capture_output=True,
        cwd=ROOT.parent, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "geozoo-train trainer=quick" in done.stdout
