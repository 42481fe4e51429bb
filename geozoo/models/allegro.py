"""Allegro: strictly local equivariant features of ordered pairs of atoms."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from geozoo.checks import check_positive
from geozoo.models._allegro_options import AllegroOptions, tensor_kinds
from geozoo.models._element_scaling import ElementScaling
from geozoo.models._point_network import PointNetwork
from geozoo.models._steerable import check_space, edge_harmonics
from geozoo.nn import BesselBasis, PairProduct, PolynomialWindow
from geozoo.nn.edges import DirectedEdges
from geozoo.nn.steerable import as_edge_rows, perceptron, weighted_harmonics
from geozoo.ops import safe_norm, scatter
from geozoo.ops.steerable import EdgeRows
from geozoo.options import grouped

_DEFAULT = AllegroOptions()


class Allegro(PointNetwork):
    r"""Strictly local interatomic potential: energies of pairs, no messages between atoms.

    Every ordered pair of neighbours (i, j) has scalars x and tensors V, and depends on the
    neighbours of i only. A layer multiplies V by the environment of i and updates the scalars:

    .. math::
        V_{ij} &\leftarrow W \bigl( V_{ij} \otimes \tfrac{1}{\sqrt{n}} \textstyle\sum_{k \to i}
            (A x_{ik})\, Y(\hat r_{ik}) \bigr) \\
        x_{ij} &\leftarrow \bigl(x_{ij} + \alpha\, u(r_{ij})\, \mathrm{MLP}(x_{ij}, V_{ij}^{l=0})
            \bigr) / \sqrt{1 + \alpha^2}

    beginning with :math:`x_{ij} = u\, \mathrm{MLP}(x_i, x_j, B(r_{ij}))` and
    :math:`V_{ij} = (A_0 x_{ij})\, Y(\hat r_{ij})`. A node's output is the sum over its pairs,
    divided by :math:`\sqrt{n}`; without neighbours it is exactly 0.

    Args:
        in_channels: scalar features per node.
        out_channels: scalar outputs.
        in_vectors: vector features per node. They are added to the first tensors, and their lengths
            to the scalar features.
        out_vectors: vector outputs, linear in the last tensors, weighted by scalars.
        dim: 3.
        level: ``"graph"``: outputs are summed over the nodes of each graph; ``"node"``: per node.
        hidden_channels: scalars of a pair.
        tensor_channels: channels of each irrep of its tensors.
        degree: maximum degree of tensors and spherical harmonics.
        num_layers: number of layers.
        num_basis: number of radial Bessel functions.
        num_neighbors: average number n of neighbours, for normalisation.
        radius: cutoff in the unit of the positions, which is the range of the whole network.
        options: sizes of the perceptrons, and variants of the equations.

    Raises:
        ValueError: If a size or an option is invalid, or ``dim`` is not 3.
        ImportError: If e3nn is not installed.

    Reference:
        A. Musaelian et al., Learning local equivariant representations for large-scale atomistic
        dynamics, Nat. Commun. 14, 579 (2023), arXiv:2204.05249.

    >>> import torch
    >>> model = Allegro(2, 1, hidden_channels=4, tensor_channels=2, degree=1, num_layers=1)
    >>> batch = torch.zeros(4, dtype=torch.long)
    >>> model(torch.randn(4, 3), torch.randn(4, 2), batch).scalar.shape
    torch.Size([1, 1])
    """

    #: Supported spatial dimensions.
    dims: ClassVar[tuple[int, ...]] = (3,)

    @grouped("options")
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        level: Literal["node", "graph"] = "graph",
        hidden_channels: int = 64,
        tensor_channels: int = 16,
        degree: int = 2,
        num_layers: int = 2,
        num_basis: int = 8,
        num_neighbors: float = 15.0,
        radius: float = 5.0,
        options: AllegroOptions = _DEFAULT,
    ) -> None:
        super().__init__(
            in_channels, out_channels, in_vectors=in_vectors, out_vectors=out_vectors, dim=dim,
            level=level, radius=radius,
        )  # fmt: skip
        check_space(dim)
        check_positive(
            hidden_channels=hidden_channels, tensor_channels=tensor_channels, degree=degree,
            num_layers=num_layers,
        )  # fmt: skip
        self.hidden_channels, self.tensor_channels = hidden_channels, tensor_channels
        self.degree, self.options = degree, options
        self.basis = BesselBasis(num_basis, radius, trainable=options.trainable_basis)
        self.window = PolynomialWindow(radius, options.window_power)
        self._make_start(num_basis)
        kinds = tensor_kinds(
            num_layers, degree, parity=options.parity, vectors=out_vectors > 0
        )  # fmt: skip
        self.products = nn.ModuleList(
            PairProduct(
                before, after, channels=tensor_channels, degree=degree, mixing=options.mixing,
                num_neighbors=num_neighbors,
            )
            for before, after in zip(kinds, kinds[1:], strict=False)
        )  # fmt: skip
        self.scale = num_neighbors**-0.5
        self._make_latents(num_layers)
        is_dense = options.latent == "dense"
        features = hidden_channels * (num_layers + 1 if is_dense else 1)
        hidden = options.hidden("readout", hidden_channels)
        self.readout = (
            perceptron([features, *hidden, out_channels], bias=False) if out_channels else None
        )
        self.arrows: nn.ModuleDict | None = None
        if out_vectors:
            self.arrows = nn.ModuleDict(
                {
                    "gate": perceptron([features, tensor_channels], bias=False),
                    "map": perceptron([tensor_channels, out_vectors], bias=False),
                }
            )
        self.scaling = (
            ElementScaling(max(in_channels, 1), out_channels) if options.element_scaling else None
        )

    @property
    def last_weights(self) -> tuple[str, ...]:
        """See `geozoo.contracts.LinearlyRead`."""
        return () if self.readout is None else (f"readout.{len(self.readout) - 1}.*",)

    def _make_start(self, num_basis: int) -> None:
        """Make the maps from nodes and distances to the first scalars and tensors of a pair."""
        options, width = self.options, self.hidden_channels
        inputs = max(self.in_channels, 1) + self.in_vectors
        hidden = options.hidden("two_body", width)
        self.nodes: nn.ModuleDict | None = None
        if options.two_body == "product":
            self.nodes = nn.ModuleDict(
                {
                    "receiver": nn.Linear(inputs, width - width // 2, bias=False),
                    "sender": nn.Linear(inputs, width // 2, bias=False),
                    "basis": perceptron([num_basis, width], bias=False),
                }
            )
        first = width if options.two_body == "product" else 2 * inputs + num_basis
        self.two_body = perceptron([first, *hidden, width], bias=False)
        weights = self.tensor_channels * (self.degree + 1)
        arrows = 2 * self.tensor_channels * (self.in_vectors > 0)
        self.start = perceptron([width, weights + arrows], bias=False)
        self.vectors = nn.Linear(self.in_vectors, arrows, bias=False) if arrows else None

    def _make_latents(self, num_layers: int) -> None:
        """Make the maps that update the scalars and weigh the environments."""
        width, weights = self.hidden_channels, self.tensor_channels * (self.degree + 1)
        is_dense = self.options.latent == "dense"
        hidden = self.options.hidden("latent", width)
        maps: list[nn.Module] = []
        for step in range(num_layers):
            known = width * (step + 1 if is_dense else 1)
            out = width + (weights if is_dense and step + 1 < num_layers else 0)
            # Scalars weigh the environments that multiply the tensors that scalars depend on: small
            # changes at first keep this from growing with the square at every layer.
            gain = 1.0 if is_dense else 0.3
            sizes = [known + self.tensor_channels, *hidden, out]
            maps.append(perceptron(sizes, bias=False, gain=gain))
        self.latents = nn.ModuleList(maps)
        environments = [[width, width + weights]] if is_dense else [[width, weights]] * num_layers
        self.environments = nn.ModuleList(perceptron(each, bias=False) for each in environments)

    def evaluate(
        self, pos: Tensor, x: Tensor | None, vec: Tensor | None, edges: DirectedEdges
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return scalars and vectors; see `PointNetwork.evaluate`."""
        distance, harmonics = edge_harmonics(pos, edges, self.degree)
        window = self.window(distance).unsqueeze(-1)
        rows = as_edge_rows(edges, pos.shape[0])
        given = pos.new_ones(pos.shape[0], 1) if x is None else x
        nodes = given if vec is None else torch.cat([given, safe_norm(vec)], -1)
        pair = self._first_scalars(nodes, self.basis(distance), window, rows)
        tensor = self._first_tensors(pair, vec, harmonics, rows)
        update = self._dense if self.options.latent == "dense" else self._residual
        features, tensor = update(pair, tensor, harmonics, window, rows, pos.shape[0])
        scalar, vector = None, None
        if self.readout is not None:
            scalar = scatter(self.scale * self.readout(features), rows.receiver, pos.shape[0])
            if self.scaling is not None:
                scalar = self.scaling(scalar, given)
        if self.arrows is not None:
            last = tensor.unflatten(1, (-1, self.tensor_channels))[:, 1:4]
            gate = self.arrows["gate"](features).unsqueeze(1)
            arrows = self.arrows["map"](gate * last).transpose(1, 2)
            vector = scatter(self.scale * arrows, rows.receiver, pos.shape[0])
        return scalar, vector

    def _first_scalars(
        self, nodes: Tensor, basis: Tensor, window: Tensor, rows: EdgeRows
    ) -> Tensor:
        if self.nodes is None:
            ends = [nodes.index_select(0, end) for end in (rows.receiver, rows.sender)]
            return self.two_body(torch.cat([*ends, basis], -1)) * window
        ends = [
            self.nodes[name](nodes).index_select(0, end)
            for name, end in (("receiver", rows.receiver), ("sender", rows.sender))
        ]
        return self.two_body(self.nodes["basis"](basis * window) * torch.cat(ends, -1))

    def _first_tensors(
        self, pair: Tensor, vec: Tensor | None, harmonics: Tensor, rows: EdgeRows
    ) -> Tensor:
        weight = self.start(pair)
        if self.vectors is None or vec is None:
            return weighted_harmonics(harmonics, weight, self.degree)
        count = self.tensor_channels
        weight, arrows = weight.split([count * (self.degree + 1), 2 * count], 1)
        tensor = weighted_harmonics(harmonics, weight, self.degree)
        mapped = self.vectors(vec.transpose(1, 2))  # [N, 3, 2 C]
        ends = [
            part.index_select(0, end) * scale.unsqueeze(1)
            for part, end, scale in zip(
                mapped.chunk(2, -1), (rows.receiver, rows.sender), arrows.chunk(2, -1), strict=True
            )
        ]
        scalars, vectors, rest = tensor.split([count, 3 * count, tensor.shape[1] - 4 * count], 1)
        return torch.cat([scalars, vectors + (ends[0] + ends[1]).flatten(1), rest], 1)

    def _residual(
        self, x: Tensor, tensor: Tensor, harmonics: Tensor, window: Tensor, rows: EdgeRows,
        num_nodes: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Layers whose scalars are weighted means of old and new ones."""
        new, norm = self.options.mixing_weight, (1 + self.options.mixing_weight**2) ** 0.5
        for product, latent, environment in zip(
            self.products, self.latents, self.environments, strict=True
        ):
            tensor = product(tensor, harmonics, environment(x), rows, num_nodes)
            change = latent(torch.cat([x, tensor[:, : self.tensor_channels]], -1)) * window
            x = (x + new * change) / norm
        return x, tensor

    def _dense(
        self, x: Tensor, tensor: Tensor, harmonics: Tensor, window: Tensor, rows: EdgeRows,
        num_nodes: int,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Layers that read the scalars of all layers before."""
        del window  # the first scalars vanish at the cutoff, so all others do without biases
        sizes: Any = [self.hidden_channels, self.tensor_channels * (self.degree + 1)]
        scalars, weight = self.environments[0](x).split(sizes, 1)
        known = [scalars]
        for product, latent in zip(self.products, self.latents, strict=True):
            tensor = product(tensor, harmonics, weight, rows, num_nodes)
            out = latent(torch.cat([*known, tensor[:, : self.tensor_channels]], -1))
            known.append(out[:, : self.hidden_channels])
            weight = out[:, self.hidden_channels :]
        return torch.cat(known, -1), tensor
