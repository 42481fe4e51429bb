import pytest
import torch

from geozoo.tasks import NonFiniteLossError
from geozoo.tasks._finite import FiniteLossGuard


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_non_finite_loss_raises_with_step_batch_and_graphs(value: float) -> None:
    guard = FiniteLossGuard()
    guard.watch(torch.tensor(1.0), torch.arange(3), epoch=4, step=50, batch_idx=6)
    with pytest.raises(NonFiniteLossError, match=r"step 51 \(epoch 5, batch 7 .* graphs 8, 9 "):
        guard.watch(torch.tensor(value), torch.tensor([8, 9]), epoch=4, step=51, batch_idx=7)


def test_pending_losses_are_checked_when_flushed() -> None:
    guard = FiniteLossGuard()
    waiting = [torch.tensor(1.0), torch.tensor(float("nan")), torch.tensor(float("nan"))]
    for step, loss in enumerate(waiting):
        guard._waiting.append(_watched(loss, step))
    with pytest.raises(NonFiniteLossError, match="step 1 "):
        guard.flush()
    guard.flush()


def test_only_the_first_graphs_of_a_large_batch_are_listed() -> None:
    guard = FiniteLossGuard()
    with pytest.raises(NonFiniteLossError, match=r"graphs 0, 1, 2, 3, 4, 5, 6, 7, \.\.\. of"):
        guard.watch(torch.tensor(float("nan")), torch.arange(100), epoch=0, step=0, batch_idx=0)


def _watched(loss: torch.Tensor, step: int) -> object:
    from geozoo.tasks._finite import _Watched

    return _Watched(loss, 0, step, step, torch.arange(2))
