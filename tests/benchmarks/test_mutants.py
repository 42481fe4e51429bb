"""Judgements of mutants: regular kinds, and words of people that stay."""

import csv

import pytest

import benchmarks.mutants as mutants
from benchmarks.mutants import Survivor, judge

REGULAR = {
    "torch.eye(3, dtype=x.dtype, device=x.device)": ("torch.eye(3, dtype=x.dtype)", "same program"),
    "zip(a, b, strict=True)": ("zip(a, b, )", "same program"),
    "torch.cat(parts, -1)": ("torch.cat(parts, +1)", "same program"),
    "x.norm(dim=-1)": ("x.norm(dim=-2)", ""),
    'torch.einsum("ij,jk->ik", a, b)': ('torch.einsum("IJ,JK->IK", a, b)', "same program"),
    'check_shape("x", x, "N C", None, 3)': ('check_shape("x", x, "XXN CXX", None, 3)', "wording"),
    'check_shape("v", v, "N C", 3, 4)': ('check_shape("v", v, "N C", None, 4)', ""),
    'raise ValueError("width must be 3")': ("raise ValueError(None)", "wording"),
    '"needs e3nn"': ("None", "wording"),
    "if distance < radius:": ("if distance <= radius:", "a single number"),
    "return a + b": ("return a - b", ""),
    "return 2 * a": ("return 3 * a", ""),
}


@pytest.mark.parametrize("before", REGULAR)
def test_regular_kinds_are_told_from_holes(before):
    after, expected = REGULAR[before]
    found = judge(Survivor("geozoo.ops.f", before, after))
    assert found.startswith(expected) and bool(found) == bool(expected)


def test_words_of_people_stay_and_the_rest_is_sorted(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "SURVIVORS", tmp_path / "list.csv")
    hole, twin = Survivor("b", "x + 1", "x + 2"), Survivor("a", "zip(a, strict=True)", "zip(a, )")
    assert mutants.write([hole, twin])[""] == 1
    text = mutants.SURVIVORS.read_text().replace("x + 2,", "x + 2,equal: x is not read")
    mutants.SURVIVORS.write_text(text)
    assert mutants.write([hole, twin, hole]) == {"equal": 1, "same program": 1}
    rows = list(csv.DictReader(mutants.SURVIVORS.read_text().splitlines()))
    assert [row["function"] for row in rows] == ["a", "b"]
    assert mutants.write([twin]) == {"same program": 1}


@pytest.mark.parametrize("outcomes", [[], [("m", "geozoo/ops/gelu.py", "not checked")]])
def test_a_run_that_is_not_whole_leaves_the_list_alone(outcomes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mutants, "SURVIVORS", tmp_path / "list.csv")
    monkeypatch.setattr(mutants, "outcomes", lambda: outcomes)
    monkeypatch.setattr("sys.argv", ["mutants"])
    with pytest.raises(SystemExit):
        mutants.main()
    assert "mutants/ must hold a whole run" in capsys.readouterr().err
    assert not mutants.SURVIVORS.exists()
