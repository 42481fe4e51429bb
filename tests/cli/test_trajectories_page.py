"""docs/trajectories.md does what it shows: its files and commands, in an empty folder."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "trajectories.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_files_and_commands() -> None:
    assert [name for name, _ in FILES] == ["make_arm.py", "bones.csv", "make_planets.py"]
    assert len(COMMANDS) == 2


@pytest.mark.thorough
def test_the_commands_of_the_page_work_from_an_empty_folder(tmp_path: Path) -> None:
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    environment = {
        **os.environ, "GEOZOO_OFFLINE": "1", "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    written = ""
    for line in "".join(COMMANDS).splitlines():
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, text=True, timeout=600,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        written += done.stdout
    sys.stdout.write(written)
    errors = re.findall(r"^(model|constant velocity) +(\d\S*)", written, re.MULTILINE)
    assert [name for name, _ in errors] == 2 * ["model", "constant velocity"], errors
    for (_, own), (_, moving) in (errors[:2], errors[2:]):
        assert float(own) < 0.5 * float(moving)
    rounds = re.findall(r"^(\d+) +(\S+) +(\S+) +(\S+)$", written, re.MULTILINE)
    assert [row[0] for row in rounds] == ["12", "24", "36", "48", "3", "6", "9", "12", "15"]
    assert all(float(own) < min(float(a), float(b)) for _, own, a, b in rounds[4:])
    arrays = np.load(tmp_path / "next.npz")
    assert arrays["position"].shape == (48, 5, 3) and arrays["frame"][0] == 101
    with (tmp_path / "next.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 * 15 * 4 and rows[0]["point"] == "earth"
