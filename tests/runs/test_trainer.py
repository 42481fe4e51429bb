"""What geozoo's Trainer adds to Lightning's."""

from __future__ import annotations

from typing import Any

import lightning
import pytest

from geozoo.runs.trainer import Trainer


class Compiled:
    """Remembers how it was compiled."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def compile_training(self, **options: Any) -> None:
        self.given.append(options)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [(False, []), (True, [{}]), ("reduce-overhead", [{"mode": "reduce-overhead"}])],
)
def test_compile_says_how(wanted, given, monkeypatch):
    monkeypatch.setattr(lightning.Trainer, "fit", lambda self, model: None)
    model = Compiled()
    Trainer(compile=wanted, accelerator="cpu", logger=False).fit(model)
    assert model.given == given


@pytest.mark.parametrize("wrong", ["fast", 1, None])
def test_other_words_are_refused(wrong):
    with pytest.raises(ValueError, match=r"compile must be true, false or one of \"default\", .*"):
        Trainer(compile=wrong, accelerator="cpu", logger=False)
