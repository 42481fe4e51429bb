"""Lightning's Trainer, with what a run asks for beyond it."""

from __future__ import annotations

from typing import Any, Literal

import lightning
import torch


class Trainer(lightning.Trainer):
    """Trains a task, with a compiled training step if wanted.

    Args:
        compile: compile what training evaluates (`geozoo.tasks.GraphTask.compile_training`). The
            first steps take minutes then; where the compiler fails, training goes on without it.
        matmul_precision: products of float32 matrices: ``"highest"``; ``"high"`` allows TF32 on a
            GPU, ``"medium"`` bfloat16 where the hardware has it. It holds for the whole process.
        options: every argument of ``lightning.Trainer``.
    """

    def __init__(
        self,
        *,
        compile: bool = False,  # noqa: A002
        matmul_precision: Literal["highest", "high", "medium"] = "highest",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.compile = compile
        torch.set_float32_matmul_precision(matmul_precision)

    def fit(self, model: Any, *args: Any, **options: Any) -> None:
        """As Lightning's, with the model compiled before."""
        if self.compile:
            model.compile_training()
        super().fit(model, *args, **options)
