"""Weights of published SevenNet networks, mapped to those of NequIP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from geozoo.models.conversion._given_weights import GivenWeights, fill
from geozoo.models.nequip import NequIP
from geozoo.nn.steerable import TensorProductConv
from geozoo.ops.steerable import coupling

#: Factor of SiLU in the published radial networks: an estimate of the inverse root mean square.
_SILU_SCALE = 1.6791767923989418
#: Relative deviation of published coupling coefficients, in float32, from ours.
_TOLERANCE = 1e-5
#: Parts of names in checkpoints before version 0.9.2, and those of later ones.
_FORMER = {
    "EdgeEmbedding": "edge_embedding", "denumerator": "denominator",
    "reducing nn input to hidden": "reduce_input_to_hidden",
    "reducing nn hidden to energy": "reduce_hidden_to_energy", " ": "_",
}  # fmt: skip
#: What the published networks may vary, and the only value of everything else that is supported.
_EXPECTED: Mapping[str, Any] = {
    "_model_type": "E3_equivariant_model", "is_parity": False, "lmax_edge": -1, "lmax_node": -1,
    "self_connection_type": "linear", "act_radial": "silu", "use_bias_in_linear": False,
    "readout_as_fcn": False, "act_gate": {"e": "silu", "o": "tanh"},
    "act_scalar": {"e": "silu", "o": "tanh"},
}  # fmt: skip


class SevenNetConstants(NamedTuple):
    """What a published network adds to, and multiplies, the outputs of `NequIP`.

    Attributes:
        shift: ``[S]`` energy in eV added for each atom of an element, in the order of the columns.
        scale: ``[S]`` factor of the energies of atoms, in eV.
    """

    shift: Tensor
    scale: Tensor


def sevennet_elements(config: Mapping[str, Any]) -> list[int]:
    """Atomic numbers of the published columns, in their order.

    Args:
        config: config of the published checkpoint, as plain data.
    """
    columns = config["_type_map"]
    return sorted(columns, key=lambda number: columns[number])


def sevennet_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `NequIP` that make it the network of a published checkpoint.

    Args:
        config: config of the checkpoint, as plain data.

    Raises:
        ValueError: If the config is of a variant that is not supported.
    """
    odd = {k: config[k] for k, v in _EXPECTED.items() if k in config and config[k] != v}
    irreps = config["irreps_manual"]
    basis, window = config["radial_basis"], config["cutoff_function"]
    name = window["cutoff_function_name"]
    if odd or len(set(irreps[1:-1])) > 1 or basis["radial_basis_name"] != "bessel":
        raise ValueError(f"config must be one of a supported variant of SevenNet, got {odd}")
    if name not in ("XPLOR", "poly_cut"):
        raise ValueError(f"cutoff_function_name must be XPLOR or poly_cut, got {name!r}")
    widths = config["weight_nn_hidden_neurons"]
    if len(set(widths)) > 1:
        raise ValueError(f"weight_nn_hidden_neurons must be equal, got {widths}")
    is_xplor = name == "XPLOR"
    return {
        "in_channels": config["_number_of_species"], "out_channels": 1, "dim": 3,
        "degree": config["lmax"], "num_layers": config["num_convolution_layer"],
        "num_basis": basis["bessel_basis_num"], "radial_channels": widths[0],
        "radius": config["cutoff"],
        "options": {
            "irreps": irreps[1], "parity": False, "self_connection": "linear", "gate": "silu",
            "radial_layers": len(widths), "radial_bias": False, "trainable_basis": True,
            "scalar_bias": bool(config.get("use_modality", False)), "window_place": "basis",
            "solid_harmonics": not config.get("_normalize_sph", False),
            "window_power": 6 if is_xplor else int(window["poly_cut_p_value"]),
            "window_start": float(window["cutoff_on"]) if is_xplor else None,
        },
    }  # fmt: skip


def _name_of_today(name: str) -> str:
    """A published name in the spelling of later versions of SevenNet."""
    for old, new in _FORMER.items():
        name = name.replace(old, new)
    return name


@torch.no_grad()
def load_sevennet_weights(
    model: NequIP,
    weights: Mapping[str, Tensor],
    *,
    order: Sequence[int] | None = None,
    fidelity: int | None = None,
) -> SevenNetConstants:
    """Load the weights of a published SevenNet checkpoint into a model of the same sizes.

    The published Bessel functions and activations have other factors, some coupling coefficients
    the other sign, and two linear maps give the energy; all are multiplied into our weights. Of
    several fidelities (levels of theory), one is chosen: its embedding becomes the biases of
    scalars.

    Args:
        model: see `sevennet_arguments`.
        weights: state dict with the published names.
        order: published column of each of our columns; None: the same order.
        fidelity: index of the fidelity, for checkpoints with several.

    Returns:
        Shift and scale of the energies of atoms, which are not weights of the model.

    Raises:
        ValueError: If names or shapes do not match, or ``fidelity`` is missing or unknown.
    """
    given = GivenWeights({_name_of_today(name): value for name, value in weights.items()})
    species, (size, _) = model.in_channels, model.embedding.irreps_out[0]
    columns = torch.arange(species) if order is None else torch.tensor(order)
    radius = model.basis.radius
    fill(model.basis.order, given.take("edge_embedding.basis_function.coeffs") * radius / math.pi)
    embedding = given.take("onehot_to_feature_x.linear.weight", species, size)
    fill(model.embedding.weight, embedding[columns])
    for step, (conv, connection) in enumerate(
        zip(model.convolutions, model.connections, strict=True)
    ):
        assert isinstance(conv, TensorProductConv) and isinstance(connection.weight, Tensor)
        fill(connection.weight, given.take(f"{step}_self_connection_intro.linear.weight"))
        _load_linear(conv.linear_1, given, f"{step}_self_interaction_1", fidelity)
        _load_linear(conv.linear_2, given, f"{step}_self_interaction_2", fidelity)
        _load_radial(conv, given, f"{step}_convolution", radius)
        divisor = float(given.take(f"{step}_convolution.denominator", 1))
        factor = 1 / (divisor * conv.scale)
        conv.linear_2.weight.mul_(factor)
    _load_readout(model, given, fidelity)
    shift = given.take("rescale_atomic_energy.shift").reshape(-1, species)
    scale = given.take("rescale_atomic_energy.scale").expand(species)
    given.finish()
    if (fidelity is None) != (len(shift) == 1) or not 0 <= (fidelity or 0) < len(shift):
        raise ValueError(
            f"fidelity must be an index below {len(shift)} for weights of {len(shift)} fidelities, "
            f"None for one, got {fidelity!r}"
        )
    return SevenNetConstants(shift[fidelity or 0][columns], scale[columns])


def _load_linear(linear: Any, given: GivenWeights, name: str, fidelity: int | None) -> None:
    """Load a linear map; published fidelities are further scalar inputs, at its end."""
    published = given.take(f"{name}.linear.weight")
    count = linear.weight_numel
    scalars = linear.irreps_out[0].mul
    kept, rest = published[:count], published[count:].reshape(-1, scalars)
    fill(linear.weight, kept)
    if linear.bias_numel == 0:
        if len(rest):
            raise ValueError(f"model must have options.scalar_bias for {name} with fidelities")
        return
    before = linear.irreps_in[0].mul
    inside = before + len(rest)
    scalar = linear.weight[: before * scalars]  # the block of scalars comes first
    scalar.mul_((before / inside) ** 0.5)
    fill(linear.bias, rest[fidelity or 0] / inside**0.5)


def _load_radial(conv: TensorProductConv, given: GivenWeights, name: str, radius: float) -> None:
    layers = [layer for layer in conv.radial if isinstance(layer, torch.nn.Linear)]
    for number, layer in enumerate(layers):
        before, after = layer.in_features, layer.out_features
        value = given.take(f"{name}.weight_nn.layer{number}.weight", before, after).T / before**0.5
        # Published Bessel functions have the factor 2 / radius, ours its root.
        value = value * (_SILU_SCALE if number else (2 / radius) ** 0.5)
        if number + 1 == len(layers):
            value = _with_our_couplings(conv, given, name, value)
        fill(layer.weight, value)


def _with_our_couplings(
    conv: TensorProductConv, given: GivenWeights, name: str, rows: Tensor
) -> Tensor:
    """Rows of the paths of a product, for our coupling coefficients.

    Couplings of three degrees are unique but for their sign, which depends on the version of e3nn
    and is stored with the weights.
    """
    parts = []
    for path, part in zip(
        conv.paths.paths, rows.split([p.channels for p in conv.paths.paths]), strict=True
    ):
        label = "_".join(map(str, path.degrees))
        key = f"{name}.convolution._compiled_main_left_right._w3j_{label}"
        if key in given.left:
            ours = coupling(path.degrees)
            sign = float((given.left[key].double() * ours).sum())
            if not abs(abs(sign) - 1) < _TOLERANCE:
                raise ValueError(
                    f"weights do not fit the model: {key} must be the coupling coefficients of the "
                    f"degrees {path.degrees}, got {sign:.3g} times them"
                )
            part = part * round(sign)
        parts.append(part)
    return torch.cat(parts)


def _load_readout(model: NequIP, given: GivenWeights, fidelity: int | None) -> None:
    before = model.readout.irreps_in[0].mul
    first = given.take("reduce_input_to_hidden.linear.weight")
    second = given.take("reduce_hidden_to_energy.linear.weight")
    hidden = len(second)
    first = first.reshape(-1, hidden)
    energy = first @ second / (len(first) * hidden) ** 0.5
    fill(model.readout.weight, energy[:before] * before**0.5)
    if model.readout.bias_numel:
        fill(model.readout.bias, energy[before + (fidelity or 0)].reshape(1))
