"""Total charge and spin of structures, which no network here reads."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geozoo.data.record import DataRecord, StructureFiles

if TYPE_CHECKING:
    from ase import Atoms

#: Fields of `StructureFiles`: charges and spins, where every structure of a training has one.
CHARGES, SPINS = "total_charge", "spin"
#: Names, in lower case, of a number of the whole structure.
_CHARGE_NAMES = ("charge", "total_charge", "net_charge", "tot_charge", "molecular_charge")
_UNPAIRED_NAMES = ("uhf", "unpaired_electrons", "magmom")
_SPIN_NAMES = ("spin", "multiplicity", "spin_multiplicity", "total_spin", *_UNPAIRED_NAMES)
#: Words for a multiplicity, from 1 on.
_MULTIPLETS = ("singlet", "doublet", "triplet", "quartet", "quintet", "sextet", "septet")
#: Names of numbers of the atoms, whose sum is one of the structure.
_CHARGES_OF_ATOMS = ("initial_charges", "charges")
_SPINS_OF_ATOMS = ("initial_magmoms", "magmoms")
#: Partial charges of a neutral molecule add up to less than this, however they were rounded.
_ROUNDING = 0.5


class ElectronicState(NamedTuple):
    """What a file says of the electrons of a structure; None: nothing.

    Attributes:
        charge: total charge in units of the elementary charge.
        spin: multiplicity, 1 of a closed shell; what a file calls ``spin`` is kept as it is, which
            may be 0 then.
        charge_key: where the charge is.
        spin_key: where the spin is.
    """

    charge: float | None = None
    spin: float | None = None
    charge_key: str = ""
    spin_key: str = ""


#: Of a structure that says nothing.
UNSAID = ElectronicState()


def names_in(atoms: Atoms) -> set[str]:
    """Names of everything that a structure of ASE holds beside elements and positions."""
    results = getattr(atoms.calc, "results", {})
    names = {str(name) for name in (*atoms.info, *atoms.arrays, *results)}
    if atoms.constraints:
        names.add("constraints")
    if np.asarray(atoms.cell).any() and not atoms.pbc.any():
        names.add("cell")
    return names - {"numbers", "positions"}


def state_of(atoms: Atoms) -> ElectronicState:
    """The total charge and the spin that a structure of ASE says it has."""
    results: Mapping[str, Any] = getattr(atoms.calc, "results", {})
    whole, of_atoms = {**results, **atoms.info}, {**results, **atoms.arrays}
    charge_key, charge = _said(whole, _CHARGE_NAMES, of_atoms, _CHARGES_OF_ATOMS)
    spin_key, spin = _said(whole, _SPIN_NAMES, of_atoms, _SPINS_OF_ATOMS)
    return ElectronicState(charge, spin, charge_key, spin_key)


def states_of_arrays(arrays: Mapping[str, np.ndarray], count: int) -> list[ElectronicState]:
    """As `state_of`, for arrays with a number for each of some graphs, or one for all."""
    found = {"charge": ("", [None] * count), "spin": ("", [None] * count)}
    for kind, names in (("charge", _CHARGE_NAMES), ("spin", _SPIN_NAMES)):
        for key, array in arrays.items():
            if _plain_name(key) in names and array.size in (1, count) and array.dtype.kind in "fiu":
                values = np.broadcast_to(array.reshape(-1), count).astype(np.float64)
                if _plain_name(key) in _UNPAIRED_NAMES:
                    values = np.abs(values) + 1
                found[kind] = (key, values.tolist())
                break
    (charge_key, charges), (spin_key, spins) = found["charge"], found["spin"]
    return [
        ElectronicState(charge, spin, charge_key, spin_key)
        for charge, spin in zip(charges, spins, strict=True)
    ]


def is_state_name(name: str) -> bool:
    """Whether a name is one of a total charge or a spin."""
    return _plain_name(name) in (*_CHARGE_NAMES, *_SPIN_NAMES)


def _said(
    whole: Mapping[str, Any], names: Sequence[str], of_atoms: Mapping[str, Any],
    names_of_atoms: Sequence[str],
) -> tuple[str, float | None]:  # fmt: skip
    """Key and value of a number of the structure, or of the sum of those of its atoms."""
    for key, value in whole.items():
        plain = _plain_name(key)
        if plain in names and (number := _number(value)) is not None:
            return str(key), abs(number) + 1 if plain in _UNPAIRED_NAMES else number
    for key in names_of_atoms:
        values = of_atoms.get(key)
        if values is not None and np.asarray(values).dtype.kind in "fiu":
            total = float(np.sum(values))
            # A sum of zero is what ASE fills in, and what any partial charges have.
            if np.isfinite(total) and abs(total) >= _ROUNDING:
                is_spin = key in _SPINS_OF_ATOMS
                return f"the sum of {key}", round(abs(total) + 1 if is_spin else total, 3)
    return "", None


def _plain_name(key: Any) -> str:
    return str(key).lower().replace("-", "_").replace(" ", "_").removeprefix("ref_")


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value.lower() in _MULTIPLETS:
        return 1.0 + _MULTIPLETS.index(value.lower())
    try:
        number = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def recorded_states(states: Sequence[ElectronicState]) -> dict[str, list[float]]:
    """Total charges and spins of all structures, each where every structure says its own."""
    found = {CHARGES: {s.charge for s in states}, SPINS: {s.spin for s in states}}
    return {key: sorted(values) for key, values in found.items() if values and None not in values}


def states_of_record(record: DataRecord) -> list[ElectronicState]:
    """A state for each combination of the recorded charges and spins."""
    known = record.structures or StructureFiles()
    charges, spins = known.total_charge or [None], known.spin or [None]
    key = "as the files say"
    return [ElectronicState(charge, spin, key, key) for charge in charges for spin in spins]


def check_training_states(states: Sequence[ElectronicState]) -> None:
    """Warn of charges or spins that differ among the structures of one training.

    A network that does not read them sees the same molecule with two energies. One charge for all
    is part of what is learnt, and recorded (`recorded_states`).
    """
    for name, field, _, _ in _KINDS:
        values = {getattr(state, field) for state in states}
        if len(values) > 1 and any(_is_dangerous(field, value) for value in values):
            told = ["none" if v is None else f"{v:g}" for v in sorted(values, key=str)]
            warnings.warn(
                f"the structures have a {name} of {', '.join(told)}, which no network here reads: "
                "to it they are alike. Train on one of them alone", stacklevel=3,
            )  # fmt: skip


def check_states(
    states: Sequence[ElectronicState], record: DataRecord, where: str = "structure"
) -> None:
    """Refuse charges and spins that a model was not trained on; warn where nobody knows.

    Args:
        states: of the structures to predict for.
        record: of the data of the model's training.
        where: what to call a structure, before its number.

    Raises:
        ValueError: where the charge or spin of all structures of the training is recorded and a
            structure has another one.
    """
    for name, field, key_field, recorded in _KINDS:
        trained: Collection[float] = getattr(record.structures, recorded, None) or ()
        values = [getattr(state, field) for state in states]
        # Two conventions of a closed shell, 0 and 1, are one state.
        plain = not trained or not all(_is_dangerous(field, v) for v in trained)
        odd = [
            number
            for number, value in enumerate(values)
            if value is not None
            and value not in trained
            and not (plain and not _is_dangerous(field, value))
        ]
        if odd:
            key = getattr(states[odd[0]], key_field)
            _tell(f"{where} {odd[0]}", len(odd), name, values[odd[0]], key, trained)
        elif trained and None in values and any(_is_dangerous(field, v) for v in trained):
            warnings.warn(
                f"the structures do not say their {name}; those of the training had a {name} of "
                f"{_and(trained)}",
                stacklevel=3,
            )


def _tell(
    where: str, count: int, name: str, value: float, key: str, trained: Collection[float]
) -> None:
    has = f"{where} has a {name} of {value:g} ({key})"
    if count > 1:
        has += f", and {count - 1} more have one like it"
    if trained:
        raise ValueError(
            f"{has}; the model was trained on a {name} of {_and(trained)} alone and does not read "
            "it: its predictions would be those of another molecule. To have these, leave the "
            f"{name} out of the input"
        )
    warnings.warn(
        f"{has}, which the model does not read: it predicts as for the molecules that it was "
        "trained on, commonly neutral ones with a closed shell", stacklevel=4,
    )  # fmt: skip


def _is_dangerous(field: str, value: float | None) -> bool:
    """Whether a charge is not 0, or a spin neither 0 nor 1 (closed shell in either convention)."""
    return value is not None and value not in ((0.0,) if field == "charge" else (0.0, 1.0))


def _and(values: Collection[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)


#: Name for people, fields of `ElectronicState`, field of `StructureFiles`.
_KINDS = (
    ("total charge", "charge", "charge_key", CHARGES), ("spin", "spin", "spin_key", SPINS),
)  # fmt: skip
