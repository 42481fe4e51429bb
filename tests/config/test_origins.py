import pytest

from geozoo.config import Layer, Origins

_LAYERS = [
    Layer("train.yaml", "", {"seed": 0, "trainer": {"epochs": 1}}),
    Layer("entry.yaml", "model", {"width": 8, "grid": {"kind": "a"}, "sizes": [1, 2]}),
    Layer("recipe.yaml", "", {"model": {"width": 16}}),
]


@pytest.mark.parametrize(
    ("key", "origin"),
    [
        ("seed", "train.yaml"),
        ("trainer.epochs", "train.yaml"),
        ("model.width", "recipe.yaml"),
        ("model.grid.kind", "entry.yaml"),
        ("model.sizes[1]", "entry.yaml"),
        ("trainer.devices", "command line"),
        ("trainer.plugins.one", "command line"),
        ("model.grid.unknown", "entry.yaml"),
        ("model.unknown", "recipe.yaml"),
        ("nowhere", ""),
    ],
)
def test_a_key_comes_from_the_last_that_sets_it(key: str, origin: str) -> None:
    assert Origins(_LAYERS, ["++trainer.devices=2", "+trainer.plugins={one: 1}"])(key) == origin


def test_the_command_line_beats_every_file() -> None:
    assert Origins(_LAYERS, ["model.width=3"])("model.width") == "command line"
