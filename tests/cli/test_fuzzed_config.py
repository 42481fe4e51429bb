"""Whatever a key is set to: it trains, or the message says which key is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzed_keys import VALUES, fuzz, keys_of
from killed_pairs import PAIRS, command

pytest.importorskip("rdkit")
#: In every test run; the others at night.
QUICK = ("stid-forecasting", "schedule")
_SHORT = (
    "trainer.max_epochs=1", "trainer.limit_train_batches=2", "trainer.limit_val_batches=1",
    "test=false",
)  # fmt: skip
#: Every model, every data set and every task once, and what is common to all runs.
NODES = [
    (pair, "model") for pair in PAIRS
    if not pair.startswith("ponita") and pair != "stid-quantiles"
]  # fmt: skip
NODES += [("ponita-potential", "model")]
NODES += [
    (pair, node) for pair in (*(p for p in PAIRS if p.startswith("ponita")), "gram_ode-forecasting")
    for node in ("dataset", "task")
]  # fmt: skip
NODES += [("stid-quantiles", "task")]
NODES += [("stid-forecasting", node) for node in ("optimizer", "schedule", "trainer", "")]


@pytest.mark.thorough
@pytest.mark.parametrize(("pair", "node"), [
    pytest.param(*each, marks=() if each == QUICK else pytest.mark.slow)
    for each in NODES
])  # fmt: skip
def test_a_value_trains_or_its_key_is_named(pair: str, node: str, place: Path) -> None:
    words = [*command(pair), *_SHORT]
    keys = keys_of(words, node)
    tally = fuzz(words, keys, place)
    print(f"{pair} {node}: {tally.keys} keys, {tally.trained} trained, {tally.refused} refused")
    told = "\n".join(tally.problems)
    print(told)
    assert not tally.problems, f"{len(tally.problems)} of {len(keys) * len(VALUES)}:\n{told}"
