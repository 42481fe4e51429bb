"""Runs that end without a test: they say so, and how it is made good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from screens import exit_code
from tiny_configs import TINY


@pytest.mark.thorough
def test_a_run_without_a_test_does_not_say_that_it_was_tested(
    geozoo_train: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert geozoo_train(*TINY, "test=false", "run_dir=run") == 0
    summary = " ".join((tmp_path / "run" / "summary.txt").read_text().split())
    page = (tmp_path / "run" / "report.html").read_text()
    said = "not tested; best checkpoint best.ckpt, from epoch"
    assert f"test {said}" in summary and " tested best.ckpt" not in summary
    assert said in page and "end of the test" not in page
    assert "geozoo evaluate run save=true" in summary
    assert f"geozoo evaluate {tmp_path / 'run'} save=true" in page
    assert exit_code(monkeypatch, 200, "evaluate", "run", "save=true") == 0
    assert exit_code(monkeypatch, 200, "publish", "run", "out=out") == 0
    assert "tested best.ckpt, from epoch" in " ".join(
        (tmp_path / "run" / "summary.txt").read_text().split()
    )
