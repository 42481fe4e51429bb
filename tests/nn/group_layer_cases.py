"""Factories for the layers on finite groups; see `layer_cases`."""

from __future__ import annotations

from layer_cases import BATCH, Case, pointwise, random
from torch import nn

import geozoo.nn as layers
from geozoo.geometry import finite_group, platonic_rotations

GROUP = finite_group("tetrahedral", 3)
FRAMES = GROUP.elements
TURNS = platonic_rotations(4)[::3]


class AttentionStep(nn.Module):
    """Vectors lifted to the group, attention, and vectors turned back."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.linear = layers.GroupLinear(5, 8, GROUP)
        self.layer = layers.RotaryAttention(8, 2, GROUP, **options)

    def forward(self, pos, x, vec, batch):
        lifted = self.linear(layers.lift_to_frames(x, vec, FRAMES.to(x.dtype)))
        out = self.layer(lifted, pos, batch)
        return layers.project_from_frames(out, FRAMES.to(x.dtype), 2)


class FourierStep(nn.Module):
    """Fourier features, read out as a scalar and a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = layers.GroupFourier(2, GROUP)

    def forward(self, pos):
        return layers.project_from_frames(self.layer(pos), FRAMES.to(pos.dtype), 1)


def attention(**options: object) -> Case:
    inputs = {"pos": random(5, 3, seed=2), "x": random(5, 2), "vec": random(5, 1, 3, seed=3)}
    return Case(
        lambda: AttentionStep(**options), inputs | {"batch": BATCH}, ("pos", "x", "vec"),
        ("pos", "x", "vec"), (), ("0", "1"), {"vector_outputs": ("1",), "rotations": TURNS},
        compiles=False, any_size=(("vec", 1),),
    )  # fmt: skip


GROUP_CASES = {
    "GroupLinear": {
        "tetrahedral": lambda: pointwise(
            lambda: layers.GroupLinear(4, 3, GROUP), "x", random(5, 12, 4)
        )
    },
    "RotaryAttention": {
        "softmax": attention,
        "values": lambda: attention(turn_values=True, start="normal"),
        "linear": lambda: attention(form="linear"),
    },
    "GroupFourier": {
        "tetrahedral": lambda: Case(
            FourierStep, {"pos": random(5, 3)}, ("pos",), ("pos",), node_outputs=("0", "1"),
            moves={"vector_outputs": ("1",), "rotations": TURNS, "translate": False},
        )
    },
    "lift_to_frames": {
        # Turned vectors permute the frames, as the steps above show.
        "both": lambda: Case(
            lambda: layers.lift_to_frames,
            {"x": random(5, 2), "vec": random(5, 1, 3, seed=1), "frames": FRAMES},
            ("x", "vec"), ("x", "vec"), moves={"points": (), "rotations": FRAMES[:1]},
            any_width=("x",),
            any_size=(("vec", 1), ("frames", 0)),
        )
    },
    "project_from_frames": {
        "both": lambda: Case(
            lambda: layers.project_from_frames,
            {"features": random(5, 12, 5), "frames": FRAMES, "num_scalars": 2},
            ("features",), ("features",), node_outputs=("0", "1"),
        )
    },
}  # fmt: skip
