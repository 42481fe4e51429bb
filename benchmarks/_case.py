"""The benchmark cases, each with variants that do the same work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

#: Work that returns a number, which may still be computing on a GPU.
Step = Callable[[], float | Tensor]
#: Options of torch.compile for the variants with these names.
MODES = {"compiled": "default", "cuda_graphs": "reduce-overhead"}

#: Whether cases are built at rehearsal size.
REHEARSAL = {"small": False}


def size(whole: int, small: int) -> int:
    """The size of a case, or a small one for rehearsals."""
    return small if REHEARSAL["small"] else whole


class Built(NamedTuple):
    """A variant that is ready to run.

    Attributes:
        step: does the work once and returns a value that is compared between variants.
        model: the model whose parameter gradients are compared too; None: no model.
    """

    step: Step
    model: nn.Module | None = None


@dataclass(frozen=True)
class Case:
    """A benchmark case.

    Attributes:
        name: its name on the command line.
        about: its size, in one line.
        variants: name and builder of each variant; the first is the reference for the others.
        items: graphs or windows per step.
        on_gpu: variants that are skipped on a CPU unless requested by name.
    """

    name: str
    about: str
    variants: Mapping[str, Callable[[torch.device], Built]]
    items: int
    on_gpu: tuple[str, ...] = ()

    def chosen(self, names: list[str] | None, device: torch.device) -> list[str]:
        """The variants with these names; None: all that suit the device."""
        left_out = () if device.type == "cuda" else self.on_gpu
        names = names or [name for name in self.variants if name not in left_out]
        return [name for name in self.variants if name in names]
