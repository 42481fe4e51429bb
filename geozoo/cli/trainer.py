"""Lightning's Trainer, with what a run asks for beyond it."""

from __future__ import annotations

from typing import Any

import lightning


class Trainer(lightning.Trainer):
    """Trains a task, with a compiled training step if wanted.

    Args:
        compile: compile what training evaluates (`geozoo.tasks.GraphTask.compile_training`). The
            first steps take minutes then; where the compiler fails, training goes on without it.
        options: every argument of ``lightning.Trainer``.
    """

    def __init__(self, *, compile: bool = False, **options: Any) -> None:  # noqa: A002
        super().__init__(**options)
        self.compile = compile

    def fit(self, model: Any, *args: Any, **options: Any) -> None:
        """As Lightning's, with the model compiled before."""
        if self.compile:
            model.compile_training()
        super().fit(model, *args, **options)
