"""What PONITA and Rapidash have in common: kernels in several forms, and their calibration."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.models._block_steps import Step, calibrated_step
from geozoo.models._outputs import GeometricOutput
from geozoo.models._point_scales import PointScales
from geozoo.models._ponita_choices import FORMS, Form
from geozoo.nn.edges import GivenEdges
from geozoo.ops import textbook


class KernelNetwork(nn.Module):
    """Base of the networks whose kernels are functions of invariants of pairs of points.

    Attributes:
        backend: how kernels are evaluated.
        calibrated: whether `calibrate` was called.
    """

    backend: str
    calibrated: Tensor
    last_weights: ClassVar[tuple[str, ...]] = ("readouts.*",)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calibrated", torch.tensor(False))

    @property
    def form(self) -> Form:
        """How kernels are evaluated, as given by `backend`."""
        return FORMS[self.backend]

    @property
    def shares_kernels(self) -> bool:
        """Whether both directions of a pair share a kernel row, so that pairs can be given."""
        return self.form.pairs_found

    @torch.no_grad()
    def calibrate(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N S"] | None,
        batch: Int[Tensor, " N"],
        edge_index: GivenEdges | PointScales | None = None,
        *,
        vec: Float[Tensor, "N V dim"] | None = None,
        num_graphs: int | None = None,
        condition: Float[Tensor, "G condition"] | None = None,
    ) -> GeometricOutput:
        """Rescale all kernels so that convolutions preserve the standard deviation of the features.

        Call it once before training, with the arguments of `forward`. The published code of PONITA
        calibrates in its first training step; here the forward pass has no side effects.

        Returns:
            The output before the rescaling, as in the first step of the published code.

        Raises:
            RuntimeError: If the model is already calibrated.
        """
        if bool(self.calibrated):
            raise RuntimeError("the model is already calibrated (its buffer `calibrated` is True)")
        output = self._in_form(
            calibrated_step, pos, x, batch, edge_index, vec, num_graphs, condition
        )
        self.calibrated.fill_(True)
        return output

    def _in_form(
        self,
        step: Step,
        pos: Tensor,
        x: Tensor | None,
        batch: Tensor,
        edge_index: Any,
        vec: Tensor | None,
        num_graphs: int | None,
        condition: Tensor | None,
    ) -> GeometricOutput:
        """Run the network with its layers run by ``step``, as written if the form says so."""
        with textbook(when=self.form.as_written):
            return self._run(step, pos, x, batch, edge_index, vec, num_graphs, condition)

    @abstractmethod
    def _run(
        self,
        step: Step,
        pos: Tensor,
        x: Tensor | None,
        batch: Tensor,
        edge_index: Any,
        vec: Tensor | None,
        num_graphs: int | None,
        condition: Tensor | None,
    ) -> GeometricOutput:
        """Check the inputs and evaluate the network, see `forward`."""
