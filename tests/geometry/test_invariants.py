import pytest
import torch

from geozoo import geometry as geo
from geozoo.testing import assert_dtype_kept, assert_finite_derivatives, assert_gradients


def vectors(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def units(*shape, seed=0):
    return torch.nn.functional.normalize(vectors(*shape, seed=seed), dim=-1)


def rotations(num, dim, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return geo.random_rotations(num, dim, generator=generator, dtype=torch.float64)


PAIRS = {
    "distance 2": (geo.distance_invariants, (vectors(6, 2),)),
    "distance 3": (geo.distance_invariants, (vectors(6, 3),)),
    "r2s1": (geo.r2s1_invariants, (vectors(6, 2), units(6, 2, seed=1))),
    "r3s2": (geo.r3s2_invariants, (vectors(6, 3), units(6, 3, seed=1))),
    "orientations 3": (geo.orientation_invariants, (units(6, 3), units(6, 3, seed=1))),
    "orientations 2": (geo.orientation_invariants, (units(6, 2), units(6, 2, seed=1))),
    "orientations se2": (
        lambda a, b: geo.orientation_invariants(a, b, "se2"),
        (units(6, 2), units(6, 2, seed=1)),
    ),
}
TURN = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)


@pytest.mark.parametrize("name", PAIRS)
def test_invariance_to_joint_but_not_single_rotation(name):
    function, arguments = PAIRS[name]
    expected = function(*arguments)
    for rotation in rotations(3, arguments[0].shape[-1]):
        torch.testing.assert_close(function(*(a @ rotation.T for a in arguments)), expected)
        if len(arguments) == 2:
            one = function(arguments[0] @ rotation.T, arguments[1])
            assert (one - expected).abs().max() > 1e-2


@pytest.mark.parametrize("name", PAIRS)
def test_derivatives_and_dtype(name):
    function, arguments = PAIRS[name]
    names = ("a", "b")[: len(arguments)]
    given = dict(zip(names, arguments, strict=True))

    def by_name(a, b=None):
        return function(a) if b is None else function(a, b)

    assert_gradients(by_name, given, wrt=names)
    assert_dtype_kept(by_name, given)


SINGULAR = {
    "zero": [0.0, 0.0, 0.0],
    "parallel": [0.0, 0.0, 1.5],
    "antiparallel": [0.0, 0.0, -0.5],
    "perpendicular": [1.0, 0.0, 0.0],
}


@pytest.mark.parametrize("case", SINGULAR)
def test_derivatives_are_finite_at_singular_points(case):
    rel_pos, axis = torch.tensor([SINGULAR[case]]), torch.tensor([[0.0, 0.0, 1.0]])
    given = {"rel_pos": rel_pos, "orientation": axis}
    assert_finite_derivatives(geo.r3s2_invariants, given, wrt=("rel_pos", "orientation"))
    assert_finite_derivatives(geo.distance_invariants, {"rel_pos": rel_pos}, wrt=("rel_pos",))
    flat = {"rel_pos": rel_pos[:, 1:], "orientation": axis[:, 1:]}
    assert_finite_derivatives(geo.r2s1_invariants, flat, wrt=("rel_pos", "orientation"))


def test_exact_values():
    rel_pos = torch.tensor([3.0, 4.0, 2.0])
    axis = torch.tensor([0.0, 0.0, 1.0])
    assert geo.distance_invariants(rel_pos[:2]).tolist() == [5.0]
    assert geo.r3s2_invariants(rel_pos, axis).tolist() == [2.0, 5.0]
    # The orientation along x, rotated by +90 degrees, is along y.
    assert geo.r2s1_invariants(rel_pos[:2], torch.tensor([1.0, 0.0])).tolist() == [3.0, 4.0]


def test_se2_distinguishes_sign_of_angle_and_published_does_not():
    angle = torch.tensor([0.7, -0.7], dtype=torch.float64)
    sender = torch.stack([angle.cos(), angle.sin()], -1)
    receiver = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(2, -1)
    published = geo.orientation_invariants(receiver, sender)
    complete = geo.orientation_invariants(receiver, sender, "se2")
    assert torch.equal(published[0], published[1])
    torch.testing.assert_close(complete[:, 1], angle.sin())


def test_r2s1_distinguishes_left_from_right_and_r3s2_does_not():
    side = torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    ahead = torch.tensor([[1.0, 0.0]]).expand(2, -1)
    left, right = geo.r2s1_invariants(side, ahead)
    assert not torch.equal(left, right)
    lifted = torch.nn.functional.pad(side, (0, 1)), torch.nn.functional.pad(ahead, (0, 1))
    left, right = geo.r3s2_invariants(*lifted)
    assert torch.equal(left, right)


def test_se3_is_invariant_to_rotations_and_changes_under_reflection():
    rel_pos, receiver, sender = vectors(5, 3), rotations(5, 3, seed=1), rotations(5, 3, seed=2)
    expected = geo.se3_invariants(rel_pos, receiver, sender)
    assert expected.shape == (5, 12)
    (turn,) = rotations(1, 3, seed=3)
    turned = geo.se3_invariants(rel_pos @ turn.T, turn @ receiver, turn @ sender)
    torch.testing.assert_close(turned, expected)
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    # The mirror image of a right-handed frame is left-handed; made right-handed again it differs.
    image = [mirror @ frame @ mirror for frame in (receiver, sender)]
    mirrored = geo.se3_invariants(rel_pos @ mirror.T, *image)
    assert (mirrored - expected).abs().max() > 0.1


def test_se3_recovers_the_relative_pose():
    receiver, sender = rotations(2, 3)
    values = geo.se3_invariants(receiver @ torch.tensor([1.0, 2.0, 3.0]).double(), receiver, sender)
    torch.testing.assert_close(values[:3], torch.tensor([1.0, 2.0, 3.0]).double())
    torch.testing.assert_close(receiver @ values[3:].view(3, 3), sender)


def test_invalid_kinds_raise():
    with pytest.raises(ValueError, match='kind must be "published" or "se2", got \'so3\''):
        geo.orientation_invariants(units(1, 3), units(1, 3), "so3")
    with pytest.raises(ValueError, match='"se2" requires orientations of dimension 2, got 3'):
        geo.orientation_invariants(units(1, 3), units(1, 3), "se2")
