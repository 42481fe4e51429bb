"""Total charge and spin of structures, and what a model was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geozoo.data.record import DataRecord

if TYPE_CHECKING:
    from ase import Atoms

#: Fields of `StructureFiles`: charges and spins, if every training structure has one.
CHARGES, SPINS = "total_charge", "spin"
#: Lower-case names of values of the whole structure.
_CHARGE_NAMES = ("charge", "total_charge", "net_charge", "tot_charge", "molecular_charge")
_UNPAIRED_NAMES = ("uhf", "unpaired_electrons", "magmom")
_SPIN_NAMES = ("spin", "multiplicity", "spin_multiplicity", "total_spin", *_UNPAIRED_NAMES)
#: Names of multiplicities, from 1.
_MULTIPLETS = ("singlet", "doublet", "triplet", "quartet", "quintet", "sextet", "septet")
#: Names of per-atom values, whose sum is a value of the structure.
_CHARGES_OF_ATOMS = ("initial_charges", "charges")
_SPINS_OF_ATOMS = ("initial_magmoms", "magmoms")
#: Begin of the key of a sum.
_SUM = "the sum of "
#: Rounded partial charges of a neutral molecule sum to less than this.
_ROUNDING = 0.5


class ElectronicState(NamedTuple):
    """Charge and spin of a structure as given in a file; None if not given.

    Attributes:
        charge: total charge in elementary charges.
        spin: multiplicity, 1 for a closed shell; a value that a file calls ``spin`` is kept as it
            is and may be 0 for a closed shell.
        charge_key: key of the charge in the file.
        spin_key: key of the spin in the file.
        charge_conflict: entries for the charge that differ; empty if none do.
        spin_conflict: entries for the spin that differ.
    """

    charge: float | None = None
    spin: float | None = None
    charge_key: str = ""
    spin_key: str = ""
    charge_conflict: str = ""
    spin_conflict: str = ""


#: State of a structure without charge and spin information.
UNSPECIFIED = ElectronicState()


def names_in(atoms: Atoms) -> set[str]:
    """Names of all entries of an ASE structure except elements and positions."""
    results = getattr(atoms.calc, "results", {})
    names = {str(name) for name in (*atoms.info, *atoms.arrays, *results)}
    if atoms.constraints:
        names.add("constraints")
    if np.asarray(atoms.cell).any() and not atoms.pbc.any():
        names.add("cell")
    return names - {"numbers", "positions"}


def state_of(atoms: Atoms) -> ElectronicState:
    """The total charge and spin given in an ASE structure."""
    results: Mapping[str, Any] = getattr(atoms.calc, "results", {})
    # A given spin comes before a computed magnetic moment, which is rarely a whole number.
    whole, of_atoms = {**atoms.info, **results, **atoms.info}, {**results, **atoms.arrays}
    charge_key, charge = _find(whole, _CHARGE_NAMES, of_atoms, _CHARGES_OF_ATOMS)
    spin_key, spin = _find(whole, _SPIN_NAMES, of_atoms, _SPINS_OF_ATOMS)
    conflicts = [_conflict(whole, names) for names in (_CHARGE_NAMES, _SPIN_NAMES)]
    return ElectronicState(charge, spin, charge_key, spin_key, *conflicts)


def closed_shell_by_default(state: ElectronicState) -> ElectronicState:
    """The state of a molecule of an SDF file, which lists formal charges and radicals only."""
    if state.charge is None:
        state = state._replace(charge=0.0, charge_key="no formal charges")
    if state.spin is None:
        state = state._replace(spin=1.0, spin_key="no radicals")
    return state


def key_of(state: ElectronicState, name: str) -> str:
    """The entry of a file that holds the ``charge`` or ``spin`` of a state; empty without one."""
    return str(getattr(state, f"{name}_key")).removeprefix(_SUM)


def states_of_arrays(arrays: Mapping[str, np.ndarray], count: int) -> list[ElectronicState]:
    """As `state_of`, for arrays with one value per graph, or one value for all."""
    columns = {
        key: np.broadcast_to(array.reshape(-1), count).tolist()
        for key, array in arrays.items()
        if array.size in (1, count) and array.dtype.kind in "fiu"
    }
    states = []
    for row in range(count):
        whole = {key: values[row] for key, values in columns.items()}
        charge_key, charge = _find(whole, _CHARGE_NAMES, {}, ())
        spin_key, spin = _find(whole, _SPIN_NAMES, {}, ())
        conflicts = [_conflict(whole, names) for names in (_CHARGE_NAMES, _SPIN_NAMES)]
        states.append(ElectronicState(charge, spin, charge_key, spin_key, *conflicts))
    return states


def is_state_name(name: str) -> bool:
    """Whether a name denotes a total charge or a spin."""
    return _plain_name(name) in (*_CHARGE_NAMES, *_SPIN_NAMES)


def _find(
    whole: Mapping[str, Any], names: Sequence[str], of_atoms: Mapping[str, Any],
    names_of_atoms: Sequence[str],
) -> tuple[str, float | None]:  # fmt: skip
    """Key and value of a property of the structure, or of the sum of per-atom values."""
    if (first := next(_of_whole(whole, names), None)) is not None:
        return first
    for key in names_of_atoms:
        values = of_atoms.get(key)
        if values is not None and np.asarray(values).dtype.kind in "fiu":
            total = float(np.sum(values))
            # Zero is ASE's default, and the sum of the partial charges of any neutral molecule.
            if np.isfinite(total) and abs(total) >= _ROUNDING:
                is_spin = key in _SPINS_OF_ATOMS
                return f"{_SUM}{key}", round(abs(total) + 1 if is_spin else total, 3)
    return "", None


def _of_whole(whole: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Keys and values of all entries for a property of the structure."""
    for key, value in whole.items():
        plain = _plain_name(key)
        if plain in names and (number := _number(value)) is not None:
            yield str(key), abs(number) + 1 if plain in _UNPAIRED_NAMES else number


def _conflict(whole: Mapping[str, Any], names: Sequence[str]) -> str:
    """The entries for a property if they differ by more than rounding."""
    found = list(_of_whole(whole, names))
    values = [value for _, value in found]
    if not found or max(values) - min(values) < _ROUNDING:
        return ""
    return ", ".join(f"{key}={whole[key]}" for key, _ in found)


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
    """Total charges and spins that occur, each if every structure has one."""
    found = {CHARGES: {s.charge for s in states}, SPINS: {s.spin for s in states}}
    known = {key: {v for v in values if v is not None} for key, values in found.items()}
    return {key: sorted(known[key]) for key in found if known[key] and None not in found[key]}


def states_of_record(record: DataRecord) -> list[ElectronicState]:
    """One state for each combination of the recorded charges and spins."""
    known = record.files
    charges: Sequence[float | None] = known.total_charge or [None]
    spins: Sequence[float | None] = known.spin or [None]
    key = "from the training files"
    return [ElectronicState(charge, spin, key, key) for charge in charges for spin in spins]


def check_training_states(states: Sequence[ElectronicState], inputs: Collection[str] = ()) -> None:
    """Warn of charges or spins that vary within a training set and are not inputs.

    A model without these inputs would see the same molecule with different energies. A charge
    common to all structures is learned implicitly, and recorded (`recorded_states`).

    Args:
        states: all states that occur.
        inputs: ``charge`` or ``spin`` if they are inputs, and therefore do not count.
    """
    for name, field, _, _ in _KINDS:
        values = {getattr(state, field) for state in states}
        if field in inputs:
            continue
        if len(values) > 1 and any(_is_dangerous(field, value) for value in values):
            shown = ["none" if v is None else f"{v:g}" for v in sorted(values, key=str)]
            warnings.warn(
                f"the training structures have a {name} of {', '.join(shown)}; without it as an "
                f"input, a model cannot distinguish them. Set dataset.inputs=[{field}], or train "
                f"on one {name} only",
                stacklevel=3,
            )


def check_states(
    states: Sequence[ElectronicState], record: DataRecord, where: str = "structure", *,
    inputs: Collection[str] = (),
) -> None:  # fmt: skip
    """Reject charges and spins that a model was not trained on; warn if this is unknown.

    Args:
        states: states of the structures to predict for.
        record: data record of the model's training set.
        where: what messages call a structure, before its number.
        inputs: ``charge`` or ``spin`` if the model takes them as inputs: they are not checked here.

    Raises:
        ValueError: If the charge or spin of all training structures is recorded and a structure
            has a different one.
    """
    for name, field, key_field, recorded in _KINDS:
        if field in inputs:
            continue
        trained: Collection[float] = getattr(record.files, recorded) or ()
        values = [getattr(state, field) for state in states]
        # A closed shell is written as 0 or 1, by two conventions.
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
            _report(f"{where} {odd[0]}", len(odd), name, values[odd[0]], key, trained)
        elif trained and None in values and any(_is_dangerous(field, v) for v in trained):
            warnings.warn(
                f"the structures do not specify their {name}; the training structures had a {name} "
                f"of {_and(trained)}",
                stacklevel=3,
            )


def _report(
    where: str, count: int, name: str, value: float, key: str, trained: Collection[float]
) -> None:
    has = f"{where} has a {name} of {value:g} ({key})"
    if count > 1:
        has += f", and {count - 1} more differ as well"
    if trained:
        raise ValueError(
            f"{has}; the model was trained only on a {name} of {_and(trained)} and does not take "
            f"it as input, so its predictions would be for the {name} of its training. To get "
            f"them, remove the {name} from the input"
        )
    warnings.warn(
        f"{has}, which the model does not take as input: it predicts for the state of its training "
        "structures, which is not recorded", stacklevel=4,
    )  # fmt: skip


def _is_dangerous(field: str, value: float | None) -> bool:
    """Whether a charge is not 0, or a spin neither 0 nor 1 (closed shell in either convention)."""
    return value is not None and value not in ((0.0,) if field == "charge" else (0.0, 1.0))


def _and(values: Collection[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)


#: Display name, fields of `ElectronicState`, field of `StructureFiles`.
_KINDS = (
    ("total charge", "charge", "charge_key", CHARGES), ("spin", "spin", "spin_key", SPINS),
)  # fmt: skip
