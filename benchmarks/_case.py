"""What is measured: cases, each with variants that do the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

#: Work that returns a number, which may still be on its way on a GPU.
Step = Callable[[], float | Tensor]
#: How torch.compile makes the variants of these names.
MODES = {"compiled": "default", "cuda_graphs": "reduce-overhead"}

#: Whether cases are built at the size of a rehearsal.
REHEARSAL = {"small": False}


def size(whole: int, small: int) -> int:
    """A size of a case, or the one that a rehearsal takes instead."""
    return small if REHEARSAL["small"] else whole


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
        on_gpu: variants that are left out on a CPU unless they are named.
    """

    name: str
    about: str
    variants: Mapping[str, Callable[[torch.device], Built]]
    items: int
    on_gpu: tuple[str, ...] = ()

    def chosen(self, names: list[str] | None, device: torch.device) -> list[str]:
        """The variants of these names; None: all that suit the device."""
        left_out = () if device.type == "cuda" else self.on_gpu
        names = names or [name for name in self.variants if name not in left_out]
        return [name for name in self.variants if name in names]
