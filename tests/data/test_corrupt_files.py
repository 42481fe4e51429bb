"""A corrupt file raises an error that names it, or is read as what it still contains."""

from __future__ import annotations

from pathlib import Path

import pytest
from corrupt_formats import FORMATS
from corruption import try_all

#: Every byte of these is covered by a checksum of the format or of ours, or compared.
SEALED = ("model weights",)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_rejected_by_name(name: str, tmp_path: Path) -> None:
    report = try_all(name, tmp_path)
    assert not report.problems, "\n".join(report.problems[:5]) + f"\n{len(report.problems)} in all"
    assert report.refused > 0
    if name in SEALED:
        assert report.read == 0
    print(f"{name}: {report.refused} refused, {report.read} read")
