import pytest
from omegaconf import OmegaConf

from geozoo.config import ConfigError, fill_missing


def test_exactly_the_missing_keys_are_filled() -> None:
    cfg = OmegaConf.create(
        {"model": {"dim": "???", "level": "node", "width": "${size}"}, "size": 4}
    )
    filled = fill_missing(cfg.model, {"dim": 3, "level": "graph", "unused": 1})
    assert OmegaConf.to_container(filled) == {"dim": 3, "level": "node", "width": 4}
    assert OmegaConf.is_missing(cfg.model, "dim")


def test_what_the_data_cannot_tell_is_listed() -> None:
    node = OmegaConf.create({"dim": "???", "radius": "???", "inner": {"size": "???"}})
    with pytest.raises(
        ConfigError, match=r"model\.inner\.size, model\.radius are not set .*; it defines dim"
    ):
        fill_missing(node, {"dim": 3})
