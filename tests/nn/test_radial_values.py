"""Functions of the distance, number by number."""

import math

import pytest
import torch

import geozoo.nn as layers

RADIUS, COUNT = 2.5, 4
DISTANCES = torch.tensor([[0.0, 0.3], [1.7, 2.4]], dtype=torch.float64)


def gaussian(d: float, k: int) -> float:
    step = RADIUS / (COUNT - 1)
    return math.exp(-((d - k * step) ** 2) / (2 * step**2))


def bessel(d: float, k: int) -> float:
    wave = (k + 1) * math.pi / RADIUS
    return math.sqrt(2 / RADIUS) * (math.sin(wave * d) / d if d else wave)


def exponential(d: float, k: int) -> float:
    least = math.exp(-RADIUS)
    center = least + k * (1 - least) / (COUNT - 1)
    width = 2 / COUNT * (1 - least)
    return math.exp(-(((math.exp(-d) - center) / width) ** 2))


@pytest.mark.parametrize(
    ("make", "formula"),
    [
        (layers.GaussianBasis, gaussian), (layers.BesselBasis, bessel),
        (layers.ExponentialBasis, exponential),
    ],
    ids=["gaussian", "bessel", "exponential"],
)  # fmt: skip
def test_bases_are_their_formulas(make, formula):
    basis = make(COUNT, RADIUS)
    expected = [[[formula(float(d), k) for k in range(COUNT)] for d in row] for row in DISTANCES]
    found = basis(DISTANCES)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    single = basis(DISTANCES.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), found, rtol=1e-5, atol=1e-5)


def test_a_switched_window_is_its_formula_and_smooth_at_both_ends():
    at = torch.tensor([0.0, 1.0, 1.7, 2.4, 2.5, 9.0], dtype=torch.float64).requires_grad_()
    found = layers.XplorWindow(2.5, 1.0)(at)
    a, b = 2.5**2, 1.0
    middle = [(a - d * d) ** 2 * (a + 2 * d * d - 3 * b) / (a - b) ** 3 for d in (1.7, 2.4)]
    expected = torch.tensor([1.0, 1.0, *middle, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found, expected)
    (slope,) = torch.autograd.grad(found.sum(), at)
    assert slope[2] < -0.1 and slope[3] < 0
    torch.testing.assert_close(slope[[0, 1, 4, 5]], torch.zeros(4).double())


def test_trained_frequencies_start_at_whole_numbers():
    fixed, trained = layers.BesselBasis(3, 2.0), layers.BesselBasis(3, 2.0, trainable=True)
    assert not list(fixed.parameters()) and trained.order.tolist() == [1, 2, 3]
    at = torch.rand(4)
    torch.testing.assert_close(trained(at), fixed(at))
    trained(at).sum().backward()
    assert trained.order.grad.abs().min() > 0


def test_windows_are_their_formulas():
    at = torch.tensor([0.0, 0.7, 2.4, 2.5, 9.0], dtype=torch.float64)
    cosine = [0.5 * (math.cos(math.pi * d / RADIUS) + 1) for d in (0.0, 0.7, 2.4)] + [0, 0]
    found = layers.CosineWindow(RADIUS)(at)
    torch.testing.assert_close(found, torch.tensor(cosine, dtype=torch.float64))
    p = 3
    share = [d / RADIUS for d in (0.0, 0.7, 2.4)]
    polynomial = [
        1 - (p + 1) * (p + 2) / 2 * u**p + p * (p + 2) * u ** (p + 1) - p * (p + 1) / 2 * u**5
        for u in share
    ] + [0, 0]
    found = layers.PolynomialWindow(RADIUS, p)(at)
    torch.testing.assert_close(found, torch.tensor(polynomial, dtype=torch.float64))
