"""Options of Allegro: sizes of its perceptrons, and variants of its equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from geozoo.checks import check_choice, check_not_negative, check_positive
from geozoo.nn.steerable import load_o3

if TYPE_CHECKING:
    from e3nn import o3

TwoBody = Literal["concatenated", "product"]
Latent = Literal["residual", "dense"]
Mixing = Literal["full", "channelwise"]


@dataclass(frozen=True)
class AllegroOptions:
    """Options of Allegro. The defaults are the paper's equations.

    Attributes:
        two_body: first scalars of a pair, before the perceptron: inputs of both nodes and the
            radial basis ``"concatenated"``, or the ``"product"`` of an embedding of the nodes and
            one of the basis.
        two_body_layers: hidden layers of the perceptron of the first scalars.
        two_body_channels: their width; None: ``hidden_channels``.
        latent: scalars after a layer: ``"residual"``: weighted mean of old and new ones;
            ``"dense"``: every perceptron reads the scalars of all layers before, and gives the
            weights of the next environment as well.
        latent_layers: hidden layers of the perceptrons of the layers.
        latent_channels: their width; None: ``hidden_channels``.
        mixing_weight: weight of the new scalars relative to the old ones, for ``"residual"``.
        mixing: see `geozoo.nn.PairProduct`.
        parity: False: only features with the parity of the harmonics. Still equivariant under
            reflections.
        trainable_basis: whether the frequencies of the Bessel functions are trained.
        window_power: exponent of the polynomial cutoff function.
        readout_layers: hidden layers of the perceptron of the energies of pairs.
        readout_channels: their width; None: ``hidden_channels``.
        element_scaling: scale and shift the scalar outputs of nodes by linear functions of the
            scalar inputs, which are per-element constants for one-hot elements; trainable.

    Raises:
        ValueError: If an option is invalid.
    """

    two_body: TwoBody = "concatenated"
    two_body_layers: int = 2
    two_body_channels: int | None = None
    latent: Latent = "residual"
    latent_layers: int = 1
    latent_channels: int | None = None
    mixing_weight: float = 0.5
    mixing: Mixing = "full"
    parity: bool = True
    trainable_basis: bool = False
    window_power: int = 6
    readout_layers: int = 1
    readout_channels: int | None = None
    element_scaling: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_choice("two_body", self.two_body, get_args(TwoBody))
        check_choice("latent", self.latent, get_args(Latent))
        check_choice("mixing", self.mixing, get_args(Mixing))
        for part in ("two_body", "latent", "readout"):
            check_not_negative(**{f"{part}_layers": getattr(self, f"{part}_layers")})
            width = getattr(self, f"{part}_channels")
            if width is not None:
                check_positive(**{f"{part}_channels": width})
        if not self.mixing_weight > 0:
            raise ValueError(f"mixing_weight must be positive, got {self.mixing_weight!r}")

    def hidden(self, part: str, default: int) -> list[int]:
        """Return the widths of the hidden layers of a perceptron.

        Args:
            part: ``"two_body"``, ``"latent"`` or ``"readout"``.
            default: width if none is given.
        """
        width = getattr(self, f"{part}_channels") or default
        return [width] * getattr(self, f"{part}_layers")


def tensor_kinds(num_layers: int, degree: int, *, parity: bool, vectors: bool) -> list[list[str]]:
    """Return the irreps before the first and after every layer that outputs can depend on.

    Args:
        num_layers: number of layers.
        degree: maximum degree of features and harmonics.
        parity: whether features may have another parity than the harmonics.
        vectors: whether there are vector outputs, besides scalar ones.
    """
    o3_ = load_o3()
    harmonics = [kind for _, kind in o3_.Irreps.spherical_harmonics(degree)]
    allowed = {
        o3_.Irrep(each, sign)
        for each in range(degree + 1)
        for sign in (1, -1)
        if parity or sign == (-1) ** each
    }
    reached = [set(harmonics)]
    for _ in range(num_layers):
        reached.append({k for a in reached[-1] for b in harmonics for k in a * b} & allowed)
    scalar, vector = o3_.Irrep("0e"), o3_.Irrep("1o")
    wanted = {scalar, vector} if vectors else {scalar}
    kept = [wanted]
    for before in reversed(reached[1:-1]):
        useful = {k for k in before if any(set(k * b) & kept[0] for b in harmonics)}
        kept.insert(0, useful | {scalar})
    return [[str(kind) for kind in _sorted(kinds)] for kinds in (reached[0], *kept)]


def _sorted(kinds: set[o3.Irrep]) -> list[o3.Irrep]:
    """By degree, the parity of the harmonics first."""
    return sorted(kinds, key=lambda kind: (kind.l, kind.p != (-1) ** kind.l))
