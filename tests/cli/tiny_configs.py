"""Configs and words for runs on a data set and a model that take no time."""

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
