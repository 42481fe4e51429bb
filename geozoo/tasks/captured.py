"""Training steps captured as CUDA graphs and replayed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from geozoo.contracts import NeighborListed
from geozoo.data.loader import Store
from geozoo.tasks.base import GraphTask

#: Warm-up steps on a side stream before capture, in which libraries select kernels and allocate.
_WARM_UP = 3


class WeightAverage:
    """Exponential moving average of parameters, updated in place.

    The same average as `geozoo.runs.averaging.WeightsAveraged`.

    Args:
        parameters: the averaged parameters.
        decay: weight of the previous average in an update.
        start: updates that copy the parameters before averaging begins; at least the first does.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float, start: int = 0) -> None:
        self.parameters, self.decay, self.start = list(parameters), decay, start
        self.values = [parameter.detach().clone() for parameter in self.parameters]
        self.rate = self.values[0].new_ones(())
        self.copies_left = torch.tensor(float(max(start, 1)), device=self.rate.device)

    @torch.no_grad()
    def update(self) -> None:
        """Update the average without synchronising with the device."""
        change = torch._foreach_sub(self.parameters, self.values)
        torch._foreach_mul_(change, self.rate)
        torch._foreach_add_(self.values, change)
        self._count(1)

    def resume(self, updates: int) -> None:
        """Continue after a number of updates; the values are set by the caller."""
        self.copies_left.fill_(max(self.start, 1))
        self._count(updates)

    def _count(self, updates: int) -> None:
        """The rate of the next update, computed on the device."""
        self.copies_left.sub_(updates).clamp_(min=0.0)
        decayed = torch.full_like(self.rate, 1.0 - self.decay)
        self.rate.copy_(torch.where(self.copies_left > 0, torch.ones_like(decayed), decayed))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Replace the parameters by their average, for a validation or a checkpoint."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        _assign(self.parameters, self.values)
        try:
            yield
        finally:
            _assign(self.parameters, kept)


class CapturedSteps:
    """Training steps of a task: gather, rotation, loss, gradients, clipping, optimizer, average.

    On a GPU, blocks of steps are captured as CUDA graphs, and the CPU only replays them; on a CPU
    the same steps run one by one. All graphs of the data must have the same size, because a CUDA
    graph has fixed shapes. Random rotations and batch order are the same as in ordinary training
    (`geozoo.tasks.GraphTask`).

    Args:
        task: the task, on the training device.
        optimizer: ``Adam`` or ``AdamW``; on a GPU its groups become ``capturable``.
        store: the data, on the training device.
        steps_per_graph: maximum number of steps in a CUDA graph.
        clipping: maximum gradient norm; None: no clipping.
        average: moving average of the weights; None: no averaging.
        precision: context of the forward pass, such as autocast.

    Attributes:
        totals: sums since the last `take_totals` of each loss term times the size of its batch.

    Raises:
        ValueError: If ``steps_per_graph`` is below 1, the task draws noise on the CPU, the
            optimizer is not Adam or AdamW, the graphs differ in size, or the model searches
            neighbours within a cutoff radius.
    """

    def __init__(
        self,
        task: GraphTask,
        optimizer: Optimizer,
        store: Store,
        *,
        steps_per_graph: int,
        clipping: float | None = None,
        average: WeightAverage | None = None,
        precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        _check(task, optimizer, store, steps_per_graph)
        self.task, self.optimizer, self.store = task, optimizer, store
        self.steps_per_graph, self.clipping = steps_per_graph, clipping
        self.average, self.precision = average, precision
        self.device = store.device
        self.totals: dict[str, Tensor] = {}
        self.table: Tensor | None = None
        self._blocks: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._neighbors: dict[tuple[int, int], Any] = {}
        if self.device.type == "cuda":
            prepare_optimizer(optimizer, self.device)

    def run(self, batches: Sequence[Tensor], table: Tensor | None = None) -> None:
        """Train on the batches in order.

        Args:
            batches: indices into the store of each batch, on the CPU, in pinned memory for a GPU.
            table: rotations of the epoch, see `GraphTask.rotation_table`; None: no rotation.
        """
        self._take_table(table)
        with self._fixed_neighbors():
            for block in _blocks(batches, self.steps_per_graph):
                if self.device.type == "cuda":
                    graph, index = self._recorded(block)
                    index.copy_(block, non_blocking=True)
                    graph.replay()
                else:
                    for one in block:
                        self._step(one)

    def record(self, batches: Sequence[Tensor], table: Tensor | None = None) -> None:
        """Capture the CUDA graphs for these batches without changing weights; no-op on a CPU."""
        self._take_table(table)
        if self.device.type == "cuda":
            with self._fixed_neighbors():
                for block in _blocks(batches, self.steps_per_graph):
                    self._recorded(block)

    def take_totals(self) -> dict[str, Tensor]:
        """Return copies of the loss totals and reset them."""
        totals = {name: total.clone() for name, total in self.totals.items()}
        for total in self.totals.values():
            total.zero_()
        return totals

    def _take_table(self, table: Tensor | None) -> None:
        if table is None:
            return
        if self.table is None:
            self.table = table.to(self.device, copy=True)
        else:
            self.table.copy_(table, non_blocking=True)

    def _step(self, index: Tensor) -> None:
        batch = self.store.gather(index)
        if self.table is not None:
            batch = self.task.turned(batch, self.table)
        with self.precision():
            parts = self.task.loss(batch)
        parts["loss"].backward()
        if self.clipping is not None:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.clipping)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update()
        for name, value in parts.items():
            if name not in self.totals:
                self.totals[name] = torch.zeros((), dtype=torch.float64, device=self.device)
            self.totals[name] += value.detach().double() * len(index)

    def _recorded(self, block: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        key = (len(block), block.shape[1])
        if key not in self._blocks:
            index = block.to(self.device, copy=True)
            # Autograd graphs kept alive by reference cycles would tie the steps to their stream.
            gc.collect()
            self._warm_up(index[0])
            gc.collect()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool()):
                for one in index:
                    self._step(one)
            self._blocks[key] = (graph, index)
        return self._blocks[key]

    def _pool(self) -> Any:
        """Memory pool shared by all CUDA graphs, which never run concurrently."""
        return next((graph.pool() for graph, _ in self._blocks.values()), None)

    def _warm_up(self, index: Tensor) -> None:
        """Run steps on a side stream, then restore all tensors that they changed."""
        fill_optimizer_state(self.optimizer)
        changed = self._changed()
        kept = [tensor.clone() for tensor in changed]
        known = set(self.totals)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                self._step(index)
        torch.cuda.current_stream().wait_stream(stream)
        _assign(changed, kept)
        for name in self.totals.keys() - known:
            self.totals[name].zero_()

    def _changed(self) -> list[Tensor]:
        """All tensors that a step modifies in place."""
        states = [state.values() for state in self.optimizer.state.values()]
        tensors = [*self.task.model.parameters(), *self.task.model.buffers()]
        tensors += [value for values in states for value in values if isinstance(value, Tensor)]
        if self.average is not None:
            tensors += [*self.average.values, self.average.rate, self.average.copies_left]
        return [*tensors, *self.totals.values()]

    @contextmanager
    def _fixed_neighbors(self) -> Iterator[None]:
        """Cache the neighbour lists of complete graphs, which depend only on the batch size."""
        model = self.task.model
        if not isinstance(model, NeighborListed):
            yield
            return
        find = model.neighbors

        def cached(**inputs: Any) -> Any:
            if inputs.get("edge_index") is not None:
                return find(**inputs)
            key = (inputs["num_graphs"], len(inputs["batch"]))
            if key not in self._neighbors:
                self._neighbors[key] = find(**inputs)
            return self._neighbors[key]

        vars(model)["neighbors"] = cached  # hides the method until it is deleted
        try:
            yield
        finally:
            del model.neighbors


def prepare_optimizer(optimizer: Optimizer, device: torch.device) -> None:
    """Make steps of Adam capturable: step counts and learning rates become device tensors."""
    for group in optimizer.param_groups:
        group["capturable"], group["fused"], group["foreach"] = True, True, False
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32).to(device, copy=True)


def fill_optimizer_state(optimizer: Optimizer) -> None:
    """Create the zero-initialised state of an Adam optimizer before its first step."""
    if optimizer.state:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    kept = [parameter.detach().clone() for parameter in parameters]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    _assign(parameters, kept)
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()


def _blocks(batches: Sequence[Tensor], size: int) -> Iterator[Tensor]:
    """Stacks ``[K, G]`` of at most ``size`` consecutive batches with the same number of graphs."""
    start = 0
    while start < len(batches):
        stop = start + 1
        while (
            stop < len(batches)
            and stop - start < size
            and len(batches[stop]) == len(batches[start])
        ):
            stop += 1
        block = torch.stack(list(batches[start:stop]))
        yield block.pin_memory() if torch.cuda.is_available() else block
        start = stop


@torch.no_grad()
def _assign(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for target, value in zip(targets, values, strict=True):
        target.copy_(value)


def _check(task: GraphTask, optimizer: Optimizer, store: Store, steps_per_graph: int) -> None:
    if steps_per_graph < 1:
        raise ValueError(f"steps_per_graph must be at least 1, got {steps_per_graph}")
    if task.draws_on_cpu:
        kind = type(task).__name__
        raise ValueError(
            f"task {kind} draws noise on the CPU, which CUDA graphs cannot capture: remove "
            "trainer.captured_steps"
        )
    if not isinstance(optimizer, Adam):
        kind = type(optimizer).__name__
        raise ValueError(f"optimizer must be Adam or AdamW for captured steps, got {kind}")
    sizes = getattr(store, "num_nodes", None)
    if isinstance(sizes, Tensor) and len(sizes) and bool((sizes != sizes[0]).any()):
        raise ValueError(
            "dataset: captured steps need graphs of the same size, got graphs with "
            f"{int(sizes.min())} to {int(sizes.max())} nodes; remove trainer.captured_steps"
        )
    radius = getattr(task.model, "radius", None)
    if radius is not None:
        raise ValueError(
            f"model.radius must be null for captured steps, got {radius}: the number of neighbours "
            "within the radius varies, but a CUDA graph has fixed shapes"
        )
    if getattr(task.model, "has_fixed_neighbors", True) is False:
        raise ValueError(
            f"model: {type(task.model).__name__} chooses points or edges by their positions, but a "
            "CUDA graph has fixed shapes: remove trainer.captured_steps"
        )
