"""Total charge and spin of structures as inputs of a model."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.data._graph_inputs import check_ranges
from geozoo.data.molecules._electronic_states import ElectronicState, check_states
from geozoo.data.spec import GeometricSpec

StateInput = Literal["charge", "spin"]
#: Of each input: its name in messages, and the entries that hold it.
_TITLES = {
    "charge": ("total charge", "charge or total_charge"),
    "spin": ("spin", "multiplicity, spin (the same) or uhf (unpaired electrons)"),
}  # fmt: skip


class StatedGraph(NamedTuple):
    """What the values of a structure are checked against.

    Attributes:
        state: its charge and spin.
        numbers: its atomic numbers; 0 where unknown.
        is_isolated: whether it is not periodic.
    """

    state: ElectronicState
    numbers: np.ndarray
    is_isolated: bool


def checked_names(given: Sequence[str] | None) -> tuple[StateInput, ...]:
    """The option ``inputs`` of a dataset.

    Raises:
        ValueError: If it is not a list of different names out of ``charge`` and ``spin``.
    """
    known = get_args(StateInput)
    names = [] if given is None else [given] if isinstance(given, str) else list(given)
    if not set(names) <= set(known) or len(set(names)) < len(names):
        raise ValueError(f"inputs must be a list of names out of {known}, got {given!r}")
    return tuple(name for name in known if name in names)


def warn_of_constants(spec: GeometricSpec) -> None:
    """Warn of inputs with the same value in all training structures: nothing is learned of them."""
    for name in spec.graph_inputs:
        low, high = spec.statistics[f"{name}_range"]
        if low == high:
            warnings.warn(
                f"all training structures have the same {name}, {low:g}: a model cannot learn how "
                f"energies depend on it. Remove {name} from dataset.inputs",
                stacklevel=3,
            )


def input_values(
    names: Sequence[str], graph: StatedGraph, where: str, there: Collection[str] | None = None
) -> dict[str, float]:
    """The values of a structure: charge in elementary charges, spin as a multiplicity.

    Args:
        names: the inputs, out of ``charge`` and ``spin``.
        graph: the structure.
        where: what messages call it.
        there: names of the entries of the structure, for messages.

    Raises:
        ValueError: If a value is missing, two entries for it differ, the spin is not a
            multiplicity, or it contradicts the number of electrons of an isolated structure.
    """
    values: dict[str, float] = {}
    for name in names:
        title, keys = _TITLES[name]
        value = getattr(graph.state, name)
        if value is None:
            found = ""
            if there is not None:
                listed = ", ".join(sorted(there)) or "only positions"
                found = f" (dataset.inputs); available: {listed}"
            raise ValueError(
                f"{where} has no {title}, which is an input of the model{found}. Add an entry "
                f"{keys} to it"
            )
        if conflict := getattr(graph.state, f"{name}_conflict"):
            raise ValueError(f"{where}: the entries for the {title} differ: {conflict}. Keep one")
        values[name] = value
    if "spin" in values:
        _check_multiplicity(graph, where)
    return values


def _check_multiplicity(graph: StatedGraph, where: str) -> None:
    """Reject a spin by another convention, which would be another state of the molecule."""
    spin, charge = graph.state.spin, graph.state.charge
    assert spin is not None
    if spin < 1:
        raise ValueError(
            f"{where}: the spin must be a multiplicity (number of unpaired electrons plus one), at "
            f"least 1, got {spin:g} ({graph.state.spin_key}). Name a number of unpaired electrons "
            "uhf"
        )
    if charge is None or not graph.is_isolated or not graph.numbers.all():
        return
    electrons = int(graph.numbers.sum()) - charge
    if electrons % 1 or spin % 1:
        return
    if (electrons - spin + 1) % 2 or spin - 1 > electrons:
        raise ValueError(
            f"{where}: a multiplicity of {spin:g} ({graph.state.spin_key}) is impossible for a "
            f"molecule of {electrons:g} electrons (charge {charge:g}). Name a number of unpaired "
            "electrons uhf"
        )


def state_fields(
    spec: GeometricSpec, graphs: Sequence[StatedGraph], where: str = "structure"
) -> dict[str, Tensor]:
    """The fields ``[S]`` of ``spec.graph_inputs`` of structures to predict for.

    Charges and spins that are not inputs are checked against the record of the training data.

    Args:
        spec: the spec of the model's training data.
        graphs: the structures.
        where: what messages call a structure, before its number.

    Raises:
        ValueError: See `input_values`; also if a value is outside the range of training, or a
            state differs from the recorded one of a model that does not take it as input.
    """
    names = spec.graph_inputs
    check_states([graph.state for graph in graphs], spec.record, where, inputs=names)
    if not names:
        return {}
    rows = [input_values(names, each, f"{where} {n}") for n, each in enumerate(graphs)]
    values = {
        name: torch.tensor([row[name] for row in rows], dtype=torch.float32) for name in names
    }
    check_ranges(spec, values, where)
    return values
