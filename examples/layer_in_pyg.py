"""A geozoo layer inside an ordinary PyTorch Geometric model.

    python examples/layer_in_pyg.py

`PointConv` is PONITA's convolution without orientations: its kernel is a function of the distance.
Here it is combined with PyG's own layers and operates on PyG batches directly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MLP, global_add_pool

from geozoo.nn import KernelBasis, PointConv


class DistanceModel(nn.Module):
    """PyG's MLP, a geozoo convolution, PyG's pooling."""

    def __init__(self, in_channels: int, channels: int = 32, basis: int = 16) -> None:
        super().__init__()
        self.embed = MLP([in_channels, channels, channels], norm=None)
        self.basis = KernelBasis(1, channels, basis, degree=2)
        self.conv = PointConv(channels, channels, basis)
        self.readout = MLP([channels, channels, 1], norm=None)

    def forward(self, data: Batch) -> Tensor:
        """One value per graph ``[G]``."""
        sender, receiver = data.edge_index
        distance = (data.pos[sender] - data.pos[receiver]).norm(dim=-1, keepdim=True)
        hidden = self.embed(data.x)
        hidden = hidden + self.conv(hidden, self.basis(distance), data.edge_index)
        return global_add_pool(self.readout(hidden), data.batch).squeeze(-1)


def random_graph(size: int) -> Data:
    """A fully connected graph of random points; the target is their radius of gyration."""
    pos = torch.randn(size, 3)
    edge_index = (~torch.eye(size, dtype=torch.bool)).nonzero().T
    spread = (pos - pos.mean(0)).square().sum(-1).mean().sqrt()
    return Data(x=torch.ones(size, 1), pos=pos, edge_index=edge_index, y=spread)


def main() -> None:
    """Train on random point clouds."""
    torch.manual_seed(0)
    graphs = Batch.from_data_list([random_graph(4 + k % 5) for k in range(256)])
    model = DistanceModel(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(201):
        optimizer.zero_grad()
        loss = (model(graphs) - graphs.y).square().mean()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step:3d}: error {loss.sqrt():.3f} of {graphs.y.std():.3f}")


if __name__ == "__main__":
    main()
