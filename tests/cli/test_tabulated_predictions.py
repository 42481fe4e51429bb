"""``geozoo predict tabulate=true``: kernels read from tables, with their measured error."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from screens import exit_code

from geozoo.cli._tabulating import check_tabulates, use_tables
from geozoo.data import GraphStore
from geozoo.hub import Ensemble
from geozoo.models import EGNN, Ponita
from geozoo.options import in_groups
from geozoo.runs.errors import RunError
from geozoo.tasks import Potential

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from trained_samples import SIZES, potential, trained


@pytest.fixture
def predicted(tmp_path, monkeypatch, capsys):
    """Energies and forces of a trained potential for distorted ethanol, and what was said."""
    ase = pytest.importorskip("ase")
    from ase.build import molecule
    from ase.io import write

    frames = [molecule("CH3CH2OH") for _ in range(10)]
    for seed, atoms in enumerate(frames):
        assert isinstance(atoms, ase.Atoms)
        atoms.rattle(0.05, seed=seed)
    write(tmp_path / "in.xyz", frames)

    def run(*words):
        out = tmp_path / "out.npz"
        files = f"input={tmp_path / 'in.xyz'}", f"out={out}"
        code = exit_code(monkeypatch, 200, "predict", "ponita-rmd17_ethanol", *files, *words)
        said = " ".join("".join(capsys.readouterr()).split())
        assert code == 0, said
        with np.load(out) as arrays:
            return {name: arrays[name] for name in ("energy", "force")}, said

    return run


@pytest.mark.thorough
def test_tables_change_predictions_by_as_much_as_is_reported(predicted):
    exact, said = predicted()
    assert "read from tables" not in said
    found, said = predicted("tabulate=true")
    reported = re.search(
        r"tables \(128 cells up to a distance of (4\.\d+) angstrom\); largest deviation from the "
        r"exact network in the first 8 graphs: energy (\S+) meV, force (\S+) meV/angstrom",
        said,
    )
    for name, rows, number in (("energy", 8, 2), ("force", 72, 3)):
        deviation = np.abs(found[name] - exact[name])[:rows].max()
        assert 0 < deviation < {"energy": 0.7, "force": 2.8}[name]  # a tenth of the model's errors
        assert float(reported[number]) == pytest.approx(deviation, rel=0.1)


def store(*sizes, spread=1.0):
    torch.manual_seed(0)
    count = sum(sizes)
    x = torch.nn.functional.one_hot(torch.arange(count) % 3, 4).float()
    pos = spread * torch.randn(count, 3, dtype=torch.float64)
    return GraphStore(torch.tensor(sizes), node={"pos": pos, "x": x})


@pytest.mark.parametrize("sizes", [(5, 3), (1, 1)])
def test_every_pair_of_every_graph_is_in_the_tables(sizes):
    model, graphs = potential(), store(*sizes)
    model.task.any_composition = True
    batch = graphs.gather(torch.arange(2))
    exact = model.predict(batch)
    assert "energy" in use_tables(model, graphs)
    for name, values in model.predict(batch).items():
        torch.testing.assert_close(values, exact[name], rtol=1e-6, atol=2.0)


def test_all_members_of_an_ensemble_are_tabulated():
    members = [potential(), potential()]
    for member in members:
        member.task.any_composition = True
    networks = [member.model for member in members]
    said = use_tables(Ensemble(members), store(4))
    assert "energy_std" in said and said.count("cells") == 1
    assert all(a is not m.model for a, m in zip(networks, members, strict=True))


def test_other_networks_are_refused_by_name():
    ponita = potential()
    check_tabulates(ponita)
    egnn = trained(Potential(EGNN(4, 1, hidden_channels=8), ponita.spec))
    for model in (egnn, Ensemble([ponita, egnn])):
        with pytest.raises(RunError, match="kernels of a PONITA .* network of tiny is EGNN"):
            check_tabulates(model)
    options = ponita.spec.model_arguments() | SIZES | {"representation": "bundle_full"}
    full = trained(Potential(Ponita(**in_groups(Ponita, options)), ponita.spec))
    full.task.any_composition = True
    with pytest.raises(ValueError, match="tabulate=true: tiny: model must have representation"):
        use_tables(full, store(4))


def test_forecasters_refuse_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "in.csv").write_text("time,a\n")
    words = f"input={tmp_path / 'in.csv'}", f"out={tmp_path / 'out.csv'}", "tabulate=true"
    assert exit_code(monkeypatch, 200, "predict", "stid-los_loop", *words) == 1
    assert "tabulate cannot be given for a forecaster" in capsys.readouterr().err
