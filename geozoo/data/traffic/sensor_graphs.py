"""Adjacency matrices of sensor networks from distances, coordinates and daily profiles."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

_EARTH_RADIUS_KM = 6371.0088
Matrix = Float[Tensor, "N N"]


def distances_from_edges(
    edges: Int[Tensor, "2 E"], costs: Float[Tensor, " E"], num_nodes: int
) -> Matrix:
    """Matrix of road distances from a list of roads, infinite where no road is listed.

    Args:
        edges: row 0 the start sensor of each road, row 1 its end sensor.
        costs: road lengths; of duplicate roads, the shortest counts.
        num_nodes: number of sensors ``N``.

    Raises:
        ValueError: If a sensor is not in ``0..num_nodes - 1``, or a length is negative or NaN.
    """
    if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= num_nodes):
        raise ValueError(
            f"edges must be sensor indices in 0..{num_nodes - 1}, got {int(edges.min())}.."
            f"{int(edges.max())}"
        )
    if not bool((costs >= 0).all()):
        raise ValueError(f"costs must not be negative or NaN, got {float(costs.min())}")
    distances = costs.new_full((num_nodes * num_nodes,), torch.inf)
    index = edges[0] * num_nodes + edges[1]
    return distances.scatter_reduce(0, index, costs, "amin").view(num_nodes, num_nodes)


def distances_from_coordinates(coordinates: Float[Tensor, "N 2"]) -> Matrix:
    """Great-circle distances in kilometres from latitude and longitude in degrees.

    Raises:
        ValueError: If the shape is wrong, or a coordinate is out of range.
    """
    if coordinates.dim() != 2 or coordinates.shape[1] != 2:
        raise ValueError(f"coordinates must have shape [N, 2], got {tuple(coordinates.shape)}")
    limit = coordinates.new_tensor([90.0, 180.0])
    if not bool((coordinates.abs() <= limit).all()):
        raise ValueError("coordinates must be degrees: latitude within 90, longitude within 180")
    latitude, longitude = torch.deg2rad(coordinates).unbind(1)
    across = torch.sin((latitude[:, None] - latitude) / 2).square()
    along = torch.sin((longitude[:, None] - longitude) / 2).square()
    product = torch.cos(latitude)[:, None] * torch.cos(latitude)
    return 2 * _EARTH_RADIUS_KM * torch.asin((across + product * along).sqrt().clamp_max(1.0))


def released_gaussian_adjacency(
    distances: Matrix, *, sigma: float = 10.0, threshold: float = 0.5
) -> Matrix:
    r"""Road weights as in the released GRAM-ODE code.

    .. math:: A_{ij} = \exp(-z_{ij}^2 / \sigma^2), \quad z = (d - \bar d) / \text{std}(d),

    zero below the threshold and where no road is listed; mean and standard deviation are over the
    listed roads. Since distances are standardised, both the shortest and the longest roads get
    lower weights than average ones; with :math:`\sigma = 10` nearly all weights are about 1 (0.95
    to 1 on PEMS08).

    Args:
        distances: finite where a road is listed.
        sigma: :math:`\sigma`, squared in the formula; the released code calls it ``sigma2``.
        threshold: smallest weight of an edge.

    Raises:
        ValueError: If the matrix is not square, or a distance is negative or NaN.

    Reference:
        Z. Liu, P. Shojaee, C. K. Reddy, TMLR 2023, section 4; the standardisation follows the
        released code.
    """
    _check_distances(distances)
    listed = torch.isfinite(distances)
    if not bool(listed.any()):
        return torch.zeros_like(distances)
    known = distances[listed]
    scale = known.std(correction=0)
    standard = (distances - known.mean()) / torch.where(scale > 0, scale, torch.ones_like(scale))
    weights = torch.exp(-(standard / sigma).square())
    return torch.where(listed & (weights >= threshold), weights, torch.zeros_like(weights))


def threshold_gaussian_adjacency(distances: Matrix, *, threshold: float = 0.1) -> Matrix:
    r"""The kernel of DCRNN, :math:`\exp(-d_{ij}^2 / \text{std}(d)^2)`, zero below a threshold.

    Directed if the distances are; the standard deviation is over the listed roads.

    Args:
        distances: finite where a road is listed.
        threshold: smallest weight of an edge.

    Raises:
        ValueError: If the matrix is not square, a distance is negative or NaN, or all distances are
            equal.

    Reference:
        Y. Li, R. Yu, C. Shahabi, Y. Liu, ICLR 2018 (arXiv 1707.01926), section 4.
    """
    _check_distances(distances)
    listed = torch.isfinite(distances)
    if not bool(listed.any()):
        return torch.zeros_like(distances)
    scale = distances[listed].std(correction=0)
    if float(scale) == 0.0:
        raise ValueError(
            "distances are all equal: their standard deviation is 0, which cannot scale the kernel"
        )
    weights = torch.exp(-(distances / scale).square())
    return torch.where(weights >= threshold, weights, torch.zeros_like(weights))


def semantic_adjacency(
    distances: Matrix,
    *,
    rule: Literal["closest", "released"] = "closest",
    neighbors: int = 10,
    variance: float = 0.01,
    threshold: float = 0.6,
) -> Matrix:
    r"""Binary adjacency matrix of sensors with similar days.

    ``"closest"``: every sensor is linked to its ``neighbors`` nearest others, and links are
    symmetrised; there are no self-links. This is what the paper describes. ``"released"``: the
    released code standardises all distances, including the zeros on the diagonal, and links pairs
    with :math:`\exp(-z^2 / 0.01) > 0.6`: those at about the *mean* distance (within 0.07 standard
    deviations), not the similar ones.

    Args:
        distances: dynamic time warping distances, symmetric, zero on the diagonal.
        rule: ``"closest"`` or ``"released"``.
        neighbors: number of neighbours for ``"closest"``; at most ``N - 1`` are used.
        variance: denominator in ``"released"``.
        threshold: threshold in ``"released"``.

    Raises:
        ValueError: If the matrix is not square and symmetric, a distance is negative, infinite or
            NaN, the rule is unknown, or ``neighbors`` is below 1.

    Reference:
        Z. Liu, P. Shojaee, C. K. Reddy, TMLR 2023, section 4; Z. Fang, Q. Long, G. Song, K. Xie,
        KDD 2021 (STGODE), section 4.2.
    """
    _check_distances(distances)
    if not bool(torch.isfinite(distances).all()):
        raise ValueError("distances must be finite")
    if not torch.allclose(distances, distances.T):
        raise ValueError("distances must be symmetric")
    if rule not in ("closest", "released"):
        raise ValueError(f"rule must be closest or released, got {rule!r}")
    if neighbors < 1:
        raise ValueError(f"neighbors must be at least 1, got {neighbors}")
    if rule == "released":
        standard = (distances - distances.mean()) / distances.std(correction=0)
        return (torch.exp(-standard.square() / variance) > threshold).to(distances.dtype)
    others = distances.clone()
    others.fill_diagonal_(torch.inf)
    count = min(neighbors, len(distances) - 1)
    nearest = others.topk(count, largest=False).indices
    linked = torch.zeros_like(distances).scatter(1, nearest, 1.0)
    return torch.maximum(linked, linked.T)


def _check_square(name: str, matrix: Tensor) -> None:
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {tuple(matrix.shape)}")


def _check_distances(distances: Tensor) -> None:
    _check_square("distances", distances)
    if not bool((distances >= 0).all()):
        raise ValueError("distances must not be negative or NaN")
