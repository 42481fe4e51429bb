"""The contract for the model of every folder of the zoo, found by listing."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
import yaml

from geozoo import testing
from geozoo.contracts import Fitted, family_of, supports_cells
from geozoo.geometry import platonic_rotations

FOLDER = Path(__file__).resolve().parents[2] / "models"
ENTRIES = sorted(path.parent.name for path in FOLDER.glob("*/config.yaml"))
TINY = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 2}
#: A grid of orientations is exact under the rotations of its own regular polyhedron.
REGULAR = {"grid": "platonic", "num_orientations": 20, "group": "icosahedral"}
DATA = {"in_channels": 2, "in_vectors": 1, "out_channels": 2, "out_vectors": 1, "dim": 3}
DATA |= {"lattice": None}


def read(name):
    """The class of an entry and its configured arguments."""
    config = yaml.safe_load((FOLDER / name / "config.yaml").read_text())
    module, _, attribute = config.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), attribute), config


def is_geometric(name):
    return family_of(read(name)[0]) == "geometric"


GEOMETRIC = [name for name in ENTRIES if is_geometric(name)]
#: Models that are fitted in closed form have nothing to train.
TRAINED = [name for name in GEOMETRIC if not hasattr(read(name)[0], "fit")]


def build(name, level="graph", seed=0, **options):
    """The entry's model as configured, but for sizes and what the data set says."""
    kind, config = read(name)
    small = {**TINY, **DATA, "level": level, **options}
    for node in (config, *(value for value in config.values() if isinstance(value, dict))):
        node |= {key: value for key, value in small.items() if key in node}
    left = [key for key, value in config.items() if value == "???"]
    assert not left, f"models/{name}/config.yaml: nothing here fills {left}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**config).double()
        if isinstance(model, Fitted):
            model.fit(torch.randn(40, 2), x=torch.randn(40, 2), batch=torch.arange(40))
        return model


def inputs(sizes):
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    generator = torch.Generator().manual_seed(0)
    options = {"generator": generator, "dtype": torch.float64}
    return {
        "pos": torch.randn(len(batch), 3, **options),
        "x": torch.randn(len(batch), 2, **options),
        "vec": torch.randn(len(batch), 1, 3, **options),
        "batch": batch,
        "num_graphs": len(sizes),
    }


def test_folders_are_found():
    assert ENTRIES, f"no model entries in {FOLDER}"
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_config_names_exactly_the_arguments_of_the_class(name):
    kind, config = read(name)
    parameters = inspect.signature(kind).parameters
    assert set(config) <= set(parameters)
    needed = {key for key, p in parameters.items() if p.default is inspect.Parameter.empty}
    assert needed <= set(config)


@pytest.mark.parametrize("level", ["node", "graph"])
@pytest.mark.parametrize("name", GEOMETRIC)
class TestGeometricModel:
    def test_signature_is_that_of_the_family(self, name, level):
        parameters = list(inspect.signature(read(name)[0].forward).parameters.values())[1:]
        names = ["pos", "x", "batch", "edge_index", "vec", "num_graphs"]
        assert [p.name for p in parameters][:6] == names
        assert all(p.default is None for p in parameters[3:])
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[4:])
        model = build(name, level)
        assert testing.assert_contract(model) == "geometric"
        assert model(**inputs([3, 2]))._fields == ("scalar", "vector")

    @pytest.mark.thorough
    def test_periodic_structures_are_right(self, name, level):
        model = build(name, level, radius=2.0, num_orientations=6)
        assert testing.assert_contract(model) == "geometric"
        assert name not in TRAINED or supports_cells(model)

    def test_motions_are_followed(self, name, level):
        rotations = platonic_rotations(20)[1::12]
        model = build(name, level, **REGULAR)
        testing.assert_equivariant(model, inputs([4, 3]), rotations=rotations)

    def test_order_of_nodes_does_not_matter(self, name, level):
        given = inputs([4, 3, 1])
        nodes = ("scalar", "vector") if level == "node" else ()
        model = build(name, level)
        testing.assert_permutation_equivariant(
            model, given, batch=given["batch"], node_outputs=nodes
        )

    def test_graphs_do_not_meet(self, name, level):
        testing.assert_batch_independent(build(name, level), inputs([3, 0, 2, 1]), level=level)

    @pytest.mark.thorough
    def test_derivatives_are_right(self, name, level):
        if name not in TRAINED:
            pytest.skip(f"{name} does not see positions and is fitted")
        small = build(name, level, num_orientations=4)
        testing.assert_gradients(small, inputs([3, 1]), wrt=("pos",), parameters=level == "graph")

    def test_dtype_is_kept(self, name, level):
        testing.assert_dtype_kept(build(name, level), inputs([4, 3]))

    def test_saved_models_predict_the_same(self, name, level):
        testing.assert_survives_saving(
            build(name, level), lambda: build(name, level, seed=1), inputs([4, 3])
        )

    def test_inputs_are_left_as_they_are(self, name, level):
        given = inputs([4, 3])
        before = {key: value.clone() for key, value in given.items() if torch.is_tensor(value)}
        build(name, level)(**given)
        assert all(torch.equal(given[key], value) for key, value in before.items())


@pytest.mark.thorough
@pytest.mark.parametrize("name", TRAINED)
def test_eight_graphs_can_be_learnt_by_heart(name):
    width = 8 if name == "platonic" else 32  # on each of its 12 rotations
    model = build(name, hidden_channels=width, basis_channels=32, num_orientations=8)
    given = inputs([4] * 8)
    generator = torch.Generator().manual_seed(1)
    targets = [torch.randn(8, *size, generator=generator).double() for size in [(2,), (1, 3)]]

    def loss():
        out = model(**given)
        pairs = [(v, t) for v, t in zip(out, targets, strict=True) if v is not None]
        assert pairs
        return sum((value - target).square().mean() for value, target in pairs)

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = loss().item()
    for _ in range(200):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 1e-2 * first


@pytest.mark.thorough
@pytest.mark.parametrize("hidden_channels", [16, 128])
@pytest.mark.parametrize("name", TRAINED)
def test_initial_outputs_are_neither_tiny_nor_huge(name, hidden_channels):
    model = build(name, "node", hidden_channels=hidden_channels, num_layers=5)
    out = model(**inputs([10, 10, 10]))
    for values in filter(torch.is_tensor, out):
        # A vector is the mean of f times orientation over the grid, which leaves little of f.
        assert 1e-3 < float(values.detach().std()) < 10
