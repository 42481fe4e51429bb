"""The comparison with other libraries: pins, alternation, weights of both sides, table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")

from benchmarks._worker import Worker
from benchmarks.peers import _environments, _measure, _table, _worker
from benchmarks.peers._pairs import PAIRS
from benchmarks.peers._structures import SYSTEMS, small


@pytest.mark.parametrize("name", sorted({pair.environment for pair in PAIRS.values()}))
def test_environments_begin_with_torch_alone_and_pin_every_package(name: str) -> None:
    first, *others = _environments.installs(name)
    assert len(first) == 1
    assert first[0].startswith("torch==")
    for call in others:
        assert first[0] in call or "--no-deps" in call
        assert all("==" in word for word in call if not word.startswith("-"))
    assert _environments.pinned(name)["torch"] == first[0].partition("==")[2]


def test_versions_that_are_not_installed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_environments, "pinned", lambda name: {"numpy": "0.1", "no-such": "1.0"})
    wrong = _environments.differing("any", Path(sys.executable))
    assert wrong == {"numpy": "0.1", "no-such": "1.0"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_small_batches_have_the_elements_of_the_whole(name: str) -> None:
    frames = SYSTEMS[name]()
    (few,) = small(frames)
    assert set(few.numbers) <= {int(number) for atoms in frames for number in atoms.numbers}
    assert (few.pbc == frames[0].pbc).all()


class Clock(Worker):
    """A side that takes given times, without a process."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds: Iterator[float] = iter(seconds)

    def ask(self, request: str) -> dict[str, Any]:
        assert request == "step"
        seconds = next(self.seconds)
        return {"cpu_seconds": seconds, "wall_seconds": seconds / 2}


def test_ratios_are_medians_over_rounds_without_the_warm_up() -> None:
    warm = [9.0] * _measure.WARM_UP
    sides: dict[str, Worker] = {
        "theirs": Clock([*warm, 4.0, 6.0, 20.0]),
        "ours": Clock([*warm, 2.0, 2.0, 4.0]),
    }
    found = _measure.timed(sides, 3)
    assert found["times_faster"] == 3.0
    assert found["times_faster_range"] == [2.0, 5.0]
    assert found["theirs"] == {"cpu_seconds": 6.0, "wall_seconds": 3.0}
    assert found["times_faster_wall"] == 3.0


def test_results_must_be_the_same_quantities() -> None:
    wanted = {"energy": np.array([2.0, 4.0])}
    assert _measure.deviations(wanted, {"energy": np.array([[2.0], [3.0]])}) == {"energy": 0.25}
    with pytest.raises(ValueError, match=r"results must be \['energy'\], got \['forces'\]"):
        _measure.deviations(wanted, {"forces": np.array([2.0])})


def test_the_page_has_the_table_of_the_records() -> None:
    text = _table.PAGE.read_text(encoding="utf-8")
    wanted = _table.page(text, _table.records(), _table.records(threads=2))
    assert text == wanted, "run `python -m benchmarks peers --table`"


def test_a_page_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match="must contain"):
        _table.page("# Speed", [], [])


@pytest.mark.slow
def test_a_failing_side_reports_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'no_such_pair'"):
        _worker.start(Path(sys.executable), ["no_such_pair", "ours", str(tmp_path)], 1)


@pytest.mark.slow
def test_both_sides_of_a_pair_have_the_same_weights() -> None:
    pytest.importorskip("torch_geometric")
    found = _measure.measure(PAIRS["schnet_pyg_qm9"], Path(sys.executable), rounds=1, threads=1)
    assert max(found["deviation"].values()) < 1e-5
    assert found["ours"]["cpu_seconds"] > 0
    assert found["theirs"]["mib"] > 0
