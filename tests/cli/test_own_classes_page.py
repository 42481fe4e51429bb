"""docs/own_classes.md does what it shows: its files and commands, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "own_classes.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def write_files(folder: Path) -> None:
    for name, content in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_the_page_has_files_and_commands() -> None:
    assert [name for name, _ in FILES] == [
        "my-package/pyproject.toml", "my-package/my_package/__init__.py",
        "my-package/my_package/model.py", "my-package/my_package/data.py",
        "conf/model/wide.yaml", "conf/dataset/few_triangles.yaml",
    ]  # fmt: skip
    assert len(COMMANDS) == 3


@pytest.mark.thorough
def test_the_commands_of_the_page_work_from_an_empty_folder(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    write_files(tmp_path)
    site = tmp_path / "site"
    environment = {
        **os.environ, "PIP_TARGET": str(site), "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1", "GEOZOO_DATA": str(tmp_path / "data"), "GEOZOO_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    written = ""
    for block in COMMANDS:
        for line in block.splitlines():
            if line.startswith("export PYTHONPATH=my-package"):
                environment["PYTHONPATH"] = os.pathsep.join(["my-package", str(ROOT)])
                continue
            start = time.perf_counter()
            done = subprocess.run(
                line, shell=True, cwd=tmp_path, env=environment, text=True, timeout=300,
                capture_output=True,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            written += f"$ {line}   # {time.perf_counter() - start:.1f} s\n{done.stdout}"
    sys.stdout.write(written)
    assert "[my-package 0.1]" in written and "conf/model/wide.yaml" in written
    assert written.count(", 0 fail") == 2
    (error, baseline) = re.findall(r"^area_mae +(\S+) +\S+ +(\S+)", written, re.MULTILINE)[0]
    assert float(error) < 0.8 * float(baseline)
