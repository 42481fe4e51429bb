"""Drawing molecules from a trained diffusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geozoo.diffusion import Cloud, Diffusion, Network, Points

#: More are drawn in several calls with seeds of their own.
MAX_SAMPLES = 1_000_000


@dataclass(frozen=True)
class SampledMolecules:
    """Molecules, one after the other.

    Attributes:
        pos: ``[N, 3]`` in angstrom, on the CPU like the rest.
        z: ``[N]`` atomic numbers.
        counts: ``[G]`` atoms of each molecule.
    """

    pos: Tensor
    z: Tensor
    counts: Tensor

    def __len__(self) -> int:
        """Number of molecules."""
        return len(self.counts)

    @property
    def batch(self) -> Tensor:
        """``[N]`` molecule of each atom."""
        return torch.repeat_interleave(torch.arange(len(self)), self.counts)

    def first(self, count: int) -> SampledMolecules:
        """The first ones, at most ``count``."""
        counts = self.counts[:count]
        atoms = int(counts.sum())
        return SampledMolecules(self.pos[:atoms], self.z[:atoms], counts)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Positions and atomic numbers of each molecule."""
        sizes = self.counts.tolist()
        return zip(self.pos.split(sizes), self.z.split(sizes), strict=True)


class MoleculeSampler:
    """Numbers of atoms as in the training part, then the diffusion's own sampler.

    Args:
        process: the diffusion.
        sizes: how many training molecules have 0, 1, 2, ... atoms.
        elements: atomic number of each class.
        num_features: features of an atom.
        batch_size: molecules drawn at once.
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
        """Log-probability of a number of atoms; of one that training never saw, minus infinity."""
        share = self.sizes / self.sizes.sum()
        place = counts.cpu().clamp(max=len(share) - 1)
        return torch.where(counts.cpu() < len(share), share[place], 0.0).log().to(counts.device)

    def draw(
        self,
        network: Callable[[Cloud], Network],
        num_samples: int,
        *,
        seed: int,
        device: torch.device,
        progress: Callable[[int], None] | None = None,
    ) -> SampledMolecules:
        """Draw molecules; the same seed gives the same ones on any device, up to rounding.

        Args:
            network: the trained network for some cloud.
            num_samples: how many.
            seed: of sizes and noise.
            device: where the network is.
            progress: called with the number of molecules finished.

        Raises:
            ValueError: for a number below 1 or above a million.
        """
        if not 1 <= num_samples <= MAX_SAMPLES:
            raise ValueError(f"num_samples must be in 1..{MAX_SAMPLES}, got {num_samples!r}")
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.multinomial(self.sizes, num_samples, replacement=True, generator=generator)
        # Molecules of like size together; their places among the samples stay as drawn.
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
    back = [molecules[place] for place in order.argsort().tolist()]
    pos, z = (torch.cat(values) for values in zip(*back, strict=True))
    return SampledMolecules(pos, z, torch.tensor([len(atoms) for _, atoms in back]))
