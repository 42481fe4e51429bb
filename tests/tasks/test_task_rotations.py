import torch
from tiny_graphs import tiny_data

from geozoo.tasks._rotations import evaluation_rotations, training_rotations


def _batch() -> object:
    return tiny_data().calibration_batch()


def test_training_rotations_are_rotations_one_per_graph() -> None:
    batch = _batch()
    rotations = training_rotations(batch, 3, seed=0, epoch=0).double()
    assert rotations.shape == (batch.num_graphs, 3, 3)
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, identity, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        torch.linalg.det(rotations), torch.ones(len(rotations)).double(), atol=1e-6, rtol=0
    )
    assert (rotations[0] - rotations[1]).abs().max() > 1e-3


def test_training_rotations_repeat_and_differ_by_seed_and_epoch() -> None:
    batch = _batch()
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]
    drawn = [training_rotations(batch, 3, seed=s, epoch=e) for s, e in places]
    again = [training_rotations(batch, 3, seed=s, epoch=e) for s, e in places]
    for i, rotations in enumerate(drawn):
        assert torch.equal(rotations, again[i])
        assert all(not torch.equal(rotations, other) for other in drawn[i + 1 :])


def test_a_graph_is_trained_with_the_same_rotation_in_any_batch() -> None:
    data = tiny_data()
    whole = training_rotations(data.store.gather(torch.arange(10)), 3, seed=0, epoch=5)
    part = training_rotations(data.store.gather(torch.tensor([7, 3])), 3, seed=0, epoch=5)
    assert torch.equal(part, whole[[7, 3]])


def test_the_global_random_state_is_not_changed() -> None:
    state = torch.get_rng_state()
    training_rotations(_batch(), 3, seed=0, epoch=0)
    evaluation_rotations(_batch(), 3, seed=0, repeat=0)
    assert torch.equal(state, torch.get_rng_state())


def test_a_graph_is_tested_with_the_same_rotation_in_any_batch() -> None:
    data = tiny_data()
    whole = data.store.gather(torch.arange(10))
    part = data.store.gather(torch.tensor([7, 3]))
    rotations = evaluation_rotations(whole, 3, seed=0, repeat=2)
    assert torch.equal(evaluation_rotations(part, 3, seed=0, repeat=2), rotations[[7, 3]])
    assert not torch.equal(evaluation_rotations(part, 3, seed=0, repeat=3), rotations[[7, 3]])
