"""Plausible geometries, by PoseBusters."""

import pytest
import torch
from test_molecules import CROWDED, METHANE, PIECES, batch_of

from geozoo.metrics import can_check_plausibility, molecule_bonds, plausible_molecules

X, Y = 0.667, 1.23
ETHENE = (
    [6, 6, 1, 1, 1, 1],
    [[X, 0, 0], [-X, 0, 0], [Y, 0.92, 0], [Y, -0.92, 0], [-Y, 0.92, 0], [-Y, -0.92, 0]],
)
#: Ethene whose second half is turned by 90 degrees around the double bond.
TWISTED = (
    [6, 6, 1, 1, 1, 1],
    [[X, 0, 0], [-X, 0, 0], [Y, 0.92, 0], [Y, -0.92, 0], [-Y, 0, 0.92], [-Y, 0, -0.92]],
)


def test_connected_molecules() -> None:
    bonds = molecule_bonds(*batch_of(METHANE, PIECES, CROWDED, ETHENE))
    assert bonds.connected.tolist() == [True, False, True, True]


def test_checks_of_posebusters() -> None:
    pytest.importorskip("posebusters")
    passed = plausible_molecules(*batch_of(METHANE, ETHENE, TWISTED, PIECES, CROWDED))
    assert passed["plausible"].tolist() == [True, True, False, False, False]
    assert passed["double_bond_flat"].tolist()[:3] == [True, True, False]
    assert passed["one_piece"].tolist() == [True, True, True, False, True]
    assert passed["sanitization"].tolist() == [True, True, True, True, False]
    assert all(value.dtype == torch.bool for value in passed.values())


def test_without_posebusters_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geozoo.metrics.plausibility.find_spec", lambda name: None)
    assert not can_check_plausibility()
    with pytest.raises(ImportError, match=r"geozoo\[train,molecules,plausibility\]"):
        plausible_molecules(*batch_of(METHANE))
