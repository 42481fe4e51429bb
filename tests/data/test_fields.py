"""The field registry matches the datasets and the annotations of `GraphBatch`."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from ase_samples import silicon, waters, write
from nbody_samples import write_official
from qm9_samples import qm9, write_qm9
from rmd17_samples import ethanol, make_arrays, write_unpacked

from geozoo.data import (
    FIELDS,
    Chirality,
    ExtXYZ,
    GraphBatch,
    GraphDataModule,
    LoaderOptions,
    NBody,
)
from geozoo.data.batch import STRUCTURE

LOADER = LoaderOptions(batch_size=4)
SIZES = {"dim": (2, 3), "F": None, "V": (1,), 3: (3,)}


def rmd17(folder: Path) -> GraphDataModule:
    write_unpacked(folder / "rmd17", make_arrays())
    return ethanol(folder)


def extxyz(folder: Path) -> GraphDataModule:
    return ExtXYZ(path=write(folder / "a.xyz", waters(20)), loader=LOADER)


def crystals(folder: Path) -> GraphDataModule:
    frames = [silicon(seed) for seed in range(20)]
    del frames[0].calc.results["forces"], frames[1].calc.results["stress"]
    frames[2].info["config_weight"] = 2.0
    return ExtXYZ(path=write(folder / "a.xyz", frames), loader=LOADER)


def nbody(folder: Path) -> GraphDataModule:
    write_official(folder / "nbody")
    return NBody(loader=LOADER, root=folder, num_train=3)


def molecules(folder: Path) -> GraphDataModule:
    write_qm9(folder)
    return qm9(folder)


SETS = {"rmd17": rmd17, "extxyz": extxyz, "qm9": molecules, "nbody": nbody}
SETS |= {"crystals": crystals}
SETS |= {"chirality": lambda folder: Chirality(loader=LOADER)}


@pytest.mark.parametrize("name", SETS)
def test_datasets_hold_to_the_register(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geozoo.data.particles.nbody._NUM_EVALUATION", 6)
    data = SETS[name](tmp_path)
    batch = data.store.gather([0, 1])
    rows = {"node": batch.num_nodes, "graph": 2}
    known = [field for field in batch if field in FIELDS]
    if name == "crystals":
        optional = {"cell", "pbc", "stress", "has_forces", "has_stress", "weight"}
        assert optional <= set(known)
        assert set(known) <= data.spec.units.keys()
    assert {"pos", "x"} <= set(known)
    assert set(batch) - set(known) - set(STRUCTURE) <= {data.spec.target, "y"}
    for field in known:
        told, value = FIELDS[field], getattr(batch, field)
        assert batch.level(field) == told.level
        assert value.shape[0] == rows[told.level]
        assert value.dim() == 1 + len(told.shape)
        assert value.dtype == told.dtype
        for axis, size in zip(told.shape, value.shape[1:], strict=True):
            assert SIZES[axis] is None or size in SIZES[axis]


def test_editors_are_told_the_fields() -> None:
    hints = get_type_hints(GraphBatch)
    for name, field in FIELDS.items():
        axes = ["N" if field.level == "node" else "G", *map(str, field.shape)]
        assert hints[name].dim_str.split() == axes
        assert (hints[name].dtype.__name__ == "Float") == field.dtype.is_floating_point
    assert set(hints) - set(FIELDS) == set(STRUCTURE)


def test_annotations_make_no_fields() -> None:
    batch = GraphBatch({"batch": torch.zeros(1, dtype=torch.long)}, levels={}, num_graphs=1)
    with pytest.raises(AttributeError, match="this batch has no field 'pos'; available: batch"):
        _ = batch.pos
