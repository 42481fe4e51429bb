import math

import pytest
import torch

from geozoo.tasks import constant, cosine_warmup


def _rates(make: object, epochs: int, **options: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = make(optimizer, num_epochs=epochs, **options)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_cosine_with_warmup_is_the_published_formula() -> None:
    rates = _rates(cosine_warmup, 20, warmup_epochs=4)
    for epoch, rate in enumerate(rates):
        cosine = 0.5 * (1 + math.cos(math.pi * epoch / 20))
        expected = 2.0 * cosine * (epoch / 4 if epoch <= 4 else 1.0)
        assert rate == pytest.approx(expected)
    assert rates[0] == 0.0


def test_without_warmup_the_first_rate_is_the_maximum() -> None:
    assert _rates(cosine_warmup, 5)[0] == 2.0


def test_warmup_start_is_the_first_factor() -> None:
    rates = _rates(constant, 4, warmup_epochs=2, warmup_start=0.5)
    assert rates == pytest.approx([1.0, 1.5, 2.0, 2.0])


def test_schedule_continues_from_its_state() -> None:
    whole = _rates(cosine_warmup, 8, warmup_epochs=3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    first = cosine_warmup(optimizer, num_epochs=8, warmup_epochs=3)
    for _ in range(5):
        optimizer.step()
        first.step()
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    second = cosine_warmup(other, num_epochs=8, warmup_epochs=3)
    other.load_state_dict(optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert other.param_groups[0]["lr"] == whole[5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_epochs": -1}, "trainer.max_epochs"),
        ({"num_epochs": 5, "warmup_epochs": -1}, "warmup_epochs"),
        ({"num_epochs": 5, "warmup_epochs": 2, "warmup_start": 2.0}, "warmup_start"),
    ],
)
def test_invalid_lengths_raise(options: dict, message: str) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    with pytest.raises(ValueError, match=message):
        cosine_warmup(optimizer, **options)
