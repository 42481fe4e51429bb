"""Training with steps captured as CUDA graphs, without the loop of Lightning."""

from __future__ import annotations

import logging
import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from geozoo.data import GraphDataModule
from geozoo.runs.averaging import WeightsAveraged
from geozoo.runs.callbacks import SeededEpochs, hardware_facts
from geozoo.runs.captured_checks import check_captured, check_loader, limited
from geozoo.runs.checkpoint_files import AtomicCheckpoints
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.errors import RunError, user_errors_named
from geozoo.runs.progress import Progress
from geozoo.runs.run_bar import RunBar
from geozoo.runs.trainer_callbacks import callbacks_of
from geozoo.tasks import GraphTask, NonFiniteLossError
from geozoo.tasks.captured import CapturedSteps, WeightAverage, prepare_optimizer
from geozoo.tasks.schedules import describe_schedule_change, present_rates

_LOG = logging.getLogger(__name__)
#: Minimum number of seconds between two progress lines, and between two checkpoints.
_PAUSE = 20.0


class _Epoch(NamedTuple):
    """The inputs of an epoch that are prepared on the CPU."""

    batches: list[Tensor]
    table: Tensor | None


class CapturedFit:
    """Trains a task with `geozoo.tasks.captured.CapturedSteps`.

    Batch order, rotations, schedule and validation are those of an ordinary run, which it
    reproduces up to rounding. Checkpoints are written at validations, at most every 20 seconds, and
    at the end; a run can be resumed exactly from ``last.ckpt``.

    Args:
        trainer: the Trainer with its callbacks and loggers.
        task: the task.
        datamodule: the data module.
        steps_per_graph: number of steps per CUDA graph.

    Raises:
        RunError: If an option of the Trainer is not supported.
    """

    def __init__(
        self, trainer: Trainer, task: GraphTask, datamodule: GraphDataModule, steps_per_graph: int
    ) -> None:
        check_captured(trainer, task)
        self.trainer, self.task, self.datamodule = trainer, task, datamodule
        self.steps_per_graph = steps_per_graph
        self.device = trainer.strategy.root_device
        task.trainer = datamodule.trainer = trainer
        trainer.precision_plugin.convert_module(task)
        task.to(self.device)
        self.loader, self.val_loader = datamodule.train_dataloader(), datamodule.val_dataloader()
        check_loader(self.loader, self.device, trainer.limit_train_batches)
        configured = task.configure_optimizers()
        if isinstance(configured, dict):
            self.optimizer = configured["optimizer"]
            self.schedule = configured["lr_scheduler"]["scheduler"]
        else:
            self.optimizer, self.schedule = configured, None
        if not isinstance(self.schedule, LambdaLR | None):
            kind = type(self.schedule).__name__
            raise RunError(f"schedule must be a LambdaLR with captured steps, got {kind}")
        self.average = self._make_average()
        self.epoch, self.step = 0, 0
        self._losses: list[tuple[int, int, float | Tensor, dict[str, Tensor]]] = []
        self._metrics: dict[str, float] = {}
        self._logged = -math.inf
        self._progress = Progress(task.monitor)
        self._bar = next((c for c in callbacks_of(trainer) if isinstance(c, RunBar)), None)
        self._written = time.monotonic()
        self._best_content: dict[str, Any] | None = None

    def run(self, checkpoint: Path | None) -> None:
        """Train until the last epoch, or until the time limit is reached.

        Args:
            checkpoint: ``last.ckpt`` of the run to resume; None: a new run.
        """
        if checkpoint is not None:
            self._load(checkpoint)
        self._progress.begin(self.epoch)
        steps = self._make_steps()
        timer = self._callback(Timer)
        timer.on_train_start(self.trainer, self.task)
        epochs = self._num_epochs
        with ThreadPoolExecutor(1) as worker, self._bar or nullcontext():
            coming: Future[_Epoch] | None = None
            while self.epoch < epochs:
                made = self._prepared(self.epoch) if coming is None else coming.result()
                if coming is None:  # no other thread may use CUDA during capture
                    steps.record(made.batches, made.table)
                if self.epoch + 1 < epochs:
                    coming = worker.submit(self._prepared, self.epoch + 1)
                self._train_epoch(steps, made)
                if self._bar is not None:
                    self._bar.show(f"epoch {self.epoch} of {epochs}", self.epoch, epochs)
                is_over = self._is_over(timer)
                if self._is_validated() or is_over:
                    self._validate()
                    self._remember_best()
                    if time.monotonic() - self._written >= _PAUSE:
                        self._write()
                    is_over = self._is_over(timer)
                if is_over:
                    _LOG.info("time limit reached after %d of %d epochs", self.epoch, epochs)
                    break
        timer.on_train_end(self.trainer, self.task)
        self._write()

    @property
    def _num_epochs(self) -> int:
        return self.trainer.max_epochs or 0  # at least 1: `check_captured`

    def _train_epoch(self, steps: CapturedSteps, made: _Epoch) -> None:
        self.task.train()
        seeded = self._callback(SeededEpochs)
        seeded.seed_epoch(self.epoch, rank=0)
        torch.empty((), dtype=torch.int64).random_()  # as torch's DataLoader draws its own seed
        # From the schedule: reading the rate of the optimizer would synchronise with the GPU.
        rate = 0.0 if self.schedule is None else present_rates(self.schedule)[0]
        steps.run(made.batches, made.table)
        self.step += len(made.batches)
        self.epoch += 1
        size = sum(len(batch) for batch in made.batches)
        totals = {name: total / size for name, total in steps.take_totals().items()}
        self._losses.append((self.epoch - 1, self.step - 1, rate, totals))
        if self.schedule is not None:
            self.schedule.step()

    def _prepared(self, epoch: int) -> _Epoch:
        sampler = self.loader.sampler
        sampler.set_epoch(epoch)
        batches = list(sampler)[: limited(len(sampler), self.trainer.limit_train_batches)]
        table = self.task.rotation_table(epoch)
        if table is not None:
            table = table[: len(self.datamodule.store)]  # row i is of graph i
            table = table.pin_memory() if self.device.type == "cuda" else table
        return _Epoch(batches, table)

    def _is_validated(self) -> bool:
        every = self.trainer.check_val_every_n_epoch or 1
        return self.epoch % every == 0 or self.epoch == self.trainer.max_epochs

    def _is_over(self, timer: Timer) -> bool:
        remaining = timer.time_remaining()
        return remaining is not None and remaining <= 0

    def _validate(self) -> None:
        task = self.task
        self._log_losses()
        number = limited(len(self.val_loader), self.trainer.limit_val_batches)
        if number == 0:
            return
        task.eval()
        with self.average.applied() if self.average else nullcontext(), torch.no_grad():
            for index, batch in enumerate(self.val_loader):
                if index == number:
                    break
                with self.trainer.precision_plugin.forward_context():
                    task.validation_step(batch, index)
        values = {f"val/{name}": float(v) for name, v in task.validation_values().items()}
        self._metrics = self._metrics | values
        self._progress.validated(values[task.monitor], self.epoch)
        self._log(values, self.epoch - 1, self.step - 1)
        self._tell(values[task.monitor])

    def _log_losses(self) -> None:
        """Read the losses of all epochs since the last validation at once.

        Raises:
            NonFiniteLossError: If a loss is not finite.
        """
        waiting, self._losses = self._losses, []
        if not waiting:
            return
        names = list(waiting[0][3])
        values = torch.stack([torch.stack([t[name] for name in names]) for *_, t in waiting]).cpu()
        for (epoch, step, rate, _), row in zip(waiting, values.tolist(), strict=True):
            found = dict(zip((f"train/{name}" for name in names), row, strict=True))
            if not all(map(math.isfinite, row)):
                raise NonFiniteLossError(
                    f"the training loss of epoch {epoch + 1} (to step {step}) is "
                    f"{found['train/loss']}. Common causes: a learning rate that is too high, or a "
                    "corrupt frame in the data. Without trainer.captured_steps the step is given."
                )
            self._log(found | {"train/lr": rate}, epoch, step)
            self._metrics = self._metrics | found

    def _log(self, values: dict[str, float], epoch: int, step: int) -> None:
        for logger in self.trainer.loggers:
            logger.log_metrics({**values, "epoch": epoch}, step)

    def _tell(self, value: float) -> None:
        now, total = time.monotonic(), self._num_epochs
        losses = {"train/loss": self._metrics.get("train/loss", math.nan)}
        losses[self.task.monitor] = value
        limit = self._callback(Timer).time_remaining()
        if self._bar is not None:
            below = self._progress.parts(losses, self.epoch, total, limit)
            self._bar.show(f"epoch {self.epoch} of {total}", self.epoch, total, below)
        elif now - self._logged >= _PAUSE or self.epoch == total:
            _LOG.info(self._progress.line(losses, self.epoch, total, limit))
            self._logged = now

    def _remember_best(self) -> None:
        """Keep the state of the best validation until checkpoints are written."""
        if self._progress.best_epoch == self.epoch:
            self._best_content = self._content(whole=False)

    def _write(self) -> None:
        """Write ``last.ckpt``, and ``best.ckpt`` if there is a new best validation."""
        self._log_losses()
        for logger in self.trainer.loggers:
            logger.save()
        for callback in callbacks_of(self.trainer):
            if isinstance(callback, ModelCheckpoint):
                content = self._content() if callback.monitor is None else self._best_content
                if content is not None:
                    assert callback.dirpath is not None  # `make_callbacks` gives it
                    path = Path(callback.dirpath) / f"{callback.filename}.ckpt"
                    AtomicCheckpoints().save_checkpoint(content, path)
        self._best_content = None
        self._written = time.monotonic()

    def _content(self, *, whole: bool = True) -> dict[str, Any]:
        """The content of a checkpoint; a whole one can be resumed."""
        with self.average.applied() if self.average else nullcontext():
            state = _copied(self.task)
        metrics = {k: v for k, v in self._metrics.items() if k.startswith("val/")}
        return {
            "epoch": self.epoch - 1,
            "global_step": self.step,
            "state_dict": state,
            "callbacks": {
                "Timer": self._callback(Timer).state_dict(),
                "Hardware": hardware_facts(self.trainer),
            },
            "captured": {"epoch": self.epoch, "progress": self._progress.state_dict()},
            "geozoo": {**self.task.record, "metrics": metrics},
            **(self._training_state() if whole else {}),
        }

    def _training_state(self) -> dict[str, Any]:
        schedule = None if self.schedule is None else {"last_epoch": self.schedule.last_epoch}
        averaged = {} if self.average is None else {"current_model_state": _copied(self.task)}
        return {"optimizer": _plain(self.optimizer.state_dict()), "schedule": schedule, **averaged}

    def _load(self, path: Path) -> None:
        checkpoint = read_checkpoint(path)
        content = checkpoint.content
        if not checkpoint.is_captured:
            raise RunError(
                f"{path} was not written by captured steps: resume it without "
                "trainer.captured_steps"
            )
        self.task.load_state_dict(content.get("current_model_state", content["state_dict"]))
        if self.average is not None:
            named = dict(self.task.named_parameters())
            trained = [name for name, p in named.items() if p.requires_grad]
            for name, value in zip(trained, self.average.values, strict=True):
                value.copy_(content["state_dict"][name])
            self.average.resume(content["global_step"])
        saved = content["optimizer"]
        if self.device.type == "cuda":
            prepare_optimizer(self.optimizer, self.device)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
        if self.schedule is not None:
            self._move_schedule(content["schedule"]["last_epoch"])
            before, after = float(saved["param_groups"][0]["lr"]), present_rates(self.schedule)[0]
            done = content["captured"]["epoch"]
            if not math.isclose(before, after, rel_tol=1e-6) and done < self._num_epochs:
                _LOG.info(describe_schedule_change(before, after, done, self.trainer.max_epochs))
        captured = content["captured"]
        self.epoch = captured["epoch"]
        # The first version of these checkpoints holds only the best value.
        self._progress.load_state_dict(captured.get("progress") or {**captured, "best_epoch": 0})
        self.step = content["global_step"]
        values = content["geozoo"]["metrics"]
        self._metrics = dict(values)
        self._callback(Timer).load_state_dict(content["callbacks"]["Timer"])

    def _move_schedule(self, last_epoch: int) -> None:
        self.schedule.last_epoch = last_epoch
        rates = present_rates(self.schedule)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _make_steps(self) -> CapturedSteps:
        with user_errors_named("trainer.captured_steps"):
            return CapturedSteps(
                self.task, self.optimizer, self.loader.store,
                steps_per_graph=self.steps_per_graph, clipping=self.trainer.gradient_clip_val,
                average=self.average, precision=self.trainer.precision_plugin.forward_context,
            )  # fmt: skip

    def _make_average(self) -> WeightAverage | None:
        for callback in callbacks_of(self.trainer):
            if isinstance(callback, WeightsAveraged):
                trained = [p for p in self.task.parameters() if p.requires_grad]
                return WeightAverage(trained, callback.decay, callback.start)
        return None

    def _callback(self, kind: type) -> Any:
        return next(c for c in callbacks_of(self.trainer) if isinstance(c, kind))


def _copied(task: GraphTask) -> dict[str, Tensor]:
    """A copy of weights and buffers in host memory."""
    return {name: value.detach().to("cpu", copy=True) for name, value in task.state_dict().items()}


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """The state of an optimizer in host memory, with learning rates as numbers."""
    groups = [
        {k: float(v) if isinstance(v, Tensor) else v for k, v in group.items()}
        for group in state["param_groups"]
    ]
    moved = {
        key: {name: v.cpu() if isinstance(v, Tensor) else v for name, v in values.items()}
        for key, values in state["state"].items()
    }
    return {"state": moved, "param_groups": groups}
