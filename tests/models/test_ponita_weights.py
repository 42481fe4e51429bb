"""Published names are mapped to ours, and what does not fit is listed."""

import pytest
import torch
from ponita_cases import batch_of, build

from geozoo.models import load_reference_weights

#: Ours -> published, the inverse of the table in the library, written out independently.
PUBLISHED = (
    ("representation.basis.linear_1.", "basis_fn.1."),
    ("representation.basis.linear_2.", "basis_fn.3."),
    ("representation.fiber_basis.linear_1.", "fiber_basis_fn.1."),
    ("representation.fiber_basis.linear_2.", "fiber_basis_fn.3."),
    ("embedding.", "x_embedder."),
    ("blocks.", "interaction_layers."),
    ("readouts.", "read_out_layers."),
)


def published(model, prefix=""):
    """The weights of a model under the names of the published network."""
    weights = {"ori_grid": model.state_dict().get("representation.orientations")}
    weights |= {"interaction_layers.0.conv.callibrated": torch.tensor(True)}
    for name, value in model.state_dict().items():
        for ours, theirs in PUBLISHED:
            if name.startswith(ours):
                weights[theirs + name.removeprefix(ours)] = value.clone()
    return {prefix + name: value for name, value in weights.items() if value is not None}


@pytest.mark.parametrize("prefix", ["", "model.", "model.net."])
@pytest.mark.parametrize("representation", ["bundle", "position", "edges"])
def test_published_names_are_loaded(representation, prefix):
    source, model = build(representation), build(representation, seed=1)
    load_reference_weights(model, published(source, prefix))
    assert model.calibrated
    inputs = batch_of([4, 3], model=model)
    for actual, expected in zip(model(**inputs), source(**inputs), strict=True):
        if expected is not None:
            assert torch.equal(actual, expected)


def test_readouts_are_taken_in_their_order():
    source = build(multiple_readouts=False)
    model = build(multiple_readouts=False, seed=1)
    weights = published(source)
    renamed = {k.replace("read_out_layers.0.", "read_out_layers.1."): v for k, v in weights.items()}
    load_reference_weights(model, renamed)
    assert torch.equal(model.readouts[0].weight, source.readouts[0].weight)


def test_the_grid_of_the_training_can_be_given():
    source, model = build(grid="fibonacci"), build(seed=1, grid="repulsion")
    grid = source.representation.orientations
    load_reference_weights(model, published(source), orientations=grid)
    assert torch.equal(model.representation.orientations, grid)


def spoiled(change):
    weights = published(build())
    change(weights)
    return weights


def cut(weights):
    weights["x_embedder.weight"] = weights["x_embedder.weight"][:, :1]


FAULTS = [
    (lambda w: w.pop("basis_fn.1.bias"), "representation.basis.linear_1.bias: missing"),
    (cut, r"embedding.weight: expected \(8, 3\), got \(8, 1\)"),
    (lambda w: w.update({"head.weight": torch.ones(1)}), "head.weight: not a name of the"),
    (
        lambda w: w.update({"interaction_layers.7.bias": torch.ones(1)}),
        "blocks.7.bias: the model has no such weight",
    ),
    (lambda w: w.pop("x_embedder.weight"), "weights must hold x_embedder.weight"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[m for _, m in FAULTS])
def test_weights_that_do_not_fit_are_listed_and_nothing_is_loaded(change, message):
    model = build(seed=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_reference_weights(model, spoiled(change))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_all_faults_are_listed_at_once():
    weights = published(build())
    cut(weights)
    del weights["basis_fn.3.bias"], weights["read_out_layers.0.bias"]
    with pytest.raises(ValueError) as caught:
        load_reference_weights(build(), weights)
    assert str(caught.value).count("\n") == 3


def test_a_grid_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"orientations: expected \(4, 3\), got \(6, 3\)"):
        load_reference_weights(build(), published(build()), orientations=torch.zeros(6, 3))
