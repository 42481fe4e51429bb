"""Swapped arrays, and arrays with wrong dtype, wrong shape or missing values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from nbody_samples import write_official
from rmd17_samples import ethanol, make_arrays, write_unpacked

from geozoo.data import LabelledImages, LoaderOptions, NBody
from geozoo.data.traffic._pems_files import read_pems

Arrays = dict[str, np.ndarray]
LOADER = LoaderOptions(batch_size=4)


class Rmd17:
    """One npz file with five arrays."""

    #: The same shape and type: nothing tells them apart.
    alike = ({"coords", "forces"},)

    def arrays(self, folder: Path) -> Arrays:
        return make_arrays(200)

    def load(self, folder: Path, arrays: Arrays) -> None:
        write_unpacked(folder / "rmd17", arrays)
        ethanol(folder).load()


class Images:
    """One npz file with images and labels of three splits."""

    alike = ({"val_images", "test_images"}, {"val_labels", "test_labels"})

    def arrays(self, folder: Path) -> Arrays:
        draw = np.random.default_rng(0)
        return {
            f"{part}_{kind}": draw.integers(0, top, (count, *shape), dtype=np.uint8)
            for part, count in (("train", 8), ("val", 4), ("test", 4))
            for kind, top, shape in (("images", 255, (4, 5)), ("labels", 2, (1,)))
        }

    def load(self, folder: Path, arrays: Arrays) -> None:
        np.savez(folder / "own.npz", **arrays)
        data = LabelledImages(loader=LOADER, path=str(folder / "own.npz"))
        data.prepare_data()
        data.load()


class Particles:
    """An npy file per array and split; here those of the training split."""

    #: Positions and velocities have one shape.
    alike = ({"loc", "vel"},)

    def arrays(self, folder: Path) -> Arrays:
        written = write_official(folder / "nbody")
        return {name: written[f"{name}_train"] for name in ("loc", "vel", "charges")}

    def load(self, folder: Path, arrays: Arrays) -> None:
        for name, values in arrays.items():
            np.save(folder / "nbody" / f"{name}_train_charged5_initvel1small.npy", values)
        NBody(loader=LOADER, root=folder, source="official", num_train=8).load()


class Flows:
    """One npz file with one array."""

    alike = ()

    def arrays(self, folder: Path) -> Arrays:
        return {"data": np.random.default_rng(0).integers(0, 99, (40, 5, 3)).astype(float)}

    def load(self, folder: Path, arrays: Arrays) -> None:
        np.savez(folder / "PEMS08.npz", **arrays)
        read_pems(folder / "PEMS08.npz", start="2016-07-01")


SETS = {kind.__name__: kind() for kind in (Rmd17, Images, Particles, Flows)}


def swaps(arrays: Arrays, alike: tuple[set[str], ...]) -> Iterator[tuple[str, Arrays]]:
    """Two swapped arrays, if they are distinguishable."""
    for one, other in itertools.combinations(arrays, 2):
        if {one, other} not in alike:
            yield f"{one}, {other} swapped", {
                **arrays, one: arrays[other], other: arrays[one],
            }  # fmt: skip


def strange(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Versions of an array with wrong dtype, shape or values."""
    yield "as text", values.astype(str)
    yield "as bytes", values.astype("S8")
    yield "complex", values.astype(complex)
    yield "as objects", values.astype(object)
    yield "as times", values.astype("datetime64[s]")
    yield "with one axis more", values[..., None, None]
    yield "flat but for one number", values.reshape(-1)[:-1]
    yield "a single number", values.reshape(-1)[0]
    yield "nothing", values[:0]
    if values.dtype.kind == "f":
        holed = values.copy()
        holed.reshape(-1)[: holed.size // 2] = np.nan
        yield "with holes", holed
        endless = values.copy()
        endless.reshape(-1)[: endless.size // 2] = np.inf
        yield "with infinities", endless


@pytest.mark.parametrize("name", SETS)
def test_arrays_that_are_something_else_are_rejected(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geozoo.data.particles.nbody._NUM_EVALUATION", 6)
    kind, tried, problems = SETS[name], 0, []
    good = kind.arrays(tmp_path)
    kind.load(tmp_path, good)
    versions = [*swaps(good, kind.alike)]
    for key, values in good.items():
        versions += [(f"{key} {what}", {**good, key: other}) for what, other in strange(values)]
    for what, arrays in versions:
        tried += 1
        problems += _problems(kind.load, tmp_path, arrays, what)
    assert not problems, f"{len(problems)} of {tried}:\n" + "\n".join(problems)
    print(f"{name}: {tried} tried, all refused")


def _problems(
    load: Callable[[Path, Arrays], None], folder: Path, arrays: Arrays, what: str
) -> list[str]:
    try:
        load(folder, arrays)
    except ValueError as error:
        named = str(folder) in str(error) or ".np" in str(error)
        return [] if named else [f"{what}: names no file: {error}"]
    except Exception as error:
        return [f"{what}: {error!r}"]
    return [f"{what}: is read"]
