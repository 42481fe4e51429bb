from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from geozoo.config import ConfigError, check


@dataclass(frozen=True)
class Options:
    """A nested argument."""

    batch_size: int
    mode: Literal["fast", "slow"] = "fast"


class Network:
    """A target with positional, keyword-only and nested arguments."""

    def __init__(
        self, channels: int, *, scale: float | None = None, options: Options | None = None
    ) -> None:
        self.channels, self.scale, self.options = channels, scale, options


def open_function(first: int, **others: Any) -> None:
    """A target that takes any keyword."""


@dataclass(frozen=True)
class Root:
    """The top level."""

    node: Any
    seed: int = 0


_HERE = f"{__name__}."


def _check(node: dict[str, Any], **options: Any) -> None:
    target = node.pop("target", "Network")
    check(OmegaConf.create({"node": {"_target_": _HERE + target, **node}}), **options)


def _nested(**values: Any) -> dict[str, Any]:
    return {"_target_": _HERE + "Options", **values}


@pytest.mark.parametrize(
    "node",
    [
        {"channels": 3},
        {"channels": 3, "scale": 2},
        {"channels": 3, "scale": None},
        {"channels": 3, "options": _nested(batch_size=2, mode="slow")},
        {"_partial_": True},
        {"_partial_": True, "scale": 1.5, "_convert_": "all", "_recursive_": True},
        {"target": "open_function", "first": 1, "whatever": "x"},
    ],
)
def test_nodes_that_can_be_built(node: dict[str, Any]) -> None:
    _check(node)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"channels": 3, "skale": 1},
            r"node\.skale: unknown key of .*Network; did you mean scale \(float or null\)\?",
        ),
        ({"channels": "three"}, r"node\.channels: expected int, got str 'three'"),
        ({"channels": 3, "scale": "big"}, r"node\.scale: expected float or null, got str 'big'"),
        ({"channels": True}, r"expected int, got bool True"),
        ({"channels": None}, r"expected int, got null"),
        ({}, r"node\.channels: is missing; it is required by .*Network \(int\)"),
        ({"channels": "???"}, r"node\.channels: has no value; set it with node\.channels=\.\.\."),
        ({"channels": "${nowhere}"}, r"node\.channels: cannot be resolved: .*nowhere"),
        (
            {"channels": 3, "options": _nested(batch_size="x")},
            r"node\.options\.batch_size: expected int",
        ),
        (
            {"channels": 3, "options": _nested(batch_size=1, mode="medium")},
            r"expected one of 'fast', 'slow'",
        ),
        ({"channels": 3, "options": _nested()}, r"node\.options\.batch_size: is missing"),
        (
            {"channels": 3, "options": {"_target_": _HERE + "Network", "channels": 1}},
            r"node\.options: expected Options or null, got .*Network",
        ),
        (
            {"channels": 3, "options": {**_nested(), "_partial_": True}},
            r"expected Options or null, got .*\(partial\)",
        ),
        ({"target": "Netwrk"}, r"node\._target_: cannot import '.*Netwrk'"),
        ({"target": "_HERE"}, r"node\._target_: .* is not a class or function"),
        ({"target": "open_function", "whatever": 1}, r"node\.first: is missing"),
    ],
)  # fmt: skip
def test_faults_name_key_and_expected_type(node: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _check(node)


def test_all_faults_are_told_at_once_with_their_files() -> None:
    node = {"channels": "three", "skale": 1}
    with pytest.raises(ConfigError) as caught:
        _check(node, origin=lambda key: f"file of {key}")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("[file of node.channels]")
    assert lines[1].endswith("[file of node.skale]")


def test_parameters_of_the_program_may_be_neither_missing_nor_given() -> None:
    _check({}, provided={"node": ("channels",)})
    with pytest.raises(ConfigError, match=r"node\.channels: is set by the program"):
        _check({"channels": 3}, provided={"node": ("channels",)})


def test_open_nodes_may_wait_for_their_values() -> None:
    _check({"channels": "???"}, open_nodes=("node",))


def test_interpolations_are_followed() -> None:
    cfg = {"width": "wide", "node": {"_target_": _HERE + "Network", "channels": "${width}"}}
    with pytest.raises(ConfigError, match=r"node\.channels: expected int, got str 'wide'"):
        check(OmegaConf.create(cfg))


def test_the_top_level_is_checked_against_its_root() -> None:
    with pytest.raises(ConfigError, match=r"sed: unknown key of the top level; did you mean seed"):
        check(OmegaConf.create({"node": {}, "sed": 1}), root=Root)
    with pytest.raises(ConfigError, match="seed: expected int"):
        check(OmegaConf.create({"node": {}, "seed": "x"}), root=Root)
    with pytest.raises(ConfigError, match="node: is missing"):
        check(OmegaConf.create({"seed": 1}), root=Root)


def test_nodes_inside_lists_and_plain_keys_are_checked() -> None:
    bad = {"_target_": _HERE + "Network", "channels": "x"}
    with pytest.raises(ConfigError) as caught:
        check(OmegaConf.create({"a": {"b": [bad]}, "c": bad}))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "a.b[0].channels", "c.channels",
    ]  # fmt: skip


def test_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("built")

    monkeypatch.setattr(Options, "__post_init__", fail, raising=False)
    _check({"channels": 3, "options": _nested(batch_size=2)})


class Derived(Network):
    """Hands on to its base what it does not know, and one argument of its own choice."""

    def __init__(self, *, depth: int = 1, **options: Any) -> None:
        super().__init__(8, **options)
        self.depth = depth


def test_arguments_that_are_handed_on_are_those_of_the_base() -> None:
    target = f"{__name__}.Derived"
    check(OmegaConf.create({"node": {"_target_": target, "depth": 2, "scale": 0.5}}))
    for words, message in (
        ({"scale": "wide"}, "node.scale: expected float or null, got str 'wide'"),
        ({"scal": 0.5}, "node.scal: unknown key of .*; did you mean scale"),
        ({"depth": 0.5}, "node.depth: expected int"),
    ):
        with pytest.raises(ConfigError, match=message):
            check(OmegaConf.create({"node": {"_target_": target, **words}}))


def test_a_key_that_stands_elsewhere_is_pointed_at() -> None:
    cfg = OmegaConf.create(
        {"batch_size": 3, "node": {"_target_": "fractions.Fraction", "batch_size": 4}}
    )
    with pytest.raises(ConfigError, match=r"node\.batch_size: unknown key of .*mean batch_size\?"):
        check(cfg)
    alone = OmegaConf.create({"node": {"_target_": "fractions.Fraction", "batch_size": 4}})
    with pytest.raises(ConfigError, match=r"unknown key of [\w.]+$"):
        check(alone)
