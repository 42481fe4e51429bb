"""Loaders and the Lightning data module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightning
import pytest
import torch
from graph_samples import make_store
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from geozoo.data import (
    EpochBatchSampler,
    GeometricSpec,
    GraphBatch,
    GraphDataModule,
    GraphLoader,
    LoadedData,
    LoaderOptions,
)
from geozoo.data.loader import place_store

SPEC = GeometricSpec(level="graph", dim=3, out_channels=1)


class Toy(GraphDataModule):
    """Thirteen graphs: nine for training, two for validation, two for testing."""

    calls = 0
    splits_of_load: dict[str, torch.Tensor] | None = None

    def load(self) -> LoadedData:
        self.calls += 1
        splits = {"train": range(9), "val": range(9, 11), "test": range(11, 13)}
        chosen = self.splits_of_load or {k: torch.tensor(list(v)) for k, v in splits.items()}
        return LoadedData(make_store([3, 1, 0, 2, 5, 1, 1, 2, 2, 3, 1, 4, 2]), chosen, SPEC)


class Recorder(lightning.LightningModule):
    """Records the graphs of each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[tuple[int, list[int]]] = []

    def training_step(self, batch, _: int) -> torch.Tensor:
        self.seen.append((self.current_epoch, batch.index.tolist()))
        return self.weight * batch.dipole.mean()

    def validation_step(self, batch, _: int) -> None:
        assert batch.index.tolist() == [9, 10]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder: Path, *callbacks: Callback, epochs: int = 3) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
    )


lightning_warnings = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*callbacks used to create the checkpoint"
)


@lightning_warnings
def test_trainer_sees_every_training_graph_once_per_epoch(tmp_path: Path) -> None:
    module = Recorder()
    trainer(tmp_path).fit(module, Toy(LoaderOptions(batch_size=4)))
    for epoch in range(3):
        seen = [index for number, batch in module.seen if number == epoch for index in batch]
        assert sorted(seen) == list(range(9))
    assert module.seen[0][1] != module.seen[3][1]  # epochs differ in order


@pytest.mark.thorough
@lightning_warnings
@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("step", [2, 3, 5, 6])
def test_training_resumed_at_any_step_sees_what_a_whole_one_sees(
    tmp_path: Path, step: int, num_workers: int
) -> None:
    options = LoaderOptions(batch_size=4, seed=7, resident="loader", num_workers=num_workers)
    whole, rest = Recorder(), Recorder()
    saver = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    trainer(tmp_path, saver).fit(whole, Toy(options))
    checkpoint = str(tmp_path / f"step={step}.ckpt")
    trainer(tmp_path).fit(rest, Toy(options), ckpt_path=checkpoint, weights_only=True)
    assert rest.seen == whole.seen[step:]


def test_data_is_loaded_once() -> None:
    module = Toy(LoaderOptions(batch_size=4))
    module.setup("fit")
    module.setup("test")
    assert module.spec == replace(SPEC, has_edges=module.store.edge_index is not None)
    assert len(module.store) == 13
    assert module.calls == 1


def test_evaluation_batches_have_their_own_size() -> None:
    module = Toy(LoaderOptions(batch_size=4, eval_batch_size=1))
    assert [batch.index.tolist() for batch in module.val_dataloader()] == [[9], [10]]
    assert [batch.index.tolist() for batch in module.test_dataloader()] == [[11], [12]]
    assert len(module.train_dataloader()) == 3


def test_calibration_batch_is_the_first_of_the_first_epoch() -> None:
    module = Toy(LoaderOptions(batch_size=4, seed=2))
    first = next(iter(module.train_dataloader()))
    assert module.calibration_batch().index.tolist() == first.index.tolist()


def test_loader_state_counts_batches_handed_out() -> None:
    loader = Toy(LoaderOptions(batch_size=4)).train_dataloader()
    loader.sampler.set_epoch(3)
    whole = [batch.index.tolist() for batch in loader]
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    assert state == {"epoch": 3, "batches_done": 1}
    fresh = Toy(LoaderOptions(batch_size=4)).train_dataloader()
    fresh.load_state_dict(state)
    assert [batch.index.tolist() for batch in fresh] == whole[1:]


def test_worker_processes_give_the_same_batches() -> None:
    here, there = (
        Toy(LoaderOptions(batch_size=4, resident="loader", num_workers=number)).train_dataloader()
        for number in (0, 1)
    )
    assert there.num_workers == 1
    for ours, theirs in zip(here, there, strict=True):
        assert set(ours) == set(theirs)
        for name in ours:
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=0, rtol=0)


def test_a_store_that_lives_on_the_training_device_needs_no_workers() -> None:
    loader = Toy(LoaderOptions(batch_size=4, num_workers=2)).train_dataloader()
    assert loader.num_workers == 0


def test_store_moves_only_when_it_may_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store([2, 3])
    meta = torch.device("meta")
    assert place_store(store, meta, "device").device == meta
    assert place_store(store, meta, "loader") is store
    assert place_store(store, meta, "auto") is store  # nobody knows the memory of this device
    for free, device in ((100 * store.nbytes, "meta"), (2 * store.nbytes, "cpu")):
        monkeypatch.setattr("geozoo.data.loader._free_memory", lambda _, free=free: free)
        assert place_store(store, meta, "auto").device.type == device


def test_loader_on_a_device_uses_no_workers() -> None:
    store = make_store([2, 3]).to("meta")
    sampler = EpochBatchSampler(torch.arange(2), 1, shuffle=False)
    assert GraphLoader(store, sampler=sampler, num_workers=2).num_workers == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.0}, "batch_size must be a whole number"),
        ({"eval_batch_size": 0}, "eval_batch_size must be a whole number of at least 1"),
        ({"num_workers": -1}, "num_workers must be a whole number of at least 0"),
        ({"seed": True}, "seed must be a whole number"),
        ({"resident": "gpu"}, "resident must be one of"),
    ],
)
def test_wrong_options_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoaderOptions(**{"batch_size": 1, **options})


def test_wrong_modules_are_rejected() -> None:
    with pytest.raises(TypeError, match="loader must be a LoaderOptions, got dict"):
        Toy({"batch_size": 1})
    module = Toy(LoaderOptions(batch_size=1))
    module.splits_of_load = {"train": torch.arange(9)}
    with pytest.raises(ValueError, match=r"missing: \['val', 'test'\]"):
        module.setup()
    module.splits_of_load = {part: torch.arange(3) for part in ("train", "val", "test")}
    with pytest.raises(ValueError, match="3 indices are both in 'train' and in 'val'"):
        module.setup()


def test_added_fields_are_those_of_every_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.data._computed_fields._CHUNK", 3)
    data, seen = Toy(LoaderOptions(batch_size=4)), []

    def compute(batch: GraphBatch) -> dict[str, dict[str, torch.Tensor]]:
        seen.append(batch.num_graphs)
        return {"node": {"twice": 2 * batch.pos}, "graph": {"size": batch.ptr.diff()}}

    old, before = data.store, next(iter(data.train_dataloader()))
    data.add_fields("Doubling", compute)
    assert len(seen) > 3 and sum(seen) == 13
    batch = next(iter(data.train_dataloader()))
    torch.testing.assert_close(batch.twice, 2 * batch.pos)
    assert batch.size.tolist() == batch.ptr.diff().tolist()
    assert (batch.level("twice"), batch.level("size")) == ("node", "graph")
    assert "twice" not in before and "twice" not in old.node
    with pytest.raises(ValueError, match="node field 'pos'"):
        data.store.with_fields(graph={"size": torch.zeros(13)}, node={"pos": torch.zeros(2, 3)})
