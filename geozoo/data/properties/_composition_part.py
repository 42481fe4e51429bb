"""The part of a target that the composition explains, and statistics of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from geozoo.data.molecules.atom_energies import composition_span, fit_atom_energies

References = Literal["auto", "atoms", "none"]
#: Share of the variance that counts as most of it.
_MOST = 0.5
#: A rest that is smaller, relative to the spread of the target, is a rounding error.
_SMALLEST = 1e-9


@dataclass(frozen=True)
class CompositionPart:
    """What a network need not learn of a target, from the training split.

    Attributes:
        shift: constant.
        scale: standard deviation of the rest (root mean square for vectors).
        references: value of each element, or None: the composition is not used.
        explained: share of the variance that the composition explains, adjusted for the number of
            parameters; NaN if there are too few values to tell.
    """

    shift: float
    scale: float
    references: list[float] | None
    explained: float


def composition_part(
    values: Float[Tensor, " R"],
    counts: Float[Tensor, "R C"],
    *,
    name: str,
    is_extensive: References,
    has_constant: bool,
) -> CompositionPart:
    """Fit values per element and a constant, and decide whether to subtract them.

    Args:
        values: known values of the training split.
        counts: number of atoms of each element of the molecule; one-hot for values of atoms.
        name: the target, for messages.
        is_extensive: ``"auto"``: subtract if the composition explains most of the variance.
        has_constant: fit a constant as well.

    Raises:
        ValueError: If there is no value, or all are equal.
    """
    if not len(values):
        raise ValueError(f"targets: the training split has no value of {name}")
    spread = float(values.std(correction=0))
    mean = float(values.mean())
    if not spread > _SMALLEST * max(abs(mean), 1e-300):
        raise ValueError(
            f"targets: {name} has the same value, {mean:g}, everywhere in the training split"
        )
    constant = [counts.new_ones(len(counts), 1)] if has_constant else []
    design = torch.cat([counts, *constant], 1)
    solution = fit_atom_energies(design, values)
    rest = values - design @ solution
    explained = _explained(values, rest, int(torch.linalg.matrix_rank(design)))
    residue = float(rest.std(correction=0))
    is_wanted = is_extensive == "atoms" or (is_extensive == "auto" and explained > _MOST)
    if is_wanted and residue > _SMALLEST * spread:
        columns = counts.shape[1]
        shift = float(solution[columns]) if has_constant else 0.0
        return CompositionPart(shift, residue, solution[:columns].tolist(), explained)
    return CompositionPart(mean, spread, None, explained)


def _explained(values: Tensor, rest: Tensor, rank: int) -> float:
    """Adjusted coefficient of determination."""
    free = len(values) - rank
    if free < 1 or len(values) < 2:
        return float("nan")
    total = float((values - values.mean()).square().sum()) / (len(values) - 1)
    return 1.0 - float(rest.square().sum()) / free / total


def outside_span(train: Float[Tensor, "S C"], other: Float[Tensor, "T C"]) -> Bool[Tensor, " T"]:
    """Which compositions are not determined by those of the training split and a constant."""
    from geozoo.data.molecules.atom_energies import is_in_span

    one = torch.ones_like(train[:, :1]), torch.ones_like(other[:, :1])
    span = composition_span(torch.cat([train, one[0]], 1))
    return ~is_in_span(torch.cat([other, one[1]], 1), span)


def described(part: CompositionPart, name: str, symbols: Sequence[str], unit: str) -> str:
    """One line about the choice, for the log."""
    share = "unknown" if part.explained != part.explained else f"{100 * part.explained:.1f} %"
    if part.references is None:
        return (
            f"{name}: the composition explains {share} of the variance: no references per element; "
            f"the baseline is the mean, {part.shift:.6g} {unit}"
        )
    values = ", ".join(f"{s} {v:.6g}" for s, v in zip(symbols, part.references, strict=True))
    return (
        f"{name}: the composition explains {share} of the variance: references per element "
        f"({values}; constant {part.shift:.6g} {unit}) are subtracted and are the baseline; the "
        f"network learns the rest, with a standard deviation of {part.scale:.6g} {unit}"
    )
