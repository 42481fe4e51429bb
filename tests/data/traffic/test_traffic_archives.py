"""PEMS datasets from small files in the official layout, and rejection of other sizes."""

import numpy as np
import pytest

from geozoo.data import LoaderOptions, RoadGraphs, forecast_protocol
from geozoo.data.traffic.archives import Pems


def write(folder, *, steps=400, names=("PEMS08.npz", "PEMS08.csv")):
    folder.mkdir(parents=True, exist_ok=True)
    flow = np.random.default_rng(0).integers(0, 300, (steps, 4, 3)).astype(float)
    np.savez_compressed(folder / names[0], data=flow)
    (folder / names[1]).write_text("from,to,cost\n0,1,120.5\n1,2,80\n2,3,250\n")
    return flow


def make(tmp_path, **options):
    return Pems(
        loader=LoaderOptions(batch_size=8), protocol=forecast_protocol(), graphs=RoadGraphs(),
        root=tmp_path, **{"variant": "pems08", "check_extent": False, **options},
    )  # fmt: skip


@pytest.mark.parametrize("names", [("PEMS08.npz", "PEMS08.csv"), ("pems08.npz", "distance.csv")])
def test_flow_is_the_target_and_roads_make_the_graph(tmp_path, names):
    flow = write(tmp_path / "pems08", names=names)
    data = make(tmp_path)
    assert data.spec.target == "flow" and data.spec.in_channels == 3
    batch = data.store.gather([7])
    np.testing.assert_allclose(batch.y[0], flow[19:31, :, 0])
    graph = data.spatial_graph()
    assert graph.shape == (4, 4) and bool((graph == graph.T).all())
    assert (graph > 0).sum() == 6


def test_files_of_another_extent_are_rejected_with_the_entry_that_fits(tmp_path):
    write(tmp_path / "pems08")
    with pytest.raises(ValueError, match="pems08 must have 17856 steps of 170 sensors, got 400"):
        _ = make(tmp_path, check_extent=True).spec


def test_missing_files_are_reported_with_their_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="pems08"):
        _ = make(tmp_path).spec


def test_another_variant_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="variant must be one of"):
        make(tmp_path, variant="pems05")


def test_the_test_part_of_the_tail_is_the_official_one():
    from geozoo.data.traffic.archives import PEMS

    official, tail = PEMS["pems08"], PEMS["pems08_tail"]
    first = forecast_protocol().bounds(official.steps)[1]
    assert tail.bounds[1] + official.steps - tail.steps == first
