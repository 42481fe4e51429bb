"""``geozoo list``: short, in sections, and one of them alone."""

from __future__ import annotations

import json

import pytest
from screens import printed

from geozoo.config import entries, recipes
from geozoo.hub import shipped_models
from geozoo.hub.description import FILE_NAME


def test_the_list_is_short_and_has_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, 100, "list")
    assert len(lines) <= 115 and max(map(len, lines)) <= 100
    said = "\n".join(lines)
    for heading in ("geometric", "forecasting", "baselines", "datasets", "trained models"):
        assert heading in said
    assert f"{len(recipes())} recipes" in lines[-1] and "geozoo list recipes" in lines[-1]
    assert "ponita-nbody_quick" not in said


def test_models_stand_in_their_group(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "\n".join(printed(monkeypatch, 100, "list", "models"))
    geometric, rest = said.split("models, forecasting")
    forecasting, baselines = rest.split("models, baselines")
    assert "ponita" in geometric and "nequip" in geometric
    assert "gram_ode" in forecasting and "stid" in forecasting
    assert "last_value" in baselines and "composition" in baselines
    assert "nbody " not in said


def test_every_model_of_the_zoo_has_a_group() -> None:
    groups = {entry.group for entry in entries("model")}
    assert groups == {"geometric", "forecasting", "baselines"}


def test_a_model_without_a_group_is_listed_too(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# Node behind model=mine: my own.\n{}\n")
    monkeypatch.setattr("geozoo.config._entries.zoo_folder", lambda: tmp_path)
    lines = printed(monkeypatch, None, "list", "models")
    assert lines[0].startswith("models, others") and lines[1].split()[0] == "mine"


def test_trained_models_have_their_error_with_unit_and_protocol(monkeypatch) -> None:
    lines = printed(monkeypatch, None, "list", "trained")
    for name, folder in shipped_models().items():
        described = json.loads((folder / FILE_NAME).read_text())
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        metrics = described["metrics"]
        told = [m for m in metrics if f"{m} {metrics[m]['value']:.3g} {metrics[m]['unit']}" in line]
        assert (told or not metrics) and described["data"]["protocol"]["dataset"] in line
    assert any("force_mae 27.7 meV/angstrom" in line and "official-01" in line for line in lines)


def test_an_unknown_section_is_one_clear_error(monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit):
        printed(monkeypatch, None, "list", "modells")
    (line,) = capsys.readouterr().err.splitlines()
    told = "section must be one of models, datasets, trained, recipes, got 'modells'"
    assert f"{told}. Did you mean models?" in line
