"""Learning rate schedules, stepped once per epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def present_rates(schedule: LambdaLR) -> list[float | Tensor]:
    """The learning rate of each parameter group under the current schedule.

    A resumed run may have another length than the run of its checkpoint; its optimizer then still
    has the learning rates of the previous schedule.
    """
    factors = [factor(schedule.last_epoch) for factor in schedule.lr_lambdas]
    return [base * by for base, by in zip(schedule.base_lrs, factors, strict=True)]


def describe_schedule_change(
    before: float | Tensor, after: float | Tensor, epoch: int, num_epochs: int | None
) -> str:
    """Log message for a resumed run whose learning rate changes.

    Args:
        before: learning rate in the checkpoint.
        after: learning rate under the new schedule.
        epoch: number of completed epochs.
        num_epochs: number of epochs of the whole run; None: unlimited.
    """
    length = "unlimited" if num_epochs is None else f"{num_epochs}"
    return (
        f"the schedule now has {length} epochs: the learning rate of epoch {epoch + 1} is "
        f"{after:.4g} (previous schedule: {before:.4g})"
    )


def cosine_warmup(
    optimizer: Optimizer, *, num_epochs: int, warmup_epochs: int = 0, warmup_start: float = 0.0
) -> LambdaLR:
    r"""Cosine annealing over all epochs, multiplied by a linear warm-up.

    .. math:: \eta_e = \eta \cdot \tfrac{1}{2}\bigl(1 + \cos(\pi e / E)\bigr) \cdot
        \Bigl(s + (1 - s)\,\frac{e}{W}\Bigr)\ [e \le W]

    The authors' code of PONITA has :math:`s = 0`: epoch 0 leaves the weights unchanged.

    Args:
        optimizer: its learning rate is the maximum :math:`\eta`.
        num_epochs: number of epochs :math:`E` of the whole training run.
        warmup_epochs: number of warm-up epochs :math:`W`; 0: none.
        warmup_start: factor :math:`s` in epoch 0.

    Raises:
        ValueError: If ``num_epochs`` is below 1, ``warmup_epochs`` is negative, or
            ``warmup_start`` is outside 0..1.
    """
    if num_epochs < 1:
        raise ValueError(
            f"trainer.max_epochs must be at least 1, got {num_epochs}: a cosine schedule needs the "
            "number of epochs; or use schedule=constant"
        )
    warmup = _warmup(warmup_epochs, warmup_start)

    def factor(epoch: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * min(epoch / num_epochs, 1.0))) * warmup(epoch)

    return LambdaLR(optimizer, factor)


def constant(
    optimizer: Optimizer, *, num_epochs: int, warmup_epochs: int = 0, warmup_start: float = 0.0
) -> LambdaLR:
    """A constant learning rate after a linear warm-up; arguments as in `cosine_warmup`.

    Raises:
        ValueError: If ``warmup_epochs`` is negative or ``warmup_start`` is outside 0..1.
    """
    del num_epochs  # part of the common signature of all schedules
    return LambdaLR(optimizer, _warmup(warmup_epochs, warmup_start))


def multistep(
    optimizer: Optimizer,
    *,
    num_epochs: int,
    milestones: Sequence[int],
    gamma: float = 0.1,
    warmup_epochs: int = 0,
    warmup_start: float = 0.0,
) -> LambdaLR:
    """Step decay: multiply the learning rate by ``gamma`` at each milestone, with a warm-up.

    Args:
        optimizer: its learning rate is the maximum.
        num_epochs: number of epochs of the whole training run; not used.
        milestones: increasing epochs.
        gamma: factor at each milestone.
        warmup_epochs: as in `cosine_warmup`.
        warmup_start: as in `cosine_warmup`.

    Raises:
        ValueError: If ``milestones`` are not increasing positive epochs, ``gamma`` is not
            positive, or the warm-up is invalid.
    """
    del num_epochs
    rises = list(milestones) == sorted(set(milestones)) and all(each > 0 for each in milestones)
    if not rises or not gamma > 0:
        raise ValueError(
            "milestones must be increasing epochs of at least 1 and gamma must be positive, got "
            f"{list(milestones)} and {gamma}"
        )
    warmup = _warmup(warmup_epochs, warmup_start)

    def factor(epoch: int) -> float:
        return gamma ** sum(epoch >= milestone for milestone in milestones) * warmup(epoch)

    return LambdaLR(optimizer, factor)


class _Warmup:
    def __init__(self, epochs: int, start: float) -> None:
        self.epochs, self.start = epochs, start

    def __call__(self, epoch: int) -> float:
        if epoch > self.epochs or self.epochs == 0:
            return 1.0
        return self.start + (1.0 - self.start) * epoch / self.epochs


def _warmup(epochs: int, start: float) -> _Warmup:
    if epochs < 0:
        raise ValueError(f"warmup_epochs must be at least 0, got {epochs}")
    if not 0.0 <= start <= 1.0:
        raise ValueError(f"warmup_start must be in 0..1, got {start}")
    return _Warmup(epochs, start)


def hold_from_now_on(schedule: LRScheduler, epoch: int, num_epochs: int | None) -> str | None:
    """Set the optimizer's learning rates to those of its schedule at the current epoch.

    A checkpoint stores the learning rate of the next epoch under the previous schedule.

    Args:
        schedule: the schedule; ignored if it is not a ``LambdaLR``.
        epoch: number of completed epochs.
        num_epochs: number of epochs of the training run; None: unlimited.

    Returns:
        A log message; None if nothing changed.
    """
    if not isinstance(schedule, LambdaLR) or schedule.last_epoch == 0:
        return None
    groups, rates = schedule.optimizer.param_groups, present_rates(schedule)
    before = [group["lr"] for group in groups]
    if before == rates:
        return None
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
    schedule._last_lr = rates
    return describe_schedule_change(before[0], rates[0], epoch, num_epochs)
