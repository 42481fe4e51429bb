"""Beginning from other weights, and keeping some of them as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_configs import TINY

from geozoo.results.rows import read_results
from geozoo.runs.evaluation import evaluation
from geozoo.runs.trained import trained_model


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The best weights of a run's network."""
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    return {k: v for k, v in content["state_dict"].items() if k.startswith("model.")}


@pytest.mark.thorough
def test_a_run_begins_from_the_weights_of_another(tiny_run, geozoo_train, tmp_path, caplog):
    words = (f"init_from={tiny_run}", "optimizer.lr=0", "run_dir=again", "seed=5")
    assert geozoo_train(*TINY, *words) == 0
    begun = weights(tmp_path / "again")
    for name, value in weights(tiny_run).items():
        torch.testing.assert_close(begun[name], value, msg=name)
    assert (
        "tensors from" in caplog.text
        and "calibrated the initial" not in caplog.text.split("tensors from")[1]
    )


def test_a_published_model_is_a_beginning_too(tiny_run, geozoo_train, tmp_path, capsys):
    words = ("init_from=ponita-qm9_homo", "run_dir=again")
    assert geozoo_train(*TINY, *words) == 1
    said = " ".join("".join(capsys.readouterr()).split())
    assert "no weights of ponita-qm9_homo (Ponita) fit into TinyModel" in said
    assert not (tmp_path / "again").exists()


@pytest.mark.thorough
def test_what_does_not_fit_is_new(tiny_run, geozoo_train, tmp_path, caplog):
    words = (f"init_from={tiny_run}", "trainer.max_epochs=1")
    assert geozoo_train(*TINY, *words, "run_dir=a", "model.width=4") == 0
    assert "2 of 7 tensors from done; new: first.bias, first.weight, norm.bias" in caplog.text
    # Energies of the same structures: another output, the rest as it was.
    assert geozoo_train(*TINY, *words, "run_dir=b", "dataset=tiny_energy") == 0
    assert "7 of 7 tensors from done" in caplog.text


@pytest.mark.thorough
def test_frozen_parameters_stay_and_the_others_move(tiny_run, geozoo_train, tmp_path):
    words = (f"init_from={tiny_run}", "freeze=[first.*,norm.*]", "run_dir=again")
    assert geozoo_train(*TINY, *words, "trainer.max_epochs=2") == 0
    before, after = weights(tiny_run), weights(tmp_path / "again")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"model.second.weight", "model.second.bias"}
    # A resumed run keeps them too, and does not begin anew.
    assert geozoo_train("resume=again", "trainer.max_epochs=3") == 0
    resumed = weights(tmp_path / "again")
    assert torch.equal(before["model.first.weight"], resumed["model.first.weight"])


@pytest.mark.thorough
def test_adapters_train_updates_alone_and_leave_an_ordinary_network(
    tiny_run, geozoo_train, tmp_path, caplog
):
    words = (f"init_from={tiny_run}", "adapter_rank=2", "adapter_layers=[second]", "ema_decay=0.5")
    assert geozoo_train(*TINY, *words, "run_dir=again", "trainer.max_epochs=2") == 0
    assert "parameters are trained: adapters of rank 2 on 1 linear layers" in caplog.text
    tuned, layer = weights(tmp_path / "again"), "model.second.parametrizations.weight"
    for name, value in weights(tiny_run).items():
        kept = f"{layer}.original" if name == "model.second.weight" else name
        assert torch.equal(tuned[kept], value), name
    assert tuned[f"{layer}.0.up"].abs().max() > 0
    # Tested again, by a network without updates, and resumed with them.
    (row, *_) = read_results(tmp_path / "again" / "result.csv")
    again = evaluation(str(tmp_path / "again"), [])
    assert again.tested.metrics[row.metric] == pytest.approx(row.value, rel=1e-5)
    network = trained_model(str(tmp_path / "again")).model
    assert {f"model.{name}" for name in network.state_dict()} == set(weights(tiny_run))
    assert geozoo_train("resume=again", "trainer.max_epochs=3") == 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["freeze=[third.*]"], "freeze: no parameter matches 'third.*'; available: first"),
        (["freeze=['*']"], "freeze: no parameter is left to train"),
        (["init_from=nowhere"], "init_from: there is no trained model 'nowhere'"),
        (["init_from=3"], "init_from"),
        (["adapter_rank=2"], "adapters need trained weights; set init_from"),
        (["freeze=first"], "freeze"),
    ],
)
def test_words_that_do_not_fit(words, message, geozoo_train, tmp_path, capsys):
    assert geozoo_train(*TINY, *words, "run_dir=x") != 0
    assert message in " ".join("".join(capsys.readouterr()).split())
    assert not (tmp_path / "x").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["adapter_rank=0"], "rank must be at least 1, got 0"),
        (["adapter_rank=1", "adapter_layers=[none]"], "no linear layer was selected"),
        (["adapter_rank=1", "adapter_trained=[none]"], "adapter_trained: no parameter matches"),
        (["adapter_rank=many"], "adapter_rank: expected int or null, got str 'many'"),
    ],
)
def test_adapters_that_do_not_fit(words, message, tiny_run, geozoo_train, tmp_path, capsys):
    assert geozoo_train(*TINY, f"init_from={tiny_run}", *words, "run_dir=x") != 0
    assert message in " ".join("".join(capsys.readouterr()).split())
    assert not (tmp_path / "x").exists()


def test_columns_of_other_elements_are_refused():
    from geozoo.runs.errors import RunError
    from geozoo.runs.initial_weights import take_weights

    class Holder:
        """Something with a description of data."""

        def __init__(self, *elements: int) -> None:
            self.spec, self.name = type("Spec", (), {"elements": elements}), "source"

    with pytest.raises(RunError, match="column 1 of x is atomic number 6 in source and 8 here"):
        take_weights(Holder(1, 8, 0), Holder(1, 6, 7))


@pytest.mark.thorough
def test_missing_readings_are_those_of_the_first_training(geozoo_train, tmp_path, caplog):
    """Numbers that stood for missing readings do so again; what differs is said in a line."""
    import datetime

    rows = ["time,a,b,c"]
    for step in range(300):
        moment = datetime.datetime(2024, 6, 3) + datetime.timedelta(minutes=15 * step)
        cells = [f"{50 + step % 24 + sensor}" for sensor in range(3)]
        cells[step % 3] = "0" if step % 7 == 0 else cells[step % 3]
        cells[1] = "-9999" if step % 11 == 0 else cells[1]
        rows.append(",".join([f"{moment:%Y-%m-%d %H:%M}", *cells]))
    (tmp_path / "t.csv").write_text("\n".join(rows))
    words = (
        "model=stid", "dataset=traffic_csv", f"dataset.path={tmp_path / 't.csv'}", "test=false",
        "model.hidden_channels=8", "trainer.max_epochs=1", "trainer.accelerator=cpu",
    )  # fmt: skip
    rules = ("dataset.zero_is_missing=true", "dataset.missing=[-9999]")
    assert geozoo_train(*words, *rules, "run_dir=first") == 0
    first = trained_model(str(tmp_path / "first")).spec
    assert geozoo_train(*words, "init_from=first", "run_dir=second") == 0
    second = trained_model(str(tmp_path / "second")).spec
    assert second.record.reading == first.record.reading
    assert second.statistics == first.statistics
    assert "missing readings" not in caplog.text
    given = ("dataset.missing=[]", "init_from=first", "run_dir=third")
    assert geozoo_train(*words, *given) == 0
    third = trained_model(str(tmp_path / "third")).spec.record.reading
    assert third["zero_is_missing"] and third["missing"] == []
    assert (
        "missing readings: missing is [] here and was [-9999] in the training of first"
        in caplog.text
    )
