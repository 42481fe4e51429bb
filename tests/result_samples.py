"""A row of results, for tests."""

from geozoo.results.rows import Result

ROW = Result(
    recipe="ponita-rmd17", dataset="rmd17", variant="aspirin", split="official-01 (abc)",
    metric="energy_mae", unit="meV", value=2.0, std=None, seeds="0", paper_value=None, paper_ref="",
    commit="1234", command="geozoo-train dataset=rmd17, with comma", device="cpu", wall_time_s=10.0,
    peak_memory_mb=100.0, torch="2.13.0", date="2026-11-24", checkpoint="best.ckpt, epoch 3",
)  # fmt: skip
