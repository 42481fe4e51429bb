"""What is measured: cases, each with variants that do the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

Step = Callable[[], float]


class Built(NamedTuple):
    """A variant that is ready to run.

    Attributes:
        step: does the work once and returns a number by which variants are compared.
        model: whose parameter gradients are compared too; None: there is none.
    """

    step: Step
    model: nn.Module | None = None


@dataclass(frozen=True)
class Case:
    """Work to be measured.

    Attributes:
        name: what to call it on the command line.
        about: sizes, in a line.
        variants: name and builder of each form; the first is the one the others are compared with.
        items: graphs or windows of a step.
    """

    name: str
    about: str
    variants: Mapping[str, Callable[[torch.device], Built]]
    items: int
