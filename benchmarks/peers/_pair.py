"""What is compared: one network, or two of equal size, on the same structures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms

#: Does the work once and returns its results, in any one unit: ``energy [G]``, ``forces [N, 3]``,
#: ``stress [3, 3]``, and for training ``loss``.
Step = Callable[[], Mapping[str, np.ndarray]]
#: Prepares the work on structures, which form one batch.
Side = Callable[[Sequence[Atoms]], Step]
#: ``calculator``: energy, forces and stress by ASE, atoms move between calls, neighbours are
#: searched. ``evaluation``: energy and forces, and stress of crystals if so. ``step``: gradient of
#: a loss of energies and forces with respect to the weights. ``property``: of a loss of one scalar.
Work = Literal["calculator", "evaluation", "step", "property"]
#: Name, structures and work of the cases of networks for molecules and crystals.
CASES: tuple[tuple[str, str, Work], ...] = (
    ("qm9", "20 molecules", "property"),
    ("aspirin", "5 aspirin", "step"),
    ("copper", "500 Cu", "evaluation"),
)


@dataclass(frozen=True)
class Pair:
    """Our network and that of another library.

    Attributes:
        name: its name on the command line.
        environment: of the other library, see ``pins.toml``.
        module: file of this package with the functions ``theirs`` and ``ours``.
        title: the two networks, for the table.
        system: structures, see `benchmarks.peers._structures`.
        work: what is timed.
        network: options that ``theirs`` and ``ours`` understand.
        differs: how the functions differ; empty: they are equal, with equal weights.
        with_stress: whether evaluations of crystals include the stress.
        searches: whether a step includes the neighbour search on both sides.
    """

    name: str
    environment: str
    module: str
    title: str
    system: str
    work: Work
    network: Mapping[str, Any] = field(default_factory=dict)
    differs: str = ""
    with_stress: bool = True
    searches: bool = False


#: What a module of a library defines: ``theirs(pair, folder)`` may store weights in the folder,
#: from which ``ours(pair, folder)`` reads them; the first runs in the library's environment,
#: without geozoo, the second in the environment of the command.
Builder = Callable[[Pair, Path], Side]
