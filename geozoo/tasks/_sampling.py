"""Sampling molecules from a trained diffusion model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geozoo.diffusion import Cloud, Diffusion, Network, Points

#: Larger numbers need several calls with different seeds.
MAX_SAMPLES = 1_000_000


@dataclass(frozen=True)
class SampledMolecules:
    """Sampled molecules, concatenated; all tensors are on the CPU.

    Attributes:
        pos: atom positions ``[N, 3]`` in angstrom.
        z: atomic numbers ``[N]``.
        counts: number of atoms in each molecule ``[G]``.
    """

    pos: Tensor
    z: Tensor
    counts: Tensor

    def __len__(self) -> int:
        """Number of molecules."""
        return len(self.counts)

    @property
    def batch(self) -> Tensor:
        """Index of the molecule of each atom ``[N]``."""
        return torch.repeat_interleave(torch.arange(len(self)), self.counts)

    def first(self, count: int) -> SampledMolecules:
        """The first molecules, at most ``count``."""
        counts = self.counts[:count]
        atoms = int(counts.sum())
        return SampledMolecules(self.pos[:atoms], self.z[:atoms], counts)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over the positions and atomic numbers of each molecule."""
        sizes = self.counts.tolist()
        return zip(self.pos.split(sizes), self.z.split(sizes), strict=True)


class MoleculeSampler:
    """Samples molecule sizes from the training distribution, then atoms by reverse diffusion.

    Args:
        process: the diffusion process.
        sizes: number of training molecules with 0, 1, 2, ... atoms.
        elements: atomic number of each class.
        num_features: number of features per atom.
        batch_size: molecules sampled together.
    """

    def __init__(
        self,
        process: Diffusion,
        *,
        sizes: Sequence[int],
        elements: Sequence[int],
        num_features: int,
        batch_size: int,
    ) -> None:
        self.process, self.batch_size, self.num_features = process, batch_size, num_features
        self.sizes = torch.tensor(sizes, dtype=torch.float64)
        self.elements = torch.tensor(elements)

    def log_size(self, counts: Tensor) -> Tensor:
        """Log-probability of molecule sizes; minus infinity for sizes not in the training split."""
        share = self.sizes / self.sizes.sum()
        index = counts.cpu().clamp(max=len(share) - 1)
        return torch.where(counts.cpu() < len(share), share[index], 0.0).log().to(counts.device)

    def draw(
        self,
        network: Callable[[Cloud], Network],
        num_samples: int,
        *,
        seed: int,
        device: torch.device,
        progress: Callable[[int], None] | None = None,
    ) -> SampledMolecules:
        """Sample molecules; the same seed gives the same molecules on any device, up to rounding.

        Args:
            network: returns the trained network for a point cloud.
            num_samples: number of molecules.
            seed: seed of sizes and noise.
            device: device of the network.
            progress: called with the number of molecules finished since the last call.

        Raises:
            ValueError: If ``num_samples`` is below 1 or above a million.
        """
        if not 1 <= num_samples <= MAX_SAMPLES:
            raise ValueError(f"num_samples must be in 1..{MAX_SAMPLES}, got {num_samples!r}")
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.multinomial(self.sizes, num_samples, replacement=True, generator=generator)
        # Batches hold molecules of similar size; the output is in the order of the drawn sizes.
        order = drawn.argsort(stable=True)
        parts: list[SampledMolecules] = []
        for chosen in order.split(self.batch_size):
            parts.append(self._draw_batch(network, drawn[chosen], generator, device))
            if progress is not None:
                progress(len(chosen))
        return _in_order(parts, order)

    def _draw_batch(
        self,
        network: Callable[[Cloud], Network],
        counts: Tensor,
        generator: torch.Generator,
        device: torch.device,
    ) -> SampledMolecules:
        owner = torch.repeat_interleave(torch.arange(len(counts)), counts).to(device)
        cloud = Cloud(owner, len(counts))
        like = Points(
            torch.zeros(len(owner), 3, device=device),
            torch.zeros(len(owner), self.num_features, device=device),
        )
        points = self.process.sample(network(cloud), like, cloud, generator)
        z = self.elements[self.process.classes(points.x).cpu()]
        return SampledMolecules(points.pos.cpu(), z, counts)


def _in_order(parts: Sequence[SampledMolecules], order: Tensor) -> SampledMolecules:
    molecules = [molecule for part in parts for molecule in part]
    restored = [molecules[index] for index in order.argsort().tolist()]
    pos, z = (torch.cat(values) for values in zip(*restored, strict=True))
    return SampledMolecules(pos, z, torch.tensor([len(atoms) for _, atoms in restored]))
