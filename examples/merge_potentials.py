"""Merge two potentials, each trained on one molecule, into one for both: what it gives.

    python examples/merge_potentials.py --folder merged       # reads rMD17; about 13 CPU minutes

1. Train SchNet on ethanol and on malonaldehyde: from one common start (uracil), and from two
   different starts; and, to compare with, on both molecules for the summed number of steps.
2. Align the channels of the second network with those of the first, by the correlation of their
   activations (an assignment problem), and average the weights.
3. Replace the weights of each linear layer, in the order of evaluation, by the solution of a least
   squares problem: on structures of each molecule, without labels, the layer is to give the
   outputs, and their derivatives along random directions, that this molecule's network has.
4. Train the result for a few steps towards the energies and forces of the two networks; the same
   from the average and from the first network.

Weights are kept in the folder: a second call only merges. Steps 2 and 3 follow the idea of
A. Nasery et al., PLeaS: Merging Models with Permutations and Least Squares, CVPR 2025. The
derivatives are added here, because forces are derivatives.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from geozoo.data import RMD17, LoaderOptions
from geozoo.models import SchNet

PAIR = ("ethanol", "malonaldehyde")
#: Energies are in units of 1000 meV, for a common scale of both molecules.
SCALE = 1000.0
#: Displacement in angstrom for derivatives of activations.
_STEP = 1e-3


@dataclass
class Frames:
    """Structures of one molecule; energies relative to the mean training energy."""

    pos: Tensor  #: [F, A, 3] in angstrom
    x: Tensor  #: [A, 9], one-hot elements
    energy: Tensor  #: [F] in eV
    forces: Tensor  #: [F, A, 3] in eV/angstrom

    def first(self, number: int) -> Frames:
        """The first frames."""
        return Frames(self.pos[:number], self.x, self.energy[:number], self.forces[:number])


def read(molecule: str, root: str | None) -> tuple[Frames, Frames]:
    """Training and test frames of official split 01."""
    options = LoaderOptions(batch_size=1000, eval_batch_size=1000)
    data = RMD17(molecule=molecule, root=root, loader=options)
    data.prepare_data()
    parts = []
    for stage in ("fit", "test"):
        data.setup(stage)
        loader = data.train_dataloader() if stage == "fit" else data.test_dataloader()
        batch = next(iter(loader))
        order, number = batch.index.argsort(), batch.num_graphs
        pos, forces = (t.view(number, -1, 3)[order] for t in (batch.pos, batch.forces))
        parts.append(Frames(pos, batch.x.view(number, -1, 9)[0], batch.energy[order], forces))
    mean = parts[0].energy.mean()
    for part in parts:
        part.energy = (part.energy - mean).float() / SCALE
        part.forces = part.forces / SCALE
    return parts[0], parts[1]


def network(seed: int, channels: int) -> SchNet:
    """A new potential."""
    torch.manual_seed(seed)
    return SchNet(9, 1, hidden_channels=channels, num_layers=3, num_basis=32, radius=5.0)


def evaluate(model: nn.Module, pos: Tensor, x: Tensor) -> Tensor:
    """Energies ``[F]`` of structures ``[F, A, 3]``."""
    number, atoms = pos.shape[:2]
    batch = torch.arange(number).repeat_interleave(atoms)
    return model(pos.reshape(-1, 3), x.to(pos.dtype).repeat(number, 1), batch).scalar[:, 0]


def predict(model: nn.Module, frames: Frames, *, train: bool = False) -> tuple[Tensor, Tensor]:
    """Energies and forces."""
    pos = frames.pos.clone().requires_grad_()
    energy = evaluate(model, pos, frames.x)
    (gradient,) = torch.autograd.grad(energy.sum(), pos, create_graph=train)
    return energy, -gradient


def train(model: SchNet, sets: list[Frames], steps: int, rate: float, seed: int) -> SchNet:
    """Train on the sets in turn; returns the moving average of the weights."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.05)
    generator, mean = torch.Generator().manual_seed(seed), copy.deepcopy(model)
    for step in range(steps):
        data = sets[step % len(sets)]
        i = torch.randint(len(data.pos), (10,), generator=generator)
        chosen = Frames(data.pos[i], data.x, data.energy[i], data.forces[i])
        energy, forces = predict(model, chosen, train=True)
        loss = functional.mse_loss(forces, chosen.forces)
        loss = loss + 0.1 * functional.mse_loss(energy, chosen.energy)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for average, weight in zip(mean.parameters(), model.parameters(), strict=True):
                average.lerp_(weight, 0.01)
    return mean


def errors(model: nn.Module, frames: Frames) -> tuple[float, float]:
    """Energy error (meV, mean error of the molecule subtracted) and force error (meV/angstrom)."""
    energy, forces = predict(model, frames)
    off = (energy - frames.energy).detach()
    energy_mae = (off - off.mean()).abs().mean()
    return SCALE * float(energy_mae), SCALE * float((forces - frames.forces).abs().mean())


def channel_groups(model: SchNet) -> dict[str, tuple[str | None, str | None]]:
    """Output and input channels of each linear layer, in the order of evaluation.

    Layers that name the same group must be permuted together; None is a fixed order.
    """
    groups: dict[str, tuple[str | None, str | None]] = {"embedding": ("stream", None)}
    for k in range(len(model.blocks)):
        groups |= {
            f"blocks.{k}.linear_1": (f"filter{k}", "stream"),
            f"blocks.{k}.conv.linear_1": (f"radial{k}", None),
            f"blocks.{k}.conv.linear_2": (f"filter{k}", f"radial{k}"),
            f"blocks.{k}.linear_2": (f"hidden{k}", f"filter{k}"),
            f"blocks.{k}.linear_3": ("stream", f"hidden{k}"),
        }
    return groups | {"readout_1": ("readout", "stream"), "readout_2": (None, "readout")}


def linear(model: SchNet, name: str) -> nn.Linear:
    """A layer by its name."""
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def activations(model: SchNet, pos: Tensor, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Input and output of each linear layer."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda layer, given, out: found.update({name: (given[0], out)})

    hooks = [
        linear(model, name).register_forward_hook(keep(name)) for name in channel_groups(model)
    ]
    with torch.no_grad():
        evaluate(model, pos, x)
    for hook in hooks:
        hook.remove()
    return found


def aligned(first: SchNet, second: SchNet, sets: list[Frames]) -> tuple[SchNet, int]:
    """The second network, the same function, in the channel order of the first.

    Returns it and the number of channels that are moved.
    """
    groups, scores = channel_groups(first), dict[str, Tensor]()
    seen = [[activations(m, s.pos, s.x) for s in sets] for m in (first, second)]
    for name, (out, _) in groups.items():
        if out is None:
            continue
        a, b = (torch.cat([each[name][1] for each in runs]).double() for runs in seen)
        a, b = ((t - t.mean(0)) / (t.std(0) + 1e-9) for t in (a, b))
        scores[out] = scores.get(out, torch.zeros(())) + a.T @ b / len(a)
    order = {
        key: torch.as_tensor(linear_sum_assignment(score.numpy(), maximize=True)[1])
        for key, score in scores.items()
    }
    result = copy.deepcopy(second)
    with torch.no_grad():
        for name, (out, given) in groups.items():
            layer = linear(result, name)
            if out is not None:
                for parameter in layer.parameters():
                    parameter.copy_(parameter[order[out]])
            if given is not None:
                layer.weight.copy_(layer.weight[:, order[given]])
    return result, sum(int((p != torch.arange(len(p))).sum()) for p in order.values())


def averaged(first: SchNet, second: SchNet) -> SchNet:
    """The network with the mean weights."""
    result = copy.deepcopy(first)
    with torch.no_grad():
        for mean, weight in zip(result.parameters(), second.parameters(), strict=True):
            mean.lerp_(weight, 0.5)
    return result


def with_derivatives(model: SchNet, frames: Frames, way: Tensor) -> list[dict]:
    """Activations, and their derivatives along a direction of the positions."""
    here, after, before = (
        activations(model, frames.pos + shift * way, frames.x) for shift in (0.0, _STEP, -_STEP)
    )
    slopes = {
        name: tuple((a - b) / (2 * _STEP) for a, b in zip(after[name], before[name], strict=True))
        for name in here
    }
    return [here, slopes]


def fitted(
    experts: list[SchNet], start: SchNet, sets: list[Frames], *, ridge: float, slopes: float
) -> SchNet:
    """Solve for the weights of one layer after the other.

    Args:
        experts: a network for each set, in the same channel order.
        start: initial weights, which the solution stays close to.
        sets: structures; energies and forces are not used.
        ridge: weight of the distance from the initial weights, relative to the mean square input.
        slopes: weight of the derivatives; 0: activations alone.
    """
    model = copy.deepcopy(start).double()
    sets = [Frames(s.pos.double(), s.x, s.energy, s.forces) for s in sets]
    generator = torch.Generator().manual_seed(0)
    ways = [torch.randn(s.pos.shape, generator=generator, dtype=torch.float64) for s in sets]
    wanted = [
        with_derivatives(copy.deepcopy(m).double(), s, way)
        for m, s, way in zip(experts, sets, ways, strict=True)
    ]
    for name in channel_groups(model):
        now = [with_derivatives(model, s, way) for s, way in zip(sets, ways, strict=True)]
        _solve(linear(model, name), name, wanted, now, ridge, slopes)
    return model.float()


def _solve(
    layer: nn.Linear, name: str, wanted: list, now: list, ridge: float, slopes: float
) -> None:
    """Ridge regression of the change of a layer."""
    weight = layer.weight.data
    if layer.bias is not None:
        weight = torch.cat([weight, layer.bias.data.unsqueeze(1)], 1)
    gram, right = torch.zeros(()), torch.zeros(())
    for theirs, ours in zip(wanted, now, strict=True):
        for order, factor in enumerate((1.0, slopes)):
            given, target = ours[order][name][0], theirs[order][name][1]
            if name.endswith("linear_3"):  # added to the stream: also what the stream lacks
                stream = name.replace("linear_3", "linear_1")
                target = target + theirs[order][stream][0] - ours[order][stream][0]
            if layer.bias is not None:  # its derivative vanishes
                given = functional.pad(given, (0, 1), value=1.0 - order)
            gram = gram + factor / len(given) * given.T @ given
            right = right + factor / len(given) * given.T @ (target - given @ weight.T)
    gram = gram + ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weight = weight + torch.linalg.solve(gram, right).T
    if layer.bias is not None:
        layer.bias.data.copy_(weight[:, -1])
    layer.weight.data.copy_(weight[:, : layer.in_features])


def distilled(experts: list[SchNet], start: SchNet, sets: list[Frames], steps: int) -> SchNet:
    """Train towards the energies and forces of the experts, each on its molecule."""
    targets = []
    for expert, frames in zip(experts, sets, strict=True):
        energy, forces = (each.detach() for each in predict(expert, frames))
        targets.append(Frames(frames.pos, frames.x, energy, forces))
    return train(copy.deepcopy(start), targets, steps, 1e-3, seed=0)


def trained(folder: Path, options: argparse.Namespace) -> dict[str, SchNet]:
    """Train all networks, or load those that are in the folder."""
    steps, sets, found = options.steps, dict[str, Frames](), dict[str, SchNet]()
    for name, molecules, start, seed, length in [
        ("start", ("uracil",), None, 7, options.steps_start),
        ("tuned on ethanol", PAIR[:1], "start", 0, steps),
        ("tuned on malonaldehyde", PAIR[1:], "start", 1, steps),
        ("tuned on both", PAIR, "start", 2, 2 * steps),
        ("trained on ethanol", PAIR[:1], None, 0, steps),
        ("trained on malonaldehyde", PAIR[1:], None, 1, steps),
        ("trained on both", PAIR, None, 2, 2 * steps),
    ]:
        model, path = network(seed, options.channels), folder / f"{name.replace(' ', '_')}.pt"
        if path.is_file():
            model.load_state_dict(torch.load(path, weights_only=True))
        else:
            if start is not None:
                model = copy.deepcopy(found[start])
            sets |= {m: read(m, options.data)[0] for m in molecules if m not in sets}
            began, rate = time.process_time(), 2e-3 if start is None else 1e-3
            model = train(model, [sets[m] for m in molecules], length, rate, seed)
            torch.save(model.state_dict(), path)
            print(f"{name}: {length} steps, {time.process_time() - began:.0f} s of CPU time")
        found[name] = model
    return found


def compare(found: dict[str, SchNet], options: argparse.Namespace) -> None:
    """Print the errors of all networks and of the merged ones."""
    data = [read(molecule, options.data) for molecule in PAIR]
    sets = [part.first(options.frames) for part, _ in data]

    def show(name: str, model: nn.Module) -> None:
        values = [value for _, test in data for value in errors(model, test)]
        print(f"{name:34}" + "".join(f"{value:10.1f}" for value in values), flush=True)

    print(f"{'':34}" + "".join(f"{each:>20}" for each in PAIR))
    for kind in ("tuned", "trained"):
        first, second = (found[f"{kind} on {molecule}"] for molecule in PAIR)
        for name in (*PAIR, "both"):
            show(f"{kind} on {name}", found[f"{kind} on {name}"])
        ordered, moved = aligned(first, second, sets)
        experts, start = [first, ordered], averaged(first, ordered)
        show("average", averaged(first, second))
        show(f"{moved} channels aligned, average", start)
        for slopes in (0.0, options.slopes):
            began = time.process_time()
            merged = fitted(experts, start, sets, ridge=options.ridge, slopes=slopes)
            what = "least squares" if slopes == 0 else "least squares with derivatives"
            show(f"{what} ({time.process_time() - began:.0f} s)", merged)
        for what, model in (("ethanol's", first), ("average", start), ("least squares", merged)):
            began = time.process_time()
            model = distilled(experts, model, sets, options.distil)
            show(f"{what}, distilled ({time.process_time() - began:.0f} s)", model)


def main() -> None:
    """Train, merge and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("merged"), help="of trained weights")
    parser.add_argument("--data", default=None, help="folder of all datasets; $GEOZOO_DATA")
    parser.add_argument("--steps", type=int, default=2500, help="of training on one molecule")
    parser.add_argument("--steps-start", type=int, default=2000, help="of the common start")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--frames", type=int, default=200, help="structures of each for merging")
    parser.add_argument("--ridge", type=float, default=1e-4)
    parser.add_argument("--slopes", type=float, default=0.1, help="weight of the derivatives")
    parser.add_argument("--distil", type=int, default=500, help="steps of distillation")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    compare(trained(options.folder, options), options)


if __name__ == "__main__":
    main()
