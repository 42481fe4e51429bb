"""Panels of figures, and the elements that a graph is drawn with."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.quiver import Quiver
from PIL import Image

from geozoo.figures import DrawnVector, Panels, Structure, draw_structure, loss_panels, plot_loss
from geozoo.figures.panels import panels_label, split_panels, write_labelled

WATER = torch.tensor([[0.0, 0.0, 0.1173], [0.0, 0.7572, -0.4692], [0.0, -0.7572, -0.4692]])
MOLECULES = {"pos": "angstrom", "x": "1", "z": "1"}


def _water() -> Structure:
    return Structure(WATER, z=torch.tensor([8, 1, 1]), units=MOLECULES)


def _drawn(graph: Structure, vector: DrawnVector | None = None) -> object:
    (panel,) = Panels(1, rect=(0.1, 0.2, 0.8, 0.6)).axes
    draw_structure(panel, graph, vector)
    return panel


def _legend(panel: object) -> list[str]:
    from matplotlib.legend import Legend

    found = [each for each in panel.get_children() if isinstance(each, Legend)]
    return [text.get_text() for each in found for text in each.get_texts()]


def test_split_panels_recovers_the_panels(tmp_path: Path) -> None:
    panels = Panels(4)
    for number, axes in enumerate(panels.axes):
        axes.set_title(f"panel {number}")
    panels.axes[3].set_facecolor("red")
    panels.save(tmp_path / "four.png")
    parts = split_panels(tmp_path / "four.png")
    assert [title for title, _ in parts] == [f"panel {number}" for number in range(4)]
    pictures = [np.asarray(Image.open(io.BytesIO(content))) for _, content in parts]
    assert {picture.shape for picture in pictures} == {(464, 544, 3)}
    red = [((picture == [255, 0, 0]).all(-1)).mean() for picture in pictures]
    assert red[:3] == [0, 0, 0] and red[3] > 0.5


def test_images_without_metadata_are_not_split(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (40, 20)).save(content, "PNG")
    (tmp_path / "whole.png").write_bytes(content.getvalue())
    assert split_panels(tmp_path / "whole.png") == [("", content.getvalue())]
    write_labelled(content.getvalue(), panels_label(1, 2, ["a", "b"]), tmp_path / "two.png")
    assert [title for title, _ in split_panels(tmp_path / "two.png")] == ["a", "b"]


def test_horizons_share_one_panel(tmp_path: Path) -> None:
    metrics = ["flow_mae", "flow_mae_15min", "flow_mae_60min", "flow_mape", "flow_mape_15min"]
    names = ["train/loss", *(f"val/{name}" for name in metrics)]
    curves = {name: ([1, 2], [1.0, 1.0]) for name in names}
    panels = loss_panels(curves)
    assert {name: sorted(lines) for name, lines in panels.items()} == {
        "loss": ["training"],
        "flow_mae": ["15 min", "60 min", "all steps"],
        "flow_mape": ["15 min", "all steps"],
    }
    assert panels["loss"]["training"] == ([1, 2], [1.0, 1.0])
    plot_loss(curves, tmp_path / "loss.png", units={"flow_mae": "mph"})
    assert len(split_panels(tmp_path / "loss.png")) == 3


def test_training_and_validation_loss_share_a_panel() -> None:
    names = ("train/loss", "val/loss", "val/energy_mae")
    panels = loss_panels({name: ([1], [2.0]) for name in names})
    assert sorted(panels["loss"]) == ["training", "validation"]
    assert list(panels) == ["loss", "energy_mae"]


def test_a_molecule_has_symbols_bonds_a_scale_bar_and_a_legend() -> None:
    pytest.importorskip("ase")
    panel = _drawn(_water())
    assert sorted(text.get_text() for text in panel.texts) == ["0.5 angstrom", "H", "H", "O"]
    assert sum(line.get_gid() == "bond" for line in panel.lines) == 2  # none between hydrogens
    (bar,) = [line for line in panel.lines if line.get_gid() == "scale bar"]
    assert np.ptp(bar.get_xdata()) == pytest.approx(0.5)
    assert _legend(panel) == ["H", "O"]


def test_without_ase_the_legend_says_that_bonds_require_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.figures.structures.find_spec", lambda name: None)
    panel = _drawn(_water())
    assert _legend(panel)[-1] == "labels: atomic numbers; bonds require ase"
    assert not [line for line in panel.lines if line.get_gid() == "bond"]


def test_arrows_have_a_scale_in_their_unit() -> None:
    forces = torch.tensor([[0.0, 0.0, 300.0], [0.0, 100.0, 0.0], [0.0, 0.0, 0.0]])
    vector = DrawnVector("force", "meV/angstrom", forces / 2, forces)
    panel = _drawn(_water(), vector)
    assert "0.5 angstrom\narrows: bar = 200 meV/angstrom" in [t.get_text() for t in panel.texts]
    assert _legend(panel)[-2:] == ["force, target", "force, prediction"]
    (low, high), (left, right) = panel.get_ylim(), panel.get_xlim()
    box = panel.get_window_extent()
    assert (right - left) / (high - low) == pytest.approx(box.width / box.height)


def test_a_large_structure_has_arrows_where_the_errors_are_largest() -> None:
    pos = torch.rand(80, 3, generator=torch.Generator().manual_seed(0)) * 20
    graph = Structure(pos, units={"pos": "angstrom"})
    forces = torch.arange(80.0)[:, None].repeat(1, 3)
    vector = DrawnVector("force", "", forces, torch.zeros(80, 3))
    panel = _drawn(graph, vector)
    assert {len(each.U) for each in panel.collections if isinstance(each, Quiver)} == {12}
    assert any("arrows of the 12 worst nodes" in text.get_text() for text in panel.texts)


def test_a_single_epoch_has_its_own_tick(tmp_path: Path) -> None:
    curves = {"train/loss": ([1], [2.0]), "val/a": ([1], [3.0])}
    plot_loss(curves, tmp_path / "loss.png", units={})
    assert [title for title, _ in split_panels(tmp_path / "loss.png")] == ["loss", "a"]


def test_non_finite_predictions_do_not_break_the_frame() -> None:
    forces = torch.zeros(3, 3)
    endless = forces.clone()
    endless[0, 0] = torch.inf
    panel = _drawn(_water(), DrawnVector("force", "", endless, forces))
    assert np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all()
    panel.figure.canvas.draw()


def test_predicted_positions_are_drawn_as_points() -> None:
    pos = torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    x = torch.tensor([[1.0], [-1.0], [1.0]])
    graph = Structure(pos, x, units={"pos": "length", "x": "charge"})
    vector = DrawnVector("position", "length", pos + 1.0, pos + 2.0, is_position=True)
    panel = _drawn(graph, vector)
    assert "1 length units" in [text.get_text() for text in panel.texts]
    told = ["charge -1", "charge 1", "input (pale)", "target", "prediction"]
    assert _legend(panel) == told
