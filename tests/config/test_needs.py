"""Whoever shows an example that needs an extra says so on its line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from geozoo.config import entries
from geozoo.config.needs import needed_extras, needs, with_needs

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = re.compile(r"^\s*(?:\$ )?((?:python train\.py|geozoo)[ -].*)")
_PAGES = sorted(
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/*.md", "models/*/*.md", "datasets/*/*.md")
    for path in ROOT.glob(pattern)
)


def _examples(text: str) -> list[str]:
    lines = text.replace("\\\n", " ").splitlines()
    return [found[1] for line in lines if (found := _COMMAND.match(line))]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of_a_page(page: Path) -> None:
    for example in _examples(page.read_text(encoding="utf-8")):
        assert needs(*needed_extras(example)) in example, example


def test_the_pages_hold_examples_that_need_an_extra() -> None:
    found = {
        extra
        for page in _PAGES
        for example in _examples(page.read_text(encoding="utf-8"))
        for extra in needed_extras(example)
    }
    assert found >= {"molecules", "images", "traffic", "slurm"}


@pytest.mark.parametrize(
    "words",
    ["train", "evaluate", "sample", "predict", "export", "publish", "list", "relax", "md",
     "vibrations"],
)  # fmt: skip
def test_examples_of_the_help(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "geozoo.cli.main", words, "--help"], text=True, cwd=ROOT,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    examples = _examples(done.stdout)
    for example in examples:
        assert needs(*needed_extras(re.split(r" {2,}", example)[0])) in example, example
    if words in ("train", "sample", "predict"):
        assert any("needs the extra" in example for example in examples)


def test_names_of_extras_are_those_of_the_package() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = {entry.extra for kind in ("model", "dataset") for entry in entries(kind)} - {""}
    assert told == {"traffic", "molecules", "images"} and told <= known.keys()


def test_networks_on_semantic_graphs_need_the_library_that_makes_them() -> None:
    for entry in entries("model"):
        is_semantic = "semantic_adjacency: ???" in entry.config.read_text()
        assert (entry.extra == "traffic") == is_semantic, entry.name


@pytest.mark.parametrize(
    ("command", "extras"),
    [
        ("geozoo-train", []),
        ("geozoo export stid-los_loop model.onnx", ["onnx"]),
        ("geozoo export stid-los_loop model.pt2", []),
        ("geozoo-train logger=wandb dataset=nbody", ["log"]),
        ("geozoo-train dataset=extxyz dataset.path=a.xyz", ["molecules"]),
        ("geozoo-train model=stgode dataset=pems08 hydra/launcher=submitit_slurm",
         ["slurm", "traffic"]),
    ],
)  # fmt: skip
def test_extras_of_a_command(command: str, extras: list[str]) -> None:
    assert needed_extras(command) == extras


def test_a_comment_goes_on_with_what_is_needed() -> None:
    said = with_needs(["  geozoo sample out=a.sdf  # drawn"])
    assert said == ["  geozoo sample out=a.sdf  # drawn; needs the extra molecules"]
