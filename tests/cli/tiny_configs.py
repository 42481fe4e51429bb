"""Configs and arguments for runs on a data set and a model that take no time."""

from __future__ import annotations

from collections.abc import Sequence

MODEL = """\
_target_: tiny_graphs.TinyModel
in_channels: ???
out_channels: ???
in_vectors: ???
out_vectors: ???
dim: ???
level: ???
width: 8
"""
DATASET = """\
defaults:
  - /task@_global_.task: {task}
_target_: tiny_graphs.TinyData
kind: {kind}
num_graphs: 40
broken: false
seed: 0
loader:
  _target_: geozoo.data.LoaderOptions
  batch_size: 5
  eval_batch_size: 4
  seed: 0
"""
#: Words that every run of these tests begins with.
TINY = (
    "model=tiny", "dataset=tiny", "trainer.accelerator=cpu", "trainer.max_epochs=4",
    "optimizer.lr=1.0e-2",
)  # fmt: skip


def unless_given(words: Sequence[str]) -> list[str]:
    """The arguments of a command, without those of `TINY` whose keys are given once more."""
    keys = [word.partition("=")[0] for word in words]
    rest = list(words)
    for word in TINY:
        if word in rest and keys.count(word.partition("=")[0]) > 1:
            rest.remove(word)
    return rest


def last_of_each(words: Sequence[str]) -> list[str]:
    """The arguments of a command, of those with one key the last alone."""
    return list({word.partition("=")[0]: word for word in words}.values())
