"""The jobs for a GPU run on a CPU at tiny sizes, and what they leave is taken in."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qm9_samples import write_qm9

from benchmarks.gpu import _steps, keep
from benchmarks.gpu.__main__ import JOBS
from benchmarks.gpu._job import ROOT
from benchmarks.gpu._runs import PIECE, pack_run, pieces_of, unpack_run
from benchmarks.gpu._steps import CASES, Plan, plans, unrecorded_first
from geozoo.data import LoaderOptions, MNISTSlic
from geozoo.data.images import _mnist_files


def rehearse(job: str, out: Path, *words: str, data: Path | None = None) -> list[dict]:
    """Rehearse a job in a process of its own; its records.

    Args:
        job: its name.
        out: where the records go.
        words: further words of the command.
        data: folder of all data sets; None: that of the user.
    """
    environment = {**os.environ, "GEOZOO_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    if data is not None:
        environment["GEOZOO_DATA"] = str(data)
    command = [sys.executable, "-m", "benchmarks.gpu", job, "--rehearse", "--out", str(out), *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (out / f"{job}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def occasion(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """What a rehearsal of a training leaves, and its record."""
    folder = tmp_path_factory.mktemp("first")
    (row,) = rehearse("nbody", folder, "--words", "trainer.max_epochs=1")
    return folder, row


@pytest.mark.slow
def test_a_training_is_left_and_taken_up_again(occasion: tuple[Path, dict], tmp_path: Path) -> None:
    folder, first = occasion
    assert first["status"] == 0 and first["epochs"] == 1 and first["is_whole"]
    assert first["test"]["position_mse"] > 0
    assert {"device", "driver", "versions", "date", "job", "ms_per_step"} <= first.keys()
    (second,) = rehearse(
        "nbody", tmp_path / "second", "--state", str(folder),
        "--words", "trainer.max_epochs=3",
    )  # fmt: skip
    assert second["epochs"] == 3 and second["train_time_s"] > first["train_time_s"]
    run = tmp_path / "run"
    assert unpack_run(tmp_path / "second", "nbody", run)
    with (run / "metrics.csv").open(newline="") as file:
        epochs = [row["epoch"] for row in csv.DictReader(file) if row["train/loss"]]
    assert epochs == ["1", "2", "3"]
    assert not list(run.rglob("*.png"))


def few_molecules(folder: Path) -> None:
    """A few molecules of QM9 and frames of rMD17, a few digits, in their official layouts."""
    from mnist_samples import write_mnist
    from rmd17_samples import make_arrays, write_unpacked

    write_qm9(folder, 60)
    write_mnist(folder / "mnist", train=40, test=10)
    with pytest.MonkeyPatch.context() as patch:  # made digits have no published checksum
        patch.setattr(_mnist_files, "_check_content", lambda *given: None)
        MNISTSlic(loader=LoaderOptions(batch_size=4), root=folder).prepare_data()
    for name in ("aspirin", "ethanol"):
        write_unpacked(folder / "rmd17", make_arrays(), name)


@pytest.mark.slow  # minutes; `run.sh JOB --rehearse` does the same
@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("checks", ()), ("aspirin", ()), ("ethanol", ()), ("superpixels", ()),
        ("qm9_alpha", ("dataset.split=random",)), ("qm9_generation", ("dataset.split=random",)),
    ],
)  # fmt: skip
def test_every_other_job_runs(
    job: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "data"))
    few_molecules(tmp_path / "data")
    given = ("--words", *words) if words else ()
    (row,) = rehearse(job, tmp_path / "out", *given, data=tmp_path / "data")
    assert row["status"] == 0, (tmp_path / "out" / "train.log").read_text()[-2000:]
    assert row["rehearsal"] and row["job"] == job
    assert job == "checks" or (row["is_whole"] and row["test"])


@pytest.mark.slow
def test_forms_of_steerable_sums_are_compared(tmp_path: Path) -> None:
    pytest.importorskip("triton")
    tests, *rows = rehearse("steerable", tmp_path)
    assert tests["status"] == 0
    assert len(rows) == 8 and all(row["seconds"] > 0 for row in rows), rows
    assert {row["form"] for row in rows} == {"plain", "triton"}
    assert all(row["difference"] < 1e-5 for row in rows), rows
    assert any(row["difference"] > 0 for row in rows)  # other kernels have run


@pytest.mark.slow
def test_steps_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [
        Plan("nbody", "fast", "float32", False), Plan("nbody", "fast", "bf16", True),
        Plan("nbody", "textbook", "float32", False), Plan("zoo_traffic", "stid", "float32", True),
    ]  # fmt: skip
    from benchmarks._case import REHEARSAL
    from benchmarks.gpu._job import Context

    monkeypatch.setattr(_steps, "plans", lambda: chosen)
    monkeypatch.setattr(_steps, "RECORDS", tmp_path / "none")
    monkeypatch.setitem(REHEARSAL, "small", False)
    _steps.run(Context("steps", tmp_path, 60.0, rehearse=True))
    rows = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert [row["case"] for row in rows] == [plan.case for plan in chosen]
    assert all(row["seconds"] > 0 and row["rehearsal"] for row in rows)
    kernels = rows[0]["dearest"]
    assert 1 <= len(kernels) <= 10
    assert kernels[0]["share"] == max(kernel["share"] for kernel in kernels)
    assert rows[0]["gradient_difference"] == 0
    assert 0 < rows[1]["gradient_difference"] < 0.1
    assert 0 < rows[2]["gradient_difference"] < 1e-4
    assert rows[0]["share_of_products"] == pytest.approx(
        1e-3 * rows[0]["gflop"] / rows[0]["float32_tflops"] / rows[0]["seconds"]
    )


@pytest.mark.slow  # minutes; `run.sh JOB --rehearse` makes the same steps
def test_every_step_can_be_made(tmp_path: Path) -> None:
    rows = rehearse("steps", tmp_path)
    known = {plan for plan in plans() if plan.form not in ("compiled", "cuda_graphs")}
    made = {Plan(*(row[name] for name in Plan._fields)) for row in rows if "seconds" in row}
    assert made == known, [row for row in rows if "failed" in row]


@pytest.mark.slow
def test_a_step_that_fails_is_recorded_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks._case import REHEARSAL
    from benchmarks.gpu._job import Context

    def failing(self: object, plan: Plan) -> dict:
        raise RuntimeError("no room\nat all")

    monkeypatch.setattr(_steps, "plans", lambda: [Plan("nbody", "fast", "tf32", True)])
    monkeypatch.setattr(_steps.Measurements, "make", failing)
    monkeypatch.setitem(REHEARSAL, "small", False)
    _steps.run(Context("steps", tmp_path, 60.0, rehearse=True))
    (row,) = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert row["failed"] == "RuntimeError: no room"


def test_plans_name_what_there_is() -> None:
    found = list(plans())
    assert len(set(found)) == len(found)
    for plan in found:
        assert plan.form in CASES[plan.case].variants, plan


def test_what_was_measured_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Plan("nbody", "fast", "float32", False), Plan("qm9", "fast", "tf32", True)
    rows = [{**one._asdict(), "seconds": 1.0}, {**other._asdict(), "failed": "no room"}]
    (tmp_path / "gpu.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(_steps, "RECORDS", tmp_path / "gpu.jsonl")
    assert unrecorded_first([one, other]) == [other, one]


def test_every_job_ends_within_a_command() -> None:
    assert all(0 < job.seconds <= 560 for job in JOBS.values())
    queue = (ROOT / "benchmarks" / "gpu" / "QUEUE.md").read_text()
    assert all(f"`{name}`" in queue for name in JOBS)


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, PIECE + 10])
def test_a_run_folder_survives_its_pieces(size: int, tmp_path: Path) -> None:
    import random

    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    content = random.Random(0).randbytes(size)
    (run / "checkpoints" / "last.ckpt").write_bytes(content)
    (run / "loss.png").write_bytes(b"picture")
    pieces = pack_run(run, tmp_path, "job")
    assert len(pieces) == 1 + (size > PIECE)
    assert all(piece.stat().st_size <= PIECE for piece in pieces)
    assert unpack_run(tmp_path, "job", tmp_path / "again")
    assert (tmp_path / "again" / "checkpoints" / "last.ckpt").read_bytes() == content
    assert not (tmp_path / "again" / "loss.png").exists()
    assert not unpack_run(tmp_path, "other", tmp_path / "nothing")


def test_records_are_taken_once_and_rehearsals_never(tmp_path: Path) -> None:
    row = {"job": "steps", "case": "nbody", "form": "fast", "seconds": 0.002, "mib": 10.0}
    lines = [json.dumps(row), json.dumps({**row, "rehearsal": True}), json.dumps({"other": 1})]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "steps.jsonl").write_text("\n".join(lines) + "\n")
    rows = keep.read_records(tmp_path / "out")
    assert list(rows.values()) == [row]
    records = tmp_path / "gpu.jsonl"
    assert keep.add_records(rows, records) == list(rows)
    assert keep.add_records(rows, records) == []
    (kept,) = [json.loads(line) for line in records.read_text().splitlines()]
    assert kept == {"id": next(iter(rows)), **row}
    assert "2.000" in keep.table(rows.items())


@pytest.mark.slow
def test_a_whole_run_leaves_no_state(occasion: tuple[Path, dict], tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "nbody.tar.xz.0").write_bytes(b"old")
    run = keep.keep_run(occasion[0], "nbody", tmp_path / "runs", state)
    assert run is not None and keep.is_whole(run)
    assert not pieces_of(state, "nbody")
