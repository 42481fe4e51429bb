"""Generating molecules by denoising diffusion."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from geozoo.contracts import Conditioned, measure_of
from geozoo.data import GeometricSpec, GraphBatch, rotate_batch
from geozoo.data.loader import Store
from geozoo.diffusion import Cloud, Diffusion, Network, Points, standard_noise
from geozoo.figures import Figure, plot_molecules
from geozoo.metrics import WeightedMeans, molecule_smiles
from geozoo.tasks._description import Outcome
from geozoo.tasks._neighbors import with_neighbors
from geozoo.tasks._noise import evaluation_noise, training_generator
from geozoo.tasks._rotations import training_rotations
from geozoo.tasks._sampled_scores import (
    SAMPLED_MEASURES,
    add_scores,
    add_stability,
    logged_progress,
)
from geozoo.tasks._sampling import MoleculeSampler, SampledMolecules
from geozoo.tasks._shares import nodes_of
from geozoo.tasks._usage import Usage
from geozoo.tasks.base import GraphTask, MakeOptimizer, MakeSchedule

_LOG = logging.getLogger(__name__)


class Generation(GraphTask):
    r"""Train a network to take noise off molecules, and draw new ones with it.

    The loss is that of the diffusion. A test also draws molecules and measures in per cent how many
    of their atoms and of themselves are stable by the distance rule, valid (by rdkit), different,
    and not in the training part. In the column of the baseline stand the loss of a network that
    says nothing, and for sampled measures the real molecules of the test part: a ceiling.

    Noise of validation and test is a function of the molecule's place in the data, so neither the
    batch size nor the number of devices changes a result.

    Args:
        model: a network of the geometric family, of level ``"node"``, with one output vector. One
            with ``condition_channels`` 1 is told the noise level as a condition of its kernels too.
        spec: the description of the data; its statistics ``sizes`` (how many molecules have 0, 1,
            ... atoms) and ``elements`` (atomic number of each class) say what to draw.
        process: the diffusion.
        optimizer: see `GraphTask`.
        schedule: see `GraphTask`.
        augment: turn every training molecule by a random rotation.
        test_samples: molecules drawn in a test; 0: none.
        val_samples: molecules drawn in a validation; 0: none.
        sample_every: epochs from one validation that draws to the next.
        sample_batch: molecules drawn at once.
        monitor: see `GraphTask`.
        seed: seed of all noise.

    Raises:
        ValueError: for data without those statistics, or sizes that are negative.
        ImportError: without rdkit, where molecules shall be drawn in a test.
    """

    draws_on_cpu: ClassVar[bool] = True
    forms_ensembles: ClassVar[bool] = False

    #: What `geozoo.config.check_pair` holds against a model before any data is read.
    family: ClassVar[str] = "geometric"
    outputs: ClassVar[tuple[str, ...]] = ("scalar", "vector")
    fits_models: ClassVar[bool] = False
    spec: GeometricSpec
    val_errors: WeightedMeans
    test_errors: WeightedMeans
    baseline_errors: WeightedMeans

    def __init__(
        self,
        model: nn.Module,
        spec: GeometricSpec,
        *,
        process: Diffusion,
        optimizer: MakeOptimizer | None = None,
        schedule: MakeSchedule | None = None,
        augment: bool = False,
        test_samples: int = 1000,
        val_samples: int = 0,
        sample_every: int = 1,
        sample_batch: int = 100,
        monitor: str | None = "val/loss",
        seed: int = 0,
    ) -> None:
        _check_spec(spec, process)
        for name, value, least in (
            ("test_samples", test_samples, 0), ("val_samples", val_samples, 0),
            ("sample_every", sample_every, 1), ("sample_batch", sample_batch, 1),
        ):  # fmt: skip
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value!r}")
        losses = ["loss", "positions", "features"]
        losses += ["nll"] if process.has_likelihood else []
        super().__init__(
            model, spec, quantities=(), errors=lambda: WeightedMeans(losses),
            optimizer=optimizer, schedule=schedule, monitor=monitor, seed=seed,
        )  # fmt: skip
        self.process, self.augment = process, augment
        self.test_samples, self.val_samples = test_samples, val_samples
        self.sample_every = sample_every
        self.sampler = MoleculeSampler(
            process, sizes=spec.statistics["sizes"], elements=spec.statistics["elements"],
            num_features=spec.out_channels, batch_size=sample_batch,
        )  # fmt: skip
        if val_samples:
            self.val_errors = WeightedMeans([*losses, *SAMPLED_MEASURES[:2]])
        if test_samples:
            import rdkit  # noqa: F401  (now, not after hours of training)

            self.test_errors = WeightedMeans([*losses, *SAMPLED_MEASURES])
            self.baseline_errors = WeightedMeans([*losses, *SAMPLED_MEASURES])
        self.samples: SampledMolecules | None = None
        self._generator = training_generator(seed, 0, 0, 0)
        self._smiles: list[str | None] = []

    def training_batch(self, batch: GraphBatch, batch_idx: int) -> GraphBatch:
        """The batch, every molecule turned at random if wanted."""
        if not self.augment:
            return batch
        turns = training_rotations(batch, 3, seed=self.seed, epoch=self.current_epoch)
        return rotate_batch(batch, turns, ["pos"])

    def training_step(self, batch: GraphBatch, batch_idx: int) -> Tensor | None:
        """The loss of a batch under the noise of this epoch and batch."""
        step = (batch_idx, self.global_rank)
        self._generator = training_generator(self.seed, self.current_epoch, *step)
        return super().training_step(batch, batch_idx)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Loss of the diffusion and its parts for positions and features."""
        clean, cloud = self._clean(batch)
        level = self.process.draw_levels(cloud.num_graphs, self._generator).to(batch.device)
        noise = standard_noise(clean, cloud, self._generator)
        parts = self.process.loss(self._network(cloud), clean, cloud, level, noise)
        weights = self.process.weights(cloud)
        weights = weights / weights.sum()
        return {name: (value * weights.to(value.dtype)).sum() for name, value in parts.items()}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """Every molecule counts as the diffusion weights it."""
        sizes = nodes_of(store).cpu()
        cloud = Cloud(torch.arange(len(sizes)).repeat_interleave(sizes), len(sizes))
        return {"loss": self.process.weights(cloud)}

    def inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """What the model sees of a batch at the noise of a validation."""
        seen: dict[str, Any] = {}
        clean, cloud = self._clean(batch)

        def record(points: Points, level: Tensor) -> Points:
            seen.update(self._arguments(points, level, cloud))
            return _silent(points, level)

        level, noise = self._evaluation_noise(batch, clean)
        self.process.loss(record, clean, cloud, level, noise)
        return seen

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Loss, its parts and (in discrete time) the likelihood of each molecule ``[G]``."""
        return self._measured(batch, self._network(_cloud(batch)))

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The same for a network that gives zeros."""
        return self._measured(batch, _silent)

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """How much each molecule counts in the mean of every measure."""
        weights = self.process.weights(_cloud(batch))
        counts = dict.fromkeys(("loss", "positions", "features"), weights)
        if self.process.has_likelihood:
            counts["nll"] = torch.ones_like(weights)
        return counts

    def metric_units(self) -> dict[str, str]:
        """Nats for the likelihood, per cent for what is measured on samples."""
        names = dict.fromkeys((*self.val_errors.names, *self.test_errors.names))
        return {name: measure_of(name).unit_of("") for name in names}

    def sample(
        self, num_samples: int, *, seed: int = 0, progress: Callable[[int], None] | None = None
    ) -> SampledMolecules:
        """Draw molecules with the present weights.

        Args:
            num_samples: how many.
            seed: of sizes and noise.
            progress: called with the number of molecules finished.
        """
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                return self.sampler.draw(
                    self._network, num_samples, seed=seed, device=self.device, progress=progress
                )
        finally:
            self.model.train(was_training)

    def own_figures(self, outcome: Outcome) -> list[Figure]:
        """The molecules that the last test drew."""
        if self.samples is None:
            return []
        drawn = self.samples
        draw = partial(plot_molecules, drawn.pos, drawn.z, drawn.counts)
        return [Figure("samples", "Molecules that the model drew", draw)]

    def usage(self, model: str) -> Usage:
        """How molecules are drawn."""
        return Usage(
            takes="The model takes nothing: it draws molecules.",
            command=f"geozoo sample checkpoint={model} n=100 out=molecules.sdf",
            purpose="new molecules, also as .xyz",
            python="samples = model.task.sample(100, seed=0)  # positions and elements\n",
        )

    def on_validation_epoch_start(self) -> None:
        """Draw molecules where it is time to.

        Now, not at the end: by then averaged weights have been exchanged for the trained ones, and
        what is measured would not be what is saved.
        """
        is_time = (self.current_epoch + 1) % self.sample_every == 0
        if self.val_samples and is_time and not self.trainer.sanity_checking:
            drawn = self.sample(self.val_samples, seed=self.seed)
            add_stability(self.val_errors, drawn.pos, drawn.z, drawn.batch, len(drawn))

    def collect_test(
        self, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: GraphBatch
    ) -> None:
        """Count the losses, and how the real molecules do by the measures of the samples."""
        self.test_errors.update(predictions, targets)
        self.baseline_errors.update(self.predict_baseline(batch), targets)
        if self.test_samples:
            atoms = (batch.pos, batch.z, batch.batch, batch.num_graphs)
            add_stability(self.baseline_errors, *atoms)
            self._smiles += molecule_smiles(*atoms)

    def on_test_epoch_end(self) -> None:
        """Draw molecules, measure them, and log ``test/...`` and ``test/baseline_...``."""
        if self.test_samples:
            progress = logged_progress(self.test_samples)
            self.samples = drawn = self.sample(self.test_samples, seed=self.seed, progress=progress)
            atoms = (drawn.pos, drawn.z, drawn.batch, len(drawn))
            add_stability(self.test_errors, *atoms)
            known = self._training_smiles()
            add_scores(self.test_errors, molecule_smiles(*atoms), known)
            add_scores(self.baseline_errors, self._smiles, known)
            self._smiles = []
        super().on_test_epoch_end()

    def _training_smiles(self) -> set[str | None]:
        """What the training molecules are by the distance rule, so that novelty is one measure."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it for a test
        _LOG.info("finding the structures of the training part, which novelty is measured against")
        known: set[str | None] = set()
        for part in data.splits["train"].split(1000):
            batch = data.store.gather(part)
            known.update(molecule_smiles(batch.pos, batch.z, batch.batch, batch.num_graphs))
        return known

    def _measured(self, batch: GraphBatch, network: Network) -> dict[str, Tensor]:
        with torch.no_grad():
            clean, cloud = self._clean(batch)
            level, noise = self._evaluation_noise(batch, clean)
            measured = self.process.loss(network, clean, cloud, level, noise)
            if self.process.has_likelihood:
                _, second = self._evaluation_noise(batch, clean, repeat=1)
                measured["nll"] = self.process.negative_log_likelihood(
                    network, clean, cloud, level.clamp(min=1), (noise, second)
                ) - self.sampler.log_size(cloud.counts)
        return measured

    def _evaluation_noise(
        self, batch: GraphBatch, clean: Points, *, repeat: int = 0
    ) -> tuple[Tensor, Points]:
        return evaluation_noise(batch, clean, self.process, seed=self.seed, repeat=repeat)

    def _clean(self, batch: GraphBatch) -> tuple[Points, Cloud]:
        dtype = next(self.model.parameters()).dtype
        cloud = _cloud(batch)
        x = self.process.scale(batch.x.to(dtype))
        return Points(cloud.center(batch.pos.to(dtype)), x), cloud

    def _network(self, cloud: Cloud) -> Network:
        def call(points: Points, level: Tensor) -> Points:
            scalar, vector = self.network(**self._arguments(points, level, cloud))
            return Points(vector[:, 0], scalar)

        return call

    def _arguments(self, points: Points, level: Tensor, cloud: Cloud) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "pos": points.pos,
            "x": torch.cat([points.x, cloud.spread(level.to(points.x.dtype))], 1),
            "batch": cloud.batch,
            "num_graphs": cloud.num_graphs,
        }
        if isinstance(self.model, Conditioned) and self.model.condition_channels:
            arguments["condition"] = level.to(points.x.dtype).unsqueeze(1)
        return with_neighbors(self.model, arguments)


def _cloud(batch: GraphBatch) -> Cloud:
    return Cloud(batch.batch, batch.num_graphs)


def _silent(points: Points, level: Tensor) -> Points:
    """A network that has nothing to say."""
    return points.scaled(0.0)


def _check_spec(spec: GeometricSpec, process: Diffusion) -> None:
    missing = {"sizes", "elements"} - spec.statistics.keys()
    if missing or spec.level != "node" or spec.out_vectors != 1:
        raise ValueError(
            "task generation needs data of level 'node' with one output vector and the statistics "
            f"sizes and elements; got level {spec.level!r}, {spec.out_vectors} output vectors and "
            f"the statistics {', '.join(spec.statistics) or 'none'}"
        )
    features = len(spec.statistics["elements"]) + (process.number_scale is not None)
    if spec.out_channels != features:
        raise ValueError(
            f"process.number_scale is {process.number_scale}, for {features} features; the data "
            f"has {spec.out_channels} (dataset.number=none goes with number_scale=null)"
        )
