"""Molecule generation by denoising diffusion."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from geozoo.checks import check_choice
from geozoo.contracts import Conditioned, measure_of
from geozoo.data import GeometricSpec, GraphBatch, GraphDataModule, GraphStore, rotate_batch
from geozoo.data.loader import Store
from geozoo.diffusion import Cloud, Diffusion, Network, Points, standard_noise
from geozoo.figures import Figure, plot_molecules
from geozoo.metrics import WeightedMeans, molecule_smiles
from geozoo.tasks._collapse import CollapseWatch
from geozoo.tasks._description import Outcome
from geozoo.tasks._generation_checks import (
    check_generated,
    check_isolated_data,
    generation_monitor,
)
from geozoo.tasks._neighbors import with_neighbors
from geozoo.tasks._noise import evaluation_noise, training_generator
from geozoo.tasks._rotations import training_rotations
from geozoo.tasks._sampled_scores import (
    DRAWN_MEASURES,
    add_plausibility,
    add_scores,
    add_stability,
    logged_progress,
    tested_measures,
    training_smiles,
)
from geozoo.tasks._sampling import MoleculeSampler, SampledMolecules
from geozoo.tasks._shares import nodes_of
from geozoo.tasks._usage import Usage
from geozoo.tasks.base import GraphTask, MakeOptimizer, MakeSchedule

_LOG = logging.getLogger(__name__)
OnCollapse = Literal["warn", "stop"]


class Generation(GraphTask):
    r"""Training of a denoising network for molecules, and sampling of new molecules.

    The loss is that of the diffusion process. A test also samples molecules and reports, in per
    cent, stable atoms and stable molecules (bonds from distances), molecules in one piece, validity
    (by RDKit), uniqueness, novelty with respect to the molecules trained on, and, if PoseBusters is
    installed, plausible geometries. The baseline is the loss of the zero predictor;
    for the scores of samples it is the score of the real molecules of the test split, an upper
    reference rather than a trivial baseline.

    The noise in validation and test depends only on the index of the molecule, so results do not
    depend on the batch size or the number of devices.

    Args:
        model: a network of the geometric family, of level ``"node"``, with one output vector. If
            its ``condition_channels`` is 1, its kernels are also conditioned on the noise level.
        spec: the data specification; its statistics ``sizes`` (number of molecules with 0, 1, ...
            atoms) and ``elements`` (atomic number of each class) determine what is sampled.
        process: the diffusion process.
        optimizer: see `GraphTask`.
        schedule: see `GraphTask`.
        augment: rotate each training molecule by a random rotation.
        test_samples: number of molecules sampled in a test; 0: none.
        val_samples: number of molecules sampled in a validation; 0: none.
        sample_every: number of epochs between validations with sampling.
        sample_batch: number of molecules sampled together.
        monitor: the metric that selects the best checkpoint; None: the stability of molecules if
            every validation samples, otherwise the loss.
        on_collapse: what follows when the samples fall apart while the loss does not rise (see
            `CollapseWatch` for the rule): a warning, or a warning and the end of the training.
        seed: seed of all noise.

    Attributes:
        samples: molecules of the last test; None before.

    Raises:
        ValueError: If the data lacks these statistics or does not fit the process, or a number of
            samples or epochs is too small.
        ImportError: If a test would sample molecules but RDKit is not installed.
    """

    draws_on_cpu: ClassVar[bool] = True
    forms_ensembles: ClassVar[bool] = False

    #: `geozoo.config.check_pair` checks these attributes against the model before reading data.
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
        monitor: str | None = None,
        on_collapse: OnCollapse = "warn",
        seed: int = 0,
    ) -> None:
        check_generated(spec, process)
        check_choice("on_collapse", on_collapse, get_args(OnCollapse))
        for name, value, least in (
            ("test_samples", test_samples, 0), ("val_samples", val_samples, 0),
            ("sample_every", sample_every, 1), ("sample_batch", sample_batch, 1),
        ):  # fmt: skip
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value!r}")
        losses = ["loss", "positions", "features"]
        losses += ["nll"] if process.has_likelihood else []
        drawn = DRAWN_MEASURES if val_samples else ()
        super().__init__(
            model, spec, quantities=(), errors=lambda: WeightedMeans([*losses, *drawn]),
            optimizer=optimizer, schedule=schedule, seed=seed,
            monitor=generation_monitor(monitor, val_samples, sample_every),
        )  # fmt: skip
        self.process, self.augment = process, augment
        self.test_samples, self.val_samples = test_samples, val_samples
        self.sample_every = sample_every
        self.sampler = MoleculeSampler(
            process, sizes=spec.statistics["sizes"], elements=spec.statistics["elements"],
            num_features=spec.out_channels, batch_size=sample_batch,
        )  # fmt: skip
        if test_samples:
            import rdkit  # noqa: F401  (fails here instead of after hours of training)
        scores = tested_measures() if test_samples else ()
        self.test_errors = WeightedMeans([*losses, *scores])
        self.baseline_errors = WeightedMeans([*losses, *scores])
        self.on_collapse, self.collapse = on_collapse, CollapseWatch(max(val_samples, 1))
        self.samples: SampledMolecules | None = None
        self._generator = training_generator(seed, 0, 0, 0)
        self._smiles: list[str | None] = []

    def training_batch(self, batch: GraphBatch, batch_idx: int) -> GraphBatch:
        """The batch, with each molecule randomly rotated if ``augment`` is set."""
        if not self.augment:
            return batch
        rotations = training_rotations(batch, 3, seed=self.seed, epoch=self.current_epoch)
        return rotate_batch(batch, rotations, ["pos"])

    def training_step(self, batch: GraphBatch, batch_idx: int) -> Tensor | None:
        """The loss of a batch, with noise that depends on seed, epoch, batch and rank."""
        step = (batch_idx, self.global_rank)
        self._generator = training_generator(self.seed, self.current_epoch, *step)
        return super().training_step(batch, batch_idx)

    def loss(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The diffusion loss and its terms for positions and features."""
        clean, cloud = self._clean(batch)
        level = self.process.draw_levels(cloud.num_graphs, self._generator).to(batch.device)
        noise = standard_noise(clean, cloud, self._generator)
        parts = self.process.loss(self._network(cloud), clean, cloud, level, noise)
        weights = self.process.weights(cloud)
        weights = weights / weights.sum()
        return {name: (value * weights.to(value.dtype)).sum() for name, value in parts.items()}

    def loss_counts(self, store: Store) -> dict[str, Tensor]:
        """The weight of each molecule in the diffusion loss ``[S]``."""
        sizes = nodes_of(store).cpu()
        cloud = Cloud(torch.arange(len(sizes)).repeat_interleave(sizes), len(sizes))
        return {"loss": self.process.weights(cloud)}

    def prepare(self, datamodule: GraphDataModule, num_processes: int = 1) -> str | None:
        """See `GraphTask.prepare`.

        Raises:
            ValueError: If the data have periodic cells.
        """
        if isinstance(store := datamodule.store, GraphStore):
            check_isolated_data(store.graph)
        return super().prepare(datamodule, num_processes)

    def inputs(self, batch: GraphBatch) -> dict[str, Any]:
        """The model's keyword arguments for a batch with the noise of a validation."""
        arguments: dict[str, Any] = {}
        clean, cloud = self._clean(batch)

        def record(points: Points, level: Tensor) -> Points:
            arguments.update(self._arguments(points, level, cloud))
            return _zero_predictor(points, level)

        level, noise = self._evaluation_noise(batch, clean)
        self.process.loss(record, clean, cloud, level, noise)
        return arguments

    def predict(self, batch: GraphBatch) -> dict[str, Tensor]:
        """Loss, its terms and (in discrete time) negative log-likelihood per molecule ``[G]``."""
        return self._measured(batch, self._network(_cloud(batch)))

    def predict_baseline(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The same values for the zero predictor."""
        return self._measured(batch, _zero_predictor)

    def targets(self, batch: GraphBatch) -> dict[str, Tensor]:
        """The weight of each molecule in the mean of each value returned by `predict`."""
        weights = self.process.weights(_cloud(batch))
        counts = dict.fromkeys(("loss", "positions", "features"), weights)
        if self.process.has_likelihood:
            counts["nll"] = torch.ones_like(weights)
        return counts

    def metric_units(self) -> dict[str, str]:
        """Nats for the likelihood, per cent for the scores of samples."""
        names = dict.fromkeys((*self.val_errors.names, *self.test_errors.names))
        return {name: measure_of(name).unit_of("") for name in names}

    def sample(
        self, num_samples: int, *, seed: int = 0, progress: Callable[[int], None] | None = None
    ) -> SampledMolecules:
        """Sample molecules with the current weights.

        Args:
            num_samples: number of molecules.
            seed: seed of sizes and noise.
            progress: called with the number of molecules finished since the last call.

        Raises:
            ValueError: If ``num_samples`` is below 1 or above a million.
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
        """The molecules sampled in the last test."""
        if self.samples is None:
            return []
        samples = self.samples
        draw = partial(plot_molecules, samples.pos, samples.z, samples.counts)
        return [Figure("samples", "Molecules sampled from the model", draw)]

    def usage(self, model: str) -> Usage:
        """The command and Python code to sample molecules."""
        return Usage(
            takes="The model takes no input: it samples molecules.",
            command=f"geozoo sample checkpoint={model} n=100 out=molecules.sdf",
            purpose="new molecules, also as .xyz",
            python="samples = model.task.sample(100, seed=0)  # positions and elements\n",
        )

    def on_validation_epoch_start(self) -> None:
        """Sample molecules in every ``sample_every``-th epoch.

        At the end of the validation, averaged weights have already been replaced by the trained
        ones; the scores would then not be those of the saved weights.
        """
        is_time = (self.current_epoch + 1) % self.sample_every == 0
        if self.val_samples and is_time and not self.trainer.sanity_checking:
            drawn = self.sample(self.val_samples, seed=self.seed)
            add_stability(self.val_errors, drawn.pos, drawn.z, drawn.batch, len(drawn))

    def validation_values(self) -> dict[str, Tensor]:
        """See `EvaluatedTask.validation_values`; a collapse of the samples is noticed."""
        values = super().validation_values()
        trainer = self._trainer
        if trainer is None or not trainer.sanity_checking:
            plain = {name: float(value) for name, value in values.items()}
            for message in self.collapse.validated(plain, self.current_epoch + 1):
                _LOG.warning(message)
                if self.on_collapse == "stop" and trainer is not None:
                    trainer.should_stop = True
        return values

    def on_train_start(self) -> None:
        """Train no further if a collapse ended the run before."""
        super().on_train_start()
        if self.on_collapse == "stop" and self.collapse.fallen:
            _LOG.info(
                "this run is already finished: the collapse of %s ended it, so nothing is trained; "
                "task.on_collapse=warn continues", " and ".join(sorted(self.collapse.fallen)),
            )  # fmt: skip
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the best scores of samples so far."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["collapse"] = self.collapse.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the best scores of samples; checkpoints of earlier versions lack them."""
        super().on_load_checkpoint(checkpoint)
        if "collapse" in checkpoint:
            self.collapse.load_state_dict(checkpoint["collapse"])

    def collect_test(
        self, predictions: dict[str, Tensor], targets: dict[str, Tensor], batch: GraphBatch
    ) -> None:
        """Accumulate the losses, and the scores of the real molecules for the baseline."""
        self.test_errors.update(predictions, targets)
        self.baseline_errors.update(self.predict_baseline(batch), targets)
        if self.test_samples:
            atoms = (batch.pos, batch.z, batch.batch, batch.num_graphs)
            add_stability(self.baseline_errors, *atoms)
            if len(self._smiles) < self.test_samples:  # a share of as many as are sampled
                add_plausibility(self.baseline_errors, *atoms)
            self._smiles += molecule_smiles(*atoms)

    def on_test_epoch_end(self) -> None:
        """Sample and score molecules, then log ``test/...`` and ``test/baseline_...``."""
        if self.test_samples:
            progress = logged_progress(self.test_samples)
            self.samples = drawn = self.sample(self.test_samples, seed=self.seed, progress=progress)
            atoms = (drawn.pos, drawn.z, drawn.batch, len(drawn))
            add_stability(self.test_errors, *atoms)
            add_plausibility(self.test_errors, *atoms)
            # Lightning sets the data of the trainer for a test.
            known = training_smiles(self.trainer.datamodule)  # type: ignore[attr-defined]
            add_scores(self.test_errors, molecule_smiles(*atoms), known)
            add_scores(self.baseline_errors, self._smiles, known)
            self._smiles = []
        super().on_test_epoch_end()

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
    check_isolated_data(batch)
    return Cloud(batch.batch, batch.num_graphs)


def _zero_predictor(points: Points, level: Tensor) -> Points:
    """The trivial baseline of a diffusion: predicts zeros."""
    return points.scaled(0.0)
