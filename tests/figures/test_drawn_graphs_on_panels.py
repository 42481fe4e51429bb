"""Several graphs drawn in one figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.legend import Legend

from geozoo.figures import DrawnGraph, Panels, Structure, graphs, plot_graphs, split_panels


def _colours(panel: object) -> dict[str, str]:
    (legend,) = [each for each in panel.get_children() if isinstance(each, Legend)]
    texts = [text.get_text() for text in legend.get_texts()]
    dots = [to_hex(handle.get_color()) for handle in legend.legend_handles]
    return dict(zip(texts, dots, strict=True))


def test_a_value_has_one_colour_in_all_panels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Panels] = []
    save = Panels.save
    monkeypatch.setattr(Panels, "save", lambda self, path: (made.append(self), save(self, path)))
    pos = torch.eye(3)
    charges = (torch.tensor([[1.0], [-1.0], [1.0]]), torch.ones(3, 1))
    drawn = [DrawnGraph(["a graph"], Structure(pos, x, units={"x": "charge"})) for x in charges]
    plot_graphs(drawn, tmp_path / "two.png")
    first, second = map(_colours, made[0].axes)
    assert first == second and len(set(first.values())) == 2
    assert [title for title, _ in split_panels(tmp_path / "two.png")] == ["a graph", "a graph"]


def test_graphs_without_a_shared_feature_share_no_values() -> None:
    pos = torch.eye(3)
    assert graphs._known_values([Structure(pos), Structure(pos, torch.ones(3, 1))]) is None
    assert graphs._known_values([Structure(pos, torch.eye(3))]) is None
    np.testing.assert_equal(graphs._known_values([Structure(pos, torch.ones(3, 1))]), [1.0])


def test_a_figure_without_panels_raises() -> None:
    with pytest.raises(ValueError, match="count must be at least 1 panel, got 0"):
        Panels(0)
