"""Options in groups, as configs have them: checked, filled, found, and moved from former names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from geozoo.config import (
    ConfigError,
    Layer,
    Origins,
    check,
    compose,
    fill_missing,
    path_values,
    regroup,
    short_name,
)
from geozoo.options import grouped


@dataclass(frozen=True)
class Kernel:
    """A group."""

    degree: int = 3
    mode: Literal["full", "depthwise"] = "full"
    table: Path | None = None


class Network:
    """A class with a group."""

    @grouped("kernel")
    def __init__(self, width: int, *, kernel: Kernel = Kernel()) -> None:  # noqa: B008
        self.width, self.kernel = width, kernel


def config(**options: Any) -> Any:
    return OmegaConf.create({"model": {"_target_": f"{__name__}.Network", "width": 8, **options}})


def test_a_sound_group_is_accepted() -> None:
    check(config(kernel={"degree": 2, "mode": "depthwise", "table": "a.csv"}))
    check(config(kernel={"degree": "???"}), open_nodes=("model",))
    check(config(kernel={"_target_": f"{__name__}.Kernel", "degree": 2}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kernel": {"degre": 2}},
            "model.kernel.degre: unknown key of test_grouping.Kernel; did you mean degree (int)?",
        ),
        ({"kernel": {"degree": "2"}}, "model.kernel.degree: expected int, got str '2'"),
        (
            {"kernel": {"mode": "all"}},
            "model.kernel.mode: expected one of 'full', 'depthwise', got str 'all'",
        ),
        (
            {"degre": 2},
            "model.degre: unknown key of test_grouping.Network; did you mean kernel.degree (int)?",
        ),
        (
            {"kernel": 3},
            "model.kernel: expected a group of options (model.kernel.degree, model.kernel.mode, "
            "model.kernel.table), got 3",
        ),
        ({"kernel": None}, "model.kernel: expected a group of options (model.kernel.degree, "),
        (
            {"kernel": {"width": 3}},
            "unknown key of test_grouping.Kernel; did you mean model.width?",
        ),
        ({"kernel": {"degree": "???"}}, "model.kernel.degree: has no value; set it with model.k"),
    ],
)
def test_a_fault_in_a_group_is_told_as_any_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(config(**options))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_the_data_knows_is_filled_in_a_group_too() -> None:
    node = OmegaConf.create({"width": "???", "kernel": {"degree": "???", "mode": "full"}})
    filled = fill_missing(node, {"width": 4, "degree": 2})
    assert filled == {"width": 4, "kernel": {"degree": 2, "mode": "full"}}
    with pytest.raises(ConfigError, match=r"model\.kernel\.degree is not set .*; it defines width"):
        fill_missing(node, {"width": 4})


def test_paths_are_found_in_groups() -> None:
    cfg = config(kernel={"table": "a.csv", "mode": "full"})
    assert path_values(cfg) == {"model.kernel.table": "a.csv"}


def test_former_names_are_moved_and_told() -> None:
    cfg = config(degree=1, kernel={"degree": 3, "mode": "full"})
    OmegaConf.set_struct(cfg, True)
    assert regroup(cfg) == {"model.degree": "model.kernel.degree"}
    assert cfg.model == {**config().model, "kernel": {"degree": 1, "mode": "full"}}
    assert regroup(cfg) == {}
    bare = config(mode="depthwise", table="${model.kernel.mode}")
    assert len(regroup(bare)) == 2
    assert bare.model.kernel == {"mode": "depthwise", "table": "depthwise"}


@pytest.mark.parametrize(
    ("words", "recipe", "degree"),
    [
        (["model.degree=1"], {}, 1),
        (["model.kernel.degree=2"], {"degree": 1}, 2),
        (["model.degree=1"], {"kernel": {"degree": 2}}, 1),
        ([], {"degree": 1}, 1),
        (["model.width=3"], {"degree": 1}, 1),
    ],
)
def test_the_later_place_wins_by_whatever_name(
    words: list[str], recipe: dict[str, Any], degree: int
) -> None:
    entry = {"kernel": {"degree": 3}}
    origins = Origins(
        [Layer("entry", "model", entry), Layer("recipe", "", {"model": recipe})], words
    )
    cfg = OmegaConf.merge(config(**entry), {"model": recipe}, OmegaConf.from_dotlist(words))
    regroup(cfg, rank=origins.rank)
    assert cfg.model.kernel.degree == degree and "degree" not in cfg.model


@pytest.mark.parametrize("words", [["model.degree=1", "model.kernel.degree=2"], []])
def test_one_place_must_not_use_both_names(words: list[str]) -> None:
    both = {"degree": 1, "kernel": {"degree": 2}}
    origins = Origins([] if words else [Layer("recipe", "model", both)], words)
    message = (
        r"^model\.degree: the former name of model\.kernel\.degree, which is also given; leave"
    )
    with pytest.raises(ConfigError, match=message):
        regroup(config(**both), rank=origins.rank)


def test_a_composed_config_has_groups() -> None:
    cfg = compose("model=gram_ode", "dataset=traffic_synthetic", "model.ablation.use_edge=false")
    assert cfg.model.ablation.use_edge is False and cfg.model.ablation.use_local is True
    with pytest.warns(FutureWarning, match=r"^model\.use_edge is now model\.ablation\.use_edge; "):
        assert compose("model=gram_ode", "dataset=traffic_synthetic", "model.use_edge=false") == cfg
    with pytest.raises(ConfigError, match=r"^model\.use_edge: the former name"):
        compose("model=gram_ode", "model.use_edge=false", "model.ablation.use_edge=true")


def test_the_record_calls_an_option_as_before() -> None:
    cfg = config()
    assert short_name("model.kernel.degree", cfg) == "model.degree"
    for key in ("model.degree", "model.width", "model.other.degree", "seed", "trainer.max_epochs"):
        assert short_name(key, cfg) == key
