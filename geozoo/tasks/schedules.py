"""Learning rate over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def present_rates(schedule: LambdaLR) -> list[float | Tensor]:
    """The learning rate of every parameter group by the schedule as it is now.

    A continued run may have another length than the checkpoint it goes on from; the rates of its
    optimizer are then those of the schedule before.
    """
    factors = [factor(schedule.last_epoch) for factor in schedule.lr_lambdas]
    return [base * by for base, by in zip(schedule.base_lrs, factors, strict=True)]


def change_told(
    before: float | Tensor, after: float | Tensor, epoch: int, num_epochs: int | None
) -> str:
    """What a log says where a continuation changes the learning rate.

    Args:
        before: the rate that the checkpoint holds.
        after: the rate by the schedule of the continuation.
        epoch: epochs done.
        num_epochs: epochs of the whole run; None: without an end.
    """
    length = "without an end" if num_epochs is None else f"of {num_epochs} epochs"
    return (
        f"the schedule is now one {length}: the learning rate of epoch {epoch + 1} is {after:.4g} "
        f"(by the schedule before: {before:.4g})"
    )


def cosine_warmup(
    optimizer: Optimizer, *, num_epochs: int, warmup_epochs: int = 0, warmup_start: float = 0.0
) -> LambdaLR:
    r"""Half a cosine over all epochs, times a linear warm-up; stepped once per epoch.

    .. math:: \eta_e = \eta \cdot \tfrac{1}{2}\bigl(1 + \cos(\pi e / E)\bigr) \cdot
        \Bigl(s + (1 - s)\,\frac{e}{W}\Bigr)\ [e \le W]

    The released training of PONITA has :math:`s = 0`: its epoch 0 leaves the weights unchanged.

    Args:
        optimizer: holds the largest rate :math:`\eta`.
        num_epochs: length :math:`E` of the whole training.
        warmup_epochs: length :math:`W` of the warm-up; 0: none.
        warmup_start: factor :math:`s` in epoch 0.

    Raises:
        ValueError: for lengths or factors outside these ranges.
    """
    if num_epochs < 1:
        raise ValueError(
            "a cosine needs the number of epochs: trainer.max_epochs must be at least 1, "
            f"got {num_epochs}; or use schedule=constant"
        )
    warmup = _warmup(warmup_epochs, warmup_start)

    def factor(epoch: int) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * min(epoch / num_epochs, 1.0))) * warmup(epoch)

    return LambdaLR(optimizer, factor)


def constant(
    optimizer: Optimizer, *, num_epochs: int, warmup_epochs: int = 0, warmup_start: float = 0.0
) -> LambdaLR:
    """The same rate in all epochs behind a linear warm-up; arguments as in `cosine_warmup`.

    Raises:
        ValueError: for a negative length or a factor outside 0..1.
    """
    del num_epochs  # every schedule is told the length; this one has no use for it
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
    """The rate times ``gamma`` from each milestone on, behind a linear warm-up.

    Args:
        optimizer: holds the largest rate.
        num_epochs: length of the whole training; not used.
        milestones: epochs, rising.
        gamma: factor at each of them.
        warmup_epochs: as in `cosine_warmup`.
        warmup_start: as in `cosine_warmup`.

    Raises:
        ValueError: for milestones that do not rise, a gamma that is not positive, or a wrong
            warm-up.
    """
    del num_epochs
    rises = list(milestones) == sorted(set(milestones)) and all(each > 0 for each in milestones)
    if not rises or not gamma > 0:
        raise ValueError(
            f"milestones must rise from 1 on and gamma be positive, got {list(milestones)} and "
            f"{gamma}"
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
    """Give an optimizer the rates that its schedule has at this epoch.

    A checkpoint holds the rate of the next epoch by the schedule that it was written under.

    Args:
        schedule: of the optimizer; another kind than ``LambdaLR`` stays as it is.
        epoch: epochs that are done.
        num_epochs: length of the training.

    Returns:
        What has changed, for the log; None for nothing.
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
    return change_told(before[0], rates[0], epoch, num_epochs)
