"""Exported programs reproduce the model in a process without geozoo."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny_traffic import tiny_traffic
from trained_samples import dynamics, forecaster, molecule, potential, trained

import geozoo.models as models
from geozoo.data import Structure
from geozoo.hub.exporting import export_program, save_program
from geozoo.hub.structures import predict_store, structure_store
from geozoo.options import in_groups
from geozoo.tasks import Forecasting, Potential

REFERENCES = {"atom_energy_H": -13000.0, "atom_energy_C": -1.0e6, "atom_energy_O": -2.0e6}

FOREIGN = """
import sys
sys.modules["geozoo"] = None  # importing it would fail
import json, numpy, torch
extra = {"geozoo.json": ""}
program = torch.export.load(sys.argv[1], extra_files=extra).module()
assert json.loads(extra["geozoo.json"])["name"] == "tiny"
numbers, pos = numpy.load(sys.argv[2]).values()
size = len(numbers)
inputs = torch.tensor(numbers), torch.tensor(pos).float(), torch.triu_indices(size, size, 1)
energy, forces = program(*inputs)
numpy.savez(sys.argv[3], energy=energy.numpy(), forces=forces.numpy())
"""


SCALES = {"force_scale_1": 900.0, "force_scale_6": 1500.0, "force_scale_8": 3000.0}


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"scale_by": "species"}])
def test_exported_potential_runs_without_geozoo(tmp_path, options):
    model = potential(options, **REFERENCES, **SCALES)
    save_program(model, tmp_path / "m.pt2")
    numbers, pos = molecule()
    for count in (4, 3, 2):
        np.savez(tmp_path / "in.npz", numbers=numbers[:count], pos=pos[:count])
        words = [tmp_path / "m.pt2", tmp_path / "in.npz", tmp_path / "out.npz"]
        subprocess.run([sys.executable, "-c", FOREIGN, *map(str, words)], check=True)
        structure = Structure(numbers[:count], pos[:count])
        expected = predict_store(model, structure_store(model.spec, [structure]))
        with np.load(tmp_path / "out.npz") as found:
            np.testing.assert_allclose(found["energy"], expected["energy"], rtol=1e-9)
            np.testing.assert_allclose(found["forces"], expected["force"], rtol=1e-4, atol=1e-2)


TERMS = {
    "zbl": {"zbl": True}, "charges": {"charges": {"C": 0.3, "H": 0.1, "O": -0.5}},
    "d3": {"d3": "pbe"},
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("choice", TERMS)
def test_exported_potential_contains_its_terms(choice, tmp_path):
    if choice == "d3":
        pytest.importorskip("torch_dftd")
    options = {"terms": TERMS[choice]} | ({"scale_by": "species"} if choice == "zbl" else {})
    model = potential(options, **REFERENCES, **SCALES)
    numbers, pos = molecule()
    save_program(model, tmp_path / "m.pt2")
    for scale in (1.0, 0.5):
        np.savez(tmp_path / "in.npz", numbers=numbers, pos=scale * pos)
        words = [tmp_path / "m.pt2", tmp_path / "in.npz", tmp_path / "out.npz"]
        subprocess.run([sys.executable, "-c", FOREIGN, *map(str, words)], check=True)
        store = structure_store(model.spec, [Structure(numbers, scale * pos)])
        expected = predict_store(model, store)
        assert abs(model.task.terms(store.gather([0])).energy) > 1
        with np.load(tmp_path / "out.npz") as found:
            np.testing.assert_allclose(found["energy"], expected["energy"], rtol=1e-9)
            np.testing.assert_allclose(found["forces"], expected["force"], rtol=1e-4, atol=1e-2)
    program = export_program(model).module()
    unknown = torch.tensor([6, 99]), torch.rand(2, 3), torch.tensor([[0], [1]])
    assert program(*unknown)[0].isnan().all()


COMPLETE = {
    "egnn": lambda: models.EGNN(4, 1, hidden_channels=8, num_layers=1),
    "segnn": lambda: models.SEGNN(4, 1, hidden_channels=8, num_layers=1),
    "platonic": lambda: models.Platonic(4, 1, hidden_channels=8, num_layers=1),
    "rapidash": lambda: models.Rapidash(
        4, 1, hidden_channels=8, scales={"layers": [1]}, kernel={"basis_channels": 8},
        orientations={"num_orientations": 6},
    ),
    **{
        f"ponita {name} {backend}": lambda name=name, backend=backend: models.Ponita(
            4, 1, representation=name, level="graph", hidden_channels=8, num_layers=1,
            kernel={"basis_channels": 8, "backend": backend},
            orientations={"num_orientations": 12 if name == "frames" else 6},
        )
        for name, backend in (
            ("bundle", "fused"), ("bundle", "textbook"), ("position", "auto"), ("frames", "auto"),
            ("edges", "auto"),
        )
    },
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", COMPLETE)
def test_every_network_without_a_cutoff_is_exported(name):
    spec = potential(**REFERENCES).spec
    torch.manual_seed(0)
    model = trained(Potential(COMPLETE[name](), spec)).cast(torch.float64)
    program = export_program(model).module()
    numbers, pos = molecule()
    for count in (4, 2, 1):
        given = torch.tensor(numbers[:count]), torch.tensor(pos[:count])
        energy, forces = program(*given, torch.triu_indices(count, count, 1))
        store = structure_store(spec, [Structure(numbers[:count], pos[:count])])
        expected = predict_store(model, store)
        np.testing.assert_allclose(energy, expected["energy"], rtol=1e-12)
        np.testing.assert_allclose(forces, expected["force"], rtol=1e-10, atol=1e-8)


FORECASTERS = [
    kind for kind in vars(models).values()
    if isinstance(kind, type) and "horizon" in inspect.signature(kind).parameters
    and "lags" not in inspect.signature(kind).parameters
]  # fmt: skip
SMALL = {"hidden_channels": 4, "local_heads": 2, "num_branches": 1, "num_blocks": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", FORECASTERS)
def test_exported_forecaster_supports_any_number_of_windows(kind):
    data = tiny_traffic(input_steps=12)
    given = {**SMALL, **data.spec.model_arguments()}
    graph = torch.rand(5, 5, generator=torch.Generator().manual_seed(0))
    given |= {f"{name}_adjacency": graph for name in ("road", "spatial", "semantic")}
    given, wanted = in_groups(kind, given), inspect.signature(kind).parameters
    torch.manual_seed(0)
    network = kind(**{name: value for name, value in given.items() if name in wanted})
    model = trained(Forecasting(network, data.spec))
    program = export_program(model).module()
    for index in ([3], [0, 5, 9], list(range(20))):
        batch = data.store.gather(index)
        batch.part.zero_()
        found = program(batch.x, batch.x_observed, batch.time)
        expected = model.predict(batch)["flow"]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.thorough
def test_onnx_export_of_forecaster(tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model, store = forecaster(), tiny_traffic().store
    save_program(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    for index in ([3], [0, 5, 9]):
        batch = store.gather(index)
        given = {"x": batch.x, "observed": batch.x_observed, "time": batch.time}
        (found,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        batch.part.zero_()
        np.testing.assert_allclose(found, model.predict(batch)["flow"], rtol=1e-5, atol=1e-5)


def test_unsupported_models_raise(tmp_path):
    with pytest.raises(ValueError, match="only potentials and forecasters .* Dynamics"):
        export_program(dynamics())
    with pytest.raises(ValueError, match="needed for forces"):
        save_program(potential(), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"output must end with \.pt2 or \.onnx"):
        save_program(potential(), tmp_path / "m.pt")
