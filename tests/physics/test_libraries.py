"""Optional libraries of physical terms."""

from __future__ import annotations

import sys

import pytest

from geozoo.physics import DispersionD3


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_dftd", None)
    with pytest.raises(ModuleNotFoundError, match=r"terms.d3 needs .*geozoo\[physics\]") as caught:
        DispersionD3("pbe", 21.2)
    assert caught.value.name == "torch_dftd"
