"""Options of NequIP: variants of its equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from geozoo.checks import check_choice, check_positive
from geozoo.nn import PolynomialWindow, XplorWindow
from geozoo.nn.steerable import every_irrep, load_o3

SelfConnection = Literal["inputs", "embedding", "linear"]
Gates = Literal["sigmoid", "silu"]
WindowPlace = Literal["weights", "basis"]


@dataclass(frozen=True)
class NequIPOptions:
    """Options of NequIP. With the defaults, it is the network of our own recipes.

    Attributes:
        irreps: features of all layers but the last, in e3nn notation (``"64x0e+32x1o"``), instead
            of ``hidden_channels`` of each degree up to ``degree`` and parity. The last layer has
            those of them that the outputs need.
        parity: False: equivariant under rotations but not reflections: harmonics and features of
            every degree are even, so cross products are vectors, and mirror images can be
            distinguished.
        embedding_channels: width of the embedding of the scalar inputs; None: the number of scalar
            features.
        self_connection: second factor of the self-connections: the scalar ``"inputs"``, their
            ``"embedding"``, or ``"linear"``: none, a linear map of the features.
        first_self_connection: whether the first layer has a self-connection. Without it, the output
            of a node without neighbours is exactly 0 (but for ``element_scaling``).
        gate: activation of the gates; other scalars pass through SiLU, odd ones through tanh.
        radial_layers: hidden layers of the radial networks.
        radial_bias: whether their layers have biases.
        scalar_bias: whether the linear maps of the convolutions and of the output add biases to
            scalars.
        trainable_basis: whether the frequencies of the Bessel functions are trained.
        solid_harmonics: whether the harmonics of degree l are multiplied by the l-th power of the
            distance, in the unit of the positions.
        window_power: exponent of the polynomial cutoff function.
        window_start: if set, the cutoff function is that of XPLOR instead, which decreases from
            this distance on, below ``radius`` (`geozoo.nn.XplorWindow`).
        window_place: whether the cutoff function multiplies the ``"weights"`` of the tensor
            products or the radial ``"basis"``; the latter needs ``radial_bias=False``.
        denominator: divisor of the sums over neighbours; None: the square root of
            ``num_neighbors``.
        element_scaling: scale and shift the scalar outputs of nodes by linear functions of the
            scalar inputs, which are per-element constants for one-hot elements; trainable.

    Raises:
        ValueError: If an option is invalid, or options contradict each other.
    """

    irreps: str | None = None
    parity: bool = True
    embedding_channels: int | None = None
    self_connection: SelfConnection = "inputs"
    first_self_connection: bool = True
    gate: Gates = "sigmoid"
    radial_layers: int = 2
    radial_bias: bool = True
    scalar_bias: bool = False
    trainable_basis: bool = False
    solid_harmonics: bool = False
    window_power: int = 6
    window_start: float | None = None
    window_place: WindowPlace = "weights"
    denominator: float | None = None
    element_scaling: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_choice("self_connection", self.self_connection, get_args(SelfConnection))
        check_choice("gate", self.gate, get_args(Gates))
        check_choice("window_place", self.window_place, get_args(WindowPlace))
        check_positive(radial_layers=self.radial_layers)
        if self.embedding_channels is not None:
            check_positive(embedding_channels=self.embedding_channels)
        if self.denominator is not None and not self.denominator > 0:
            raise ValueError(f"denominator must be positive or None, got {self.denominator!r}")
        if self.window_place == "basis" and self.radial_bias:
            raise ValueError(
                'window_place "basis" needs radial_bias=False: with biases, the weights would not '
                "vanish at the cutoff"
            )

    def make_window(self, radius: float) -> nn.Module:
        """Return the cutoff function.

        Args:
            radius: the cutoff.

        Raises:
            ValueError: If ``radius``, ``window_power`` or ``window_start`` is invalid.
        """
        if self.window_start is not None:
            return XplorWindow(radius, self.window_start)
        return PolynomialWindow(radius, self.window_power)

    @property
    def vector_kind(self) -> str:
        """Irrep of vector inputs and outputs."""
        return "1o" if self.parity else "1e"

    def feature_irreps(self, hidden_channels: int, degree: int) -> str:
        """Return the irreps of the features of all layers but the last.

        Args:
            hidden_channels: channels of each degree and parity.
            degree: their maximum degree.

        Raises:
            ValueError: If ``irreps`` is not in e3nn notation, names an irrep twice, has no scalars,
                or has odd features without ``parity``.
        """
        if self.irreps is None:
            kept = load_o3().Irreps(every_irrep(hidden_channels, degree))
            return str(kept if self.parity else kept.filter(lambda part: part.ir.p == 1))
        try:
            given = load_o3().Irreps(self.irreps)
        except (ValueError, AssertionError, TypeError) as error:
            raise ValueError(
                f'irreps must be in e3nn notation, such as "64x0e+32x1o", got {self.irreps!r}'
            ) from error
        kinds = [kind for _, kind in given]
        if len(set(kinds)) < len(kinds) or not any(kind.is_scalar() for kind in kinds):
            raise ValueError(f"irreps must list 0e, and each irrep once, got {self.irreps!r}")
        if not self.parity and any(kind.p == -1 for kind in kinds):
            raise ValueError(f"irreps must be even without parity, got {self.irreps!r}")
        return str(given)
