"""The bar of a training in a terminal, drawn in a pseudo-terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_configs import TINY, last_of_each

pty = pytest.importorskip("pty")
ROOT = Path(__file__).resolve().parents[2]
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(where: Path, *words: str, program: str = "train") -> str:
    """What a command prints in a terminal of 100 columns, without colours and cursor moves."""
    ours, theirs = pty.openpty()
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cli")])
    code = f"from geozoo.cli.{program} import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=where,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    text = _CODES.sub("", b"".join(parts).decode())
    assert process.wait() == 0, text
    return text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epochs", "extra"), [(24, ()), (1000, ("trainer.captured_steps=1", "task.augment=false"))]
)
def test_the_bar_tells_epoch_losses_best_and_the_time_left(
    configs: Path, tmp_path: Path, epochs: int, extra: tuple[str, ...]
) -> None:
    words = last_of_each([*TINY, f"trainer.max_epochs={epochs}", "run_dir=run", *extra])
    text = on_terminal(tmp_path, f"--config-dir={configs}", *words)
    assert "v_num" not in text and "epoch 0 " not in text.lower()
    assert f"epoch {epochs} of {epochs}" in text
    last = re.findall(r"train/loss \S+, val/position_mse \S+, best \S+ in epoch \d+", text)
    assert last, text
    assert re.search(r"in epoch \d+, .* left", text)
    assert "Traceback" not in text
    commands = [line.strip() for line in text.splitlines()][-4:]
    assert [c.split()[:2] for c in commands[1:]] == [
        ["geozoo", "evaluate"], ["geozoo", "predict"], ["geozoo", "publish"],
    ]  # fmt: skip
    content = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    kept = content["captured"]["progress"] if extra else content["callbacks"]["ProgressLines"]
    assert 1 <= kept["best_epoch"] <= epochs


@pytest.mark.slow
def test_a_test_in_a_terminal_has_a_bar(tiny_run: Path, tmp_path: Path) -> None:
    text = on_terminal(tmp_path, str(tiny_run), program="evaluate")
    assert re.search(r"test +━+", text)


@pytest.mark.slow
def test_a_bar_goes_on_where_lines_ended(
    configs: Path, geozoo_train: Callable[..., int], tmp_path: Path
) -> None:
    assert geozoo_train(*TINY, "run_dir=run") == 0
    before = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    best = before["callbacks"]["ProgressLines"]
    text = on_terminal(tmp_path, "resume=run", "trainer.max_epochs=5")
    assert "epoch 5 of 5" in text
    assert f"best {best['best']:.4g} in epoch {best['best_epoch']}" in text or "in epoch 5" in text
