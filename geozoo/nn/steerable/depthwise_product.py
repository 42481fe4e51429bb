"""The paths of depthwise products with spherical harmonics, by e3nn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geozoo.nn.steerable.irreps import load_o3

if TYPE_CHECKING:
    from e3nn import o3


def depthwise_product(
    before: o3.Irreps, harmonics: o3.Irreps, after: o3.Irreps, *, compiled: bool = False
) -> o3.TensorProduct:
    """The tensor product of each channel with harmonics, restricted to irreps of the output.

    Each path has a weight per channel, which is an argument.

    Args:
        before: irreps of the features.
        harmonics: irreps of the harmonics, one channel each.
        after: the wanted irreps; their numbers of channels are ignored.
        compiled: whether the product can be called and copied; generating its code takes time.

    Raises:
        ImportError: If e3nn is not installed.
        ValueError: If no path leads to the wanted irreps.
    """
    outputs: list[tuple[int, o3.Irrep]] = []
    paths: list[tuple[int, int, int, str, bool]] = []
    for i, (count, one) in enumerate(before):
        for j, (_, other) in enumerate(harmonics):
            for product in one * other:
                if product in after:
                    paths.append((i, j, len(outputs), "uvu", True))
                    outputs.append((count, product))
    if not outputs:
        raise ValueError(
            f"irreps_out must share an irrep with the tensor product of irreps_in {before} and "
            f"spherical harmonics up to degree {harmonics.lmax}, got {after}"
        )
    o3 = load_o3()
    middle, order, _ = o3.Irreps(outputs).sort()
    return o3.TensorProduct(
        before, harmonics, middle, [(i, j, order[k], mode, own) for i, j, k, mode, own in paths],
        shared_weights=False, internal_weights=False, compile_left_right=compiled,
    )  # fmt: skip
