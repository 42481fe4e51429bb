"""A trained potential as a custom driver of i-PI, in its own process or inside of i-PI.

The name of this file must not be that of a package: i-PI imports it by its path under this name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ipi.pes.dummy import Dummy_driver
from ipi.utils.units import unit_to_internal, unit_to_user

from geozoo.engines.evaluator import PotentialEvaluator

__DRIVER_NAME__ = "geozoo"
__DRIVER_CLASS__ = "GeozooDriver"


class GeozooDriver(Dummy_driver):
    """Energy, forces and virial in i-PI's units (hartree, bohr).

    Args:
        template: file with the elements of the atoms in the order of i-PI, and the periodic
            directions, that ASE can read.
        model: name of a trained potential in the zoo's index, or its folder.
        device: device to evaluate the model on.
        dtype: ``"float32"``, or ``"float64"`` for long dynamics; None: as the model was trained.
        any_composition: also predict for compositions whose energies the training set does not
            determine.
        charge: total charge in elementary charges, for models that take it.
        spin: multiplicity, for models that take it.
        options: of i-PI's drivers.

    Raises:
        FileNotFoundError: If the template or the model does not exist.
        ValueError: If the model is not a potential.
    """

    def __init__(
        self,
        template: str,
        model: str,
        *,
        device: str = "cpu",
        dtype: str | None = None,
        any_composition: bool = False,
        charge: float | None = None,
        spin: float | None = None,
        **options: Any,
    ) -> None:
        self.template: Atoms = read(template)  # type: ignore[assignment]  # the last frame
        self.state = {"charge": charge, "spin": spin}
        self.evaluator = PotentialEvaluator(
            model, device=device, dtype=dtype, any_composition=any_composition
        )
        super().__init__(**options)

    def compute_structure(
        self, cell: np.ndarray, pos: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
        """Evaluate one structure.

        Args:
            cell: ``[3, 3]`` lattice vectors in columns, in bohr.
            pos: ``[N, 3]`` in bohr.

        Returns:
            Energy, forces ``[N, 3]``, virial ``[3, 3]``, and no extras.

        Raises:
            ValueError: If the number of atoms is not that of the template, or as in
                `geozoo.engines.PotentialEvaluator.evaluate_many`.
        """
        if len(pos) != len(self.template):
            raise ValueError(
                f"template must have the atoms of i-PI, got {len(self.template)} and {len(pos)}"
            )
        pbc = self.template.pbc
        found = self.evaluator.evaluate(
            unit_to_user("length", "angstrom", pos),
            self.template.numbers,
            unit_to_user("length", "angstrom", cell.T) if pbc.any() else None,
            pbc if pbc.any() else None,
            **self.state,
        )
        return (
            np.asarray(unit_to_internal("energy", "electronvolt", found.energy)),
            np.asarray(unit_to_internal("force", "ev/ang", found.forces)),
            np.asarray(unit_to_internal("energy", "electronvolt", found.virial)),
            "",
        )
