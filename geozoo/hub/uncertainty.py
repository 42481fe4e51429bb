"""Uncertainties of trained potentials: computed from their data, and compared with errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geozoo.data import GraphBatch, GraphStore
from geozoo.hub.ensemble import SPREAD, Ensemble
from geozoo.hub.loading import TrainedModel
from geozoo.tasks import LastLayerPosterior, Potential
from geozoo.tasks._last_layer import FeaturePass, check_linear
from geozoo.tasks._posterior import Calibration, coverage, fit_scale

#: Structures of which at most the forces are used, by default: each has several components.
FORCE_STRUCTURES = 200
#: Structures that are listed in a warning.
_LISTED = 5


@dataclass(frozen=True)
class Work:
    """What `fit_uncertainty` reads.

    Attributes:
        train: indices of the training split.
        val: indices of the validation split.
        train_forces: those of ``train`` whose forces are used.
        val_forces: those of ``val`` whose forces are used.
    """

    train: Tensor
    val: Tensor
    train_forces: Tensor
    val_forces: Tensor

    @classmethod
    def of(
        cls, store: GraphStore, splits: Mapping[str, Tensor], task: Potential,
        force_structures: int = FORCE_STRUCTURES,
    ) -> Work:  # fmt: skip
        """Choose the structures, at random for the forces, the same in every call.

        Args:
            store: all graphs.
            splits: indices of ``train`` and ``val``.
            task: the potential: without a weight of the forces in its loss, none are used.
            force_structures: maximum number of structures of each split whose forces are used.

        Raises:
            ValueError: If there are no training structures, or fewer than two for validation.
        """
        train, val = splits["train"], splits["val"]
        if len(train) < 1 or len(val) < 2:
            raise ValueError(
                "uncertainties need at least one training structure and two validation structures, "
                f"got {len(train)} and {len(val)}"
            )
        known = store.graph.get("has_forces", torch.ones(len(store), dtype=torch.bool)).bool()
        if not task.loss_of.force_weight:
            known = torch.zeros_like(known)
        generator, chosen = torch.Generator().manual_seed(0), []
        for part in (train, val):
            having = part[known[part]]
            order = torch.randperm(len(having), generator=generator)
            chosen.append(having[order[:force_structures]])
        return cls(train, val, *chosen)

    @property
    def total(self) -> int:
        """Number of structures to process, some of them twice."""
        return sum(map(len, (self.train, self.val, self.train_forces, self.val_forces)))


def potential_of(model: TrainedModel) -> Potential:
    """The task of a trained potential.

    Raises:
        ValueError: If the model is not a potential.
    """
    if not isinstance(model.task, Potential):
        raise ValueError(
            f"uncertainties are those of potentials (energy and forces), but {model.name} predicts "
            f"{', '.join(model.task.quantity_units())}"
        )
    return model.task


def fit_uncertainty(
    model: TrainedModel,
    store: GraphStore,
    work: Work,
    *,
    batch_size: int = 20,
    progress: Callable[[int], None] = lambda count: None,
) -> LastLayerPosterior:
    """Compute and calibrate the posterior of the last weights.

    Args:
        model: a trained potential.
        store: all graphs, with energies, and forces if they were learned.
        work: the structures to use.
        batch_size: structures per batch.
        progress: called with the number of structures just processed.

    Raises:
        ValueError: If the model is not a potential, its energies are not linear in its last
            weights, or the errors on the validation split determine no scale.
    """
    task = potential_of(model)

    def batches(index: Tensor) -> Iterator[GraphBatch]:
        for part in index.split(batch_size) if len(index) else ():
            yield store.gather(part).to(model.device)
            progress(len(part))

    check_linear(task, store.gather(work.train[:2]).to(model.device))
    posterior = LastLayerPosterior(_curvature(task, work, batches))
    energy, force = _validation(task, posterior, work, batches)
    return LastLayerPosterior(posterior.curvature, energy=energy, force=force)


_Batches = Callable[[Tensor], Iterator[GraphBatch]]


def _curvature(task: Potential, work: Work, batches: _Batches) -> Tensor:
    """The matrix F of the training split, weighted as in the loss."""
    loss, total = task.loss_of, torch.tensor(0.0)
    weight = loss.energy_weight or float(not len(work.train_forces))
    for batch in batches(work.train):
        rows = FeaturePass(task, batch).of_energies()
        if loss.energy_per_atom:
            rows = rows / batch.ptr.diff()[:, None]
        total = weight * (rows.T @ rows) + total.to(rows)
    forces, count = torch.zeros_like(total), 0
    for batch in batches(work.train_forces):
        rows = _force_rows(FeaturePass(task, batch), torch.eye(len(total)).to(total))
        forces, count = forces + rows.T @ rows, count + len(rows)
    if not count:
        return total
    # The loss is a mean over components, the sum over energies one over structures.
    return total + loss.force_weight * len(work.train) / count * forces


def _force_rows(features: FeaturePass, directions: Tensor) -> Tensor:
    """Features of all force components times directions: ``[N * dim, K]``."""
    return torch.stack([each.flatten() for each in features.of_forces(directions)], 1)


def _validation(
    task: Potential, posterior: LastLayerPosterior, work: Work, batches: _Batches
) -> tuple[Calibration, Calibration | None]:
    """The calibrations of energies and forces."""
    scale, vectors = task.energy_scale, posterior.vectors
    rows, errors, atoms = [], [], []
    for batch in batches(work.val):
        predicted, targets = task.predict(batch), task.targets(batch)
        rows.append(FeaturePass(task, batch).of_energies() @ vectors)
        errors.append((predicted["energy"] - targets["energy"]) / scale)
        atoms.append(batch.ptr.diff())
    energy = _calibrated(posterior, rows, errors, scale / torch.cat(atoms))
    rows, errors = [], []
    for batch in batches(work.val_forces):
        predicted, targets = task.predict(batch), task.targets(batch)
        rows.append(_force_rows(FeaturePass(task, batch), vectors))
        errors.append(((predicted["force"] - targets["force"]).double() / scale).flatten())
    if not rows:
        return energy, None
    return energy, _calibrated(posterior, rows, errors, scale)


def _calibrated(
    posterior: LastLayerPosterior, rows: Sequence[Tensor], errors: Sequence[Tensor], unit: Tensor
) -> Calibration:
    found = torch.cat(list(errors))
    fitted = fit_scale(torch.cat(list(rows)), posterior.values, found)
    return Calibration(
        fitted.alpha, fitted.zeta, len(found), largest=float((fitted.std * unit).max()),
        **coverage(found, fitted.std),
    )  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Predicted standard deviations next to errors.

    Attributes:
        error: errors of energies or force components, in the unit of the data.
        std: their predicted standard deviations.
    """

    error: Tensor
    std: Tensor

    @property
    def summary(self) -> dict[str, float]:
        """Numbers, root mean square error, mean standard deviation, coverage, rank correlation."""
        return {
            "count": len(self.error), "rmse": float(self.error.square().mean().sqrt()),
            "mean_std": float(self.std.mean()), **coverage(self.error, self.std),
            "spearman": rank_correlation(self.std, self.error.abs()),
        }  # fmt: skip


def compare(
    predict: Callable[[GraphBatch], Mapping[str, Tensor]], task: Potential, store: GraphStore,
    index: Tensor, *, batch_size: int = 20, progress: Callable[[int], None] = lambda count: None,
) -> dict[str, Comparison]:  # fmt: skip
    """Compare predicted standard deviations with errors, for ``energy`` and, if known, ``force``.

    Args:
        predict: function of a batch that returns means and standard deviations, such as
            `TrainedModel.predict` or `Ensemble.predict`.
        task: the potential, which knows the targets.
        store: graphs with targets.
        index: those to predict.
        batch_size: structures per batch.
        progress: called with the number of structures just processed.
    """
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {"energy": [], "force": []}
    for part in index.split(batch_size):
        batch = store.gather(part).to(task.device)
        predicted, targets = predict(batch), task.targets(batch)
        for name, found in parts.items():
            if (std := predicted.get(name + SPREAD)) is None:
                continue
            error = (predicted[name] - targets[name]).double().flatten()
            known = ~error.isnan()
            found.append((error[known].cpu(), std.double().flatten()[known].cpu()))
        progress(len(part))
    return {
        name: Comparison(*(torch.cat(each) for each in zip(*found, strict=True)))
        for name, found in parts.items()
        if found
    }


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's correlation of two samples ``[n]`` without ties.

    >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 10.0, 100.0]))
    1.0
    """
    ranks = torch.stack([each.argsort().argsort().double() for each in (one, other)])
    return float(ranks.corrcoef()[0, 1].clamp(-1, 1))


def give_force_std(model: TrainedModel | Ensemble) -> None:
    """Let a model also predict standard deviations of forces, which an ensemble does anyway.

    Raises:
        ValueError: If the uncertainty of its forces was not computed.
    """
    if isinstance(model, Ensemble):
        return
    if model.uncertainty is None or model.uncertainty.force is None:
        raise ValueError(
            f"forces_std needs the uncertainty of the forces of {model.name}, which was not "
            "computed: geozoo uncertainty <run> computes it"
        )
    model.gives_force_std = True


def extrapolations(
    model: TrainedModel | Ensemble, predicted: Mapping[str, Tensor], num_nodes: Tensor
) -> list[int]:
    """Graphs whose energies are less certain per atom than all those of the validation split.

    Args:
        model: a trained model; those without an uncertainty have none.
        predicted: its predictions.
        num_nodes: number of nodes of each graph.
    """
    posterior = None if isinstance(model, Ensemble) else model.uncertainty
    if posterior is None or posterior.energy is None:
        return []
    per_atom = predicted["energy" + SPREAD].cpu() / num_nodes.clamp(min=1)
    return (per_atom > posterior.energy.largest).nonzero().flatten().tolist()


def extrapolation_message(model: TrainedModel, graphs: Sequence[int], total: int) -> str:
    """The text of a warning about `extrapolations`."""
    assert model.uncertainty is not None
    largest = model.uncertainty.calibration("energy").largest
    listed = ", ".join(map(str, graphs[:_LISTED])) + (", ..." if len(graphs) > _LISTED else "")
    which = f"{len(graphs)} of {total} structures ({listed})" if total > 1 else "this structure"
    return (
        f"{which}: the predicted standard deviation of the energy exceeds {largest:.3g} "
        f"{model.units['energy']} per atom, the largest in the validation split: an extrapolation"
    )
