"""Weights of the published MACE implementation, mapped by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from geozoo.models._mace_layers import GatedReadout, LinearReadout, MACELayer
from geozoo.models.conversion._given_weights import GivenWeights, fill
from geozoo.models.mace import MACE
from geozoo.nn.steerable import AtomicBasis, SymmetricContraction
from geozoo.nn.steerable.atomic_basis import SILU_RMS

#: The published activations are multiplied by this estimate of 1 / SILU_RMS.
_SILU_SCALE = 1.6791767923989418
_RATIO = _SILU_SCALE * SILU_RMS
#: Relative residual above which the published couplings are not spanned by ours.
_TOLERANCE = 1e-6


@torch.no_grad()
def load_mace_weights(model: MACE, weights: Mapping[str, Tensor]) -> Tensor:
    """Load weights of the published implementation into a model of the same sizes.

    Supported are the classes ``MACE`` and ``ScaleShiftMACE`` with the blocks
    ``RealAgnosticInteractionBlock`` and ``RealAgnosticResidualInteractionBlock``, one head and
    Bessel functions that were not trained. Coupling coefficients of another basis are mapped to
    ours with the tensors ``U_matrix`` of the state dict. Not part of the state dict, so to be given
    to the model: ``radius``, ``num_neighbors``, ``blocks.power``. The scale of a ``ScaleShiftMACE``
    is multiplied into the readouts.

    Args:
        model: model with ``out_channels=1``, no vectors, and one-hot species in the order of the
            published model's elements as inputs.
        weights: state dict with the published names.

    Returns:
        ``[S]`` energy that the published model adds for each atom of a species: of the free atom,
        plus the shift.

    Raises:
        ValueError: If names or shapes do not match, or the weights are of an unsupported variant.
    """
    if model.out_channels != 1 or model.in_vectors or model.out_vectors:
        raise ValueError("model must have out_channels=1, in_vectors=0 and out_vectors=0")
    given = GivenWeights(weights)
    radius = model.basis.radius
    bessel = given.take("radial_embedding.bessel_fn.bessel_weights")
    wanted = model.basis.order.to(bessel) * (math.pi / radius)
    if bessel.shape != wanted.shape or not torch.allclose(bessel, wanted, rtol=1e-5):
        raise ValueError(
            f"radial_embedding.bessel_fn.bessel_weights must be k pi / radius for {len(wanted)} "
            f"functions and radius {radius}, got {bessel.tolist()}"
        )
    species, channels = model.embedding.attributes, model.embedding.out_channels
    embedding = given.take("node_embedding.linear.weight", species, channels)
    fill(model.embedding.weight, embedding / species**0.5)
    scale = given.optional("scale_shift.scale", 1.0)
    for number, (layer, readout) in enumerate(zip(model.layers, model.readouts, strict=True)):
        assert isinstance(layer, MACELayer)
        _load_layer(layer, given, number, species)
        _load_readout(readout, given, f"readouts.{number}", scale)
    shift = given.optional("scale_shift.shift", 0.0)
    constants = given.take("atomic_energies_fn.atomic_energies", species) + shift
    given.finish()
    return constants


def _load_layer(layer: MACELayer, given: GivenWeights, number: int, species: int) -> None:
    name = f"interactions.{number}"
    _load_atomic_basis(layer.atomic_basis, given, name)
    degrees, _, channels, _ = layer.skip.weight.shape
    skip = given.take(f"{name}.skip_tp.weight", degrees, channels, species, channels)
    fill(layer.skip.weight, skip.transpose(1, 2) / species**0.5)
    contractions = f"products.{number}.symmetric_contractions.contractions"
    _load_contraction(layer.contraction, given, contractions)
    weight = layer.linear.weight
    fill(weight, given.take(f"products.{number}.linear.weight", *weight.shape))


def _load_atomic_basis(layer: AtomicBasis, given: GivenWeights, name: str) -> None:
    weight = layer.linear_in.weight
    fill(weight, given.take(f"{name}.linear_up.weight", *weight.shape))
    for number, own in enumerate(layer.radial):
        value = given.take(f"{name}.conv_tp_weights.layer{number}.weight", *own.shape)
        if number:
            value = value * _RATIO
        if number + 1 == len(layer.radial):  # the published edge vectors have the other direction
            signs = [(-1) ** path.degrees[1] for path in layer.paths.paths]
            value = value * value.new_tensor(signs).repeat_interleave(layer.channels)
        fill(own, value)
    sizes = [own.numel() for own in layer.linear_out]
    published = given.take(f"{name}.linear.weight", sum(sizes))
    for own, value in zip(layer.linear_out, published.split(sizes), strict=True):
        fill(own, value)


def _load_contraction(layer: SymmetricContraction, given: GivenWeights, name: str) -> None:
    """Change the basis of the couplings: published polynomials as combinations of ours."""
    parts = []
    for degree, counts in enumerate(layer.counts):
        of_degree = f"{name}.{degree}"
        for order in range(1, layer.correlation + 1):
            couplings = given.take(f"{of_degree}.U_matrix_{order}")
            known = "weights_max" if order == layer.correlation else None
            key = f"{of_degree}.{known or f'weights.{layer.correlation - 1 - order}'}"
            values = given.take(key, layer.attributes, couplings.shape[-1], layer.channels)
            change = _change_of_basis(layer, couplings, degree, order)
            assert change.shape[1] == counts[order - 1]
            parts.append(torch.einsum("skc,kn->snc", values, change))
    fill(layer.weight, torch.cat(parts, 1))


def _change_of_basis(
    layer: SymmetricContraction, couplings: Tensor, degree: int, order: int
) -> Tensor:
    """``[K_published, K]``: coefficients of the published polynomials in our basis."""
    size = (layer.degree_in + 1) ** 2
    shape = (2 * degree + 1, *(size,) * order, couplings.shape[-1])
    if couplings.numel() != math.prod(shape):
        raise ValueError(
            f"weights do not fit the model: U_matrix_{order} of degree {degree} must have shape "
            f"{shape[:-1]} times paths, got {tuple(couplings.shape)}"
        )
    # Coefficients of monomials: entries with the same components in any order are added.
    entries = couplings.reshape(2 * degree + 1, -1, shape[-1])
    grid = torch.cartesian_prod(*[torch.arange(size)] * order).reshape(-1, order)
    rows, where = grid.sort(1).values.unique(dim=0, return_inverse=True)
    summed = entries.new_zeros(len(entries), len(rows), shape[-1]).index_add_(1, where, entries)
    own = layer.polynomials_of(degree, order)
    place = {tuple(row): n for n, row in enumerate(rows.tolist())}
    columns = [place[tuple(row)] for row in own.monomials.tolist()]
    spread = entries.new_zeros(len(own.coefficients), len(entries), len(rows))
    spread[:, :, columns] = own.coefficients
    ours, published = spread.flatten(1).T, summed.flatten(0, 1)
    change = torch.linalg.lstsq(ours, published).solution
    residual = float((ours @ change - published).norm() / published.norm())
    if not residual < _TOLERANCE:
        raise ValueError(
            f"couplings of order {order} and degree {degree} are not spanned by symmetric "
            f"equivariant polynomials: relative residual {residual:.1e}"
        )
    return change.T


def _load_readout(readout: nn.Module, given: GivenWeights, name: str, scale: float) -> None:
    if isinstance(readout, LinearReadout):
        assert readout.scalar is not None
        own = readout.scalar.weight
        fill(own, scale * given.take(f"{name}.linear.weight", *own.shape))
        return
    assert isinstance(readout, GatedReadout)
    first, second = readout.scalar_1, readout.outputs.scalar
    assert first is not None and second is not None
    fill(first.weight, given.take(f"{name}.linear_1.weight", *first.weight.shape))
    value = given.take(f"{name}.linear_2.weight", *second.weight.shape)
    fill(second.weight, scale * _RATIO * value)
