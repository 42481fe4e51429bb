"""MACE of the package mace-torch: the same function and weights; and our NequIP next to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms

from benchmarks.peers._ours import array, side, trained
from benchmarks.peers._pair import Pair, Side, Step

_RADIUS, _CHANNELS = 5.0, 32
_COPPER, _ASPIRIN = {"numbers": [29], "neighbors": 42.0}, {"numbers": [1, 6, 8], "neighbors": 14.0}
_TITLE = "MACE against mace-torch"
PAIRS = [
    Pair("mace_aspirin", "mace", "mace", _TITLE, "5 aspirin", "step", {"ours": "mace", **_ASPIRIN}),
    Pair("mace_copper", "mace", "mace", _TITLE, "500 Cu", "evaluation",
         {"ours": "mace", **_COPPER}),
    Pair("nequip_mace_copper", "mace", "mace", "NequIP against the MACE of mace-torch", "500 Cu",
         "evaluation", {"ours": "nequip", **_COPPER},
         differs="another network, also with 32 channels and cutoff 5, as configured"),
]  # fmt: skip
_STORED = "mace.pt"


def theirs(pair: Pair, folder: Path) -> Side:
    """The network of the package; its weights are stored in the folder."""
    torch.serialization.add_safe_globals([slice])  # in the constants of e3nn 0.4.4
    from e3nn import o3
    from mace import modules

    numbers = pair.network["numbers"]
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=_RADIUS, num_bessel=8, num_polynomial_cutoff=5, max_ell=3, interaction_cls=block,
        interaction_cls_first=block, num_interactions=2, num_elements=len(numbers),
        hidden_irreps=o3.Irreps(f"{_CHANNELS}x0e+{_CHANNELS}x1o"), MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(len(numbers)), avg_num_neighbors=pair.network["neighbors"],
        atomic_numbers=numbers, correlation=3, gate=torch.nn.functional.silu,
        radial_MLP=[64, 64, 64], atomic_inter_scale=1.0, atomic_inter_shift=0.0,
    ).float()  # fmt: skip
    torch.save(
        {name: value for name, value in model.state_dict().items() if "_compiled" not in name},
        folder / _STORED,
    )
    training = pair.work == "step"
    model.train(training).requires_grad_(training)

    def prepare(frames: Sequence[Atoms]) -> Step:
        data = _data(frames, numbers)
        periodic = bool(frames[0].pbc.any())

        def step() -> dict[str, np.ndarray]:
            model.zero_grad()
            out = model(dict(data), training=training, compute_stress=periodic)
            found = {"energy": array(out["energy"]), "forces": array(out["forces"])}
            if training:
                found["loss"] = trained(out["energy"], out["forces"])
            elif periodic:
                found["stress"] = array(out["stress"])
            return found

        return step

    return prepare


def _data(frames: Sequence[Atoms], numbers: list[int]) -> dict[str, Any]:
    """A batch with its neighbour list, in float32."""
    from mace import data
    from mace.tools import AtomicNumberTable, torch_geometric

    torch.set_default_dtype(torch.float32)
    entries = [
        data.AtomicData.from_config(
            data.config_from_atoms(atoms), z_table=AtomicNumberTable(numbers), cutoff=_RADIUS
        )
        for atoms in frames
    ]
    loader = torch_geometric.dataloader.DataLoader(entries, batch_size=len(entries))
    found: dict[str, Any] = next(iter(loader)).to_dict()
    return found


def ours(pair: Pair, folder: Path) -> Side:
    """Our MACE with the stored weights, or our NequIP as configured."""
    from benchmarks._zoo_steps import model_of
    from geozoo.models import load_mace_weights

    numbers = pair.network["numbers"]
    model: Any = model_of(
        pair.network["ours"], in_channels=len(numbers), in_vectors=0, out_channels=1,
        out_vectors=0, dim=3, level="graph", radius=_RADIUS, hidden_channels=_CHANNELS,
        num_neighbors=pair.network["neighbors"], residual="all",
    )  # fmt: skip
    if pair.network["ours"] == "mace":
        load_mace_weights(model, torch.load(folder / _STORED, weights_only=True))
    return side(model, pair, numbers)
