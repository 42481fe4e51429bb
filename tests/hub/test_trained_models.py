"""Trained models: round trip through files; foreign files raise errors and are never executed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_graphs import tiny_data
from tiny_traffic import tiny_traffic

import geozoo
import geozoo.hub.description as description
from geozoo.files.checksums import file_sha256
from geozoo.hub import Description, ModelFileError, load, shipped_models, write_model
from geozoo.hub.description import FILE_NAME
from geozoo.hub.publishing import WEIGHTS_NAME
from geozoo.models import GramODE, Ponita
from geozoo.options import in_groups
from geozoo.tasks import Forecasting, Potential

SIZES = {"hidden_channels": 8, "basis_channels": 8, "num_layers": 1, "num_orientations": 6}


def potential() -> tuple[Any, dict[str, Any]]:
    """An energy task with non-initial weights, and its description."""
    data = tiny_data("potential")
    options = {**data.spec.model_arguments(), **SIZES}
    task = Potential(Ponita(**in_groups(Ponita, options)), data.spec)
    nodes = {
        "model": {"_target_": "geozoo.models.Ponita", **options},
        "task": {"_target_": "geozoo.tasks.Potential", "force_weight": 1.0},
    }
    return (task, data), {**nodes, "data": data.spec.to_dict()}


def traffic() -> tuple[Any, dict[str, Any]]:
    """A forecaster whose graphs come from the dataset."""
    data = tiny_traffic()
    arguments = data.spec.model_arguments()
    wanted = {k: arguments[k] for k in ("in_channels", "input_steps", "horizon")}
    options = {**wanted, "hidden_channels": 8, "local_heads": 4, "num_branches": 1, "num_blocks": 1}
    graph = torch.rand(data.spec.num_nodes, data.spec.num_nodes)
    task = Forecasting(GramODE(graph, graph.T, **in_groups(GramODE, options)), data.spec)
    graphs = {"spatial_adjacency": "???", "semantic_adjacency": "???"}
    nodes = {
        "model": {"_target_": "geozoo.models.GramODE", **graphs, **options},
        "task": {"_target_": "geozoo.tasks.Forecasting"},
    }
    return (task, data), {**nodes, "data": data.spec.to_dict()}


@pytest.fixture
def mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a description whose weights are on a local server."""
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("GEOZOO_OFFLINE", raising=False)
    (task, _), nodes = potential()
    away = tmp_path / "server"
    handler = partial(SimpleHTTPRequestHandler, directory=str(away))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{WEIGHTS_NAME}"
        write_model(away, name="far", state=task.state_dict(), mirrors=[url], **nodes)
        here = tmp_path / "here"
        here.mkdir()
        (here / FILE_NAME).write_bytes((away / FILE_NAME).read_bytes())
        yield here
        server.shutdown()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The folder of a small potential."""
    (task, _), nodes = potential()
    write_model(tmp_path / "m", name="tiny", state=task.state_dict(), **nodes)
    return tmp_path / "m"


@pytest.mark.parametrize("make", [potential, traffic])
def test_loaded_model_reproduces_predictions(make, tmp_path):
    torch.manual_seed(3)
    (task, data), nodes = make()
    write_model(tmp_path / "m", name="tiny", state=task.state_dict(), **nodes)
    model = geozoo.load(tmp_path / "m")
    assert not model.model.training and not any(p.requires_grad for p in model.model.parameters())
    batch = data.store.gather(torch.arange(3))
    expected = task.eval().predict(batch)
    for name, value in model.predict(batch).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-5)
    assert model.units == task.quantity_units()
    assert model.spec == data.spec
    assert "tiny" in repr(model)


@pytest.mark.parametrize("make", [potential, traffic])
@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
def test_loaded_model_keeps_training_precision(make, precision, tmp_path):
    torch.manual_seed(3)
    (task, data), nodes = make()
    dtype = getattr(torch, precision)
    task.model.to(dtype)
    torch.nn.init.uniform_(next(task.model.parameters()))  # no number of lower precision
    write_model(tmp_path / "m", name="tiny", state=task.state_dict(), precision=precision, **nodes)
    model = geozoo.load(tmp_path / "m")
    assert model.dtype == dtype and model.description.precision == precision
    assert precision in repr(model)
    batch = data.store.gather(torch.arange(3))
    for name, value in task.eval().predict(batch).items():
        torch.testing.assert_close(model.predict(batch)[name], value, rtol=1e-12, atol=1e-12)
    for parameter, its in zip(model.model.parameters(), task.model.parameters(), strict=True):
        assert torch.equal(parameter, its)


def test_precision_defaults_to_that_of_weights(tmp_path):
    (task, _), nodes = potential()
    for dtype in (torch.float32, torch.float64):
        task.model.to(dtype)
        folder = tmp_path / str(dtype)
        write_model(folder, name="tiny", state=task.state_dict(), **nodes)
        assert "precision" not in json.loads((folder / FILE_NAME).read_text())
        assert geozoo.load(folder).dtype == dtype


def test_unknown_precision_raises(written):
    for wrong, message in (("float8", "must be one of float32"), (64, "must be a str, got int")):
        change(written, precision=wrong)
        with pytest.raises(ModelFileError, match=f"precision {message}"):
            load(written)


def test_description_round_trip(written):
    found = load(written).description
    assert found == Description.read(written / FILE_NAME)
    assert found.weights.sha256 == file_sha256(written / WEIGHTS_NAME)


def test_non_empty_folder_is_not_overwritten(written):
    (task, _), nodes = potential()
    with pytest.raises(FileExistsError, match="is not empty"):
        write_model(written, name="tiny", state=task.state_dict(), **nodes)


def change(folder: Path, **values: Any) -> None:
    """Replace parts of the description."""
    content = json.loads((folder / FILE_NAME).read_text())
    (folder / FILE_NAME).write_text(json.dumps(content | values))


def content(folder: Path, key: str) -> dict[str, Any]:
    return json.loads((folder / FILE_NAME).read_text())[key]


HOSTILE = [
    "os.system", "builtins.eval", "subprocess.Popen", "geozoo.models.torch.nn.Module",
    "geozoo.models", "geozoo.cli._launch.launch", "geozoo.tasks.import_module", "", None,
    "geozoo.models._inputs.check_channels", "torch.nn.Linear", "geozoo.tasks.nn",
]  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("node", ["model", "task"])
@pytest.mark.parametrize("target", HOSTILE)
def test_classes_outside_geozoo_are_not_instantiated(target, node, written):
    change(written, **{node: {**content(written, node), "_target_": target}})
    with pytest.raises(ModelFileError, match="must be a public class of"):
        load(written)


@pytest.mark.parametrize("key", ["_args_", "_partial_", "__class__", "a b", "grid.x"])
def test_invalid_argument_names_raise(key, written):
    change(written, model={**content(written, "model"), key: 1})
    with pytest.raises(ModelFileError, match="is not a valid argument name"):
        load(written)


def test_nested_nodes_are_checked(written):
    node = {"_target_": "os.system", "command": "touch /tmp/never"}
    change(written, task={**content(written, "task"), "seed": node})
    with pytest.raises(ModelFileError, match=r"task\.seed: _target_ must be .*, got 'os\.system'"):
        load(written)


def test_custom_network_requires_trusted(written):
    change(written, model={"_target_": "test_trained_models.Foreign"})
    with pytest.raises(ModelFileError, match="trusted="):
        load(written)
    with pytest.raises(ModelFileError, match="another network"):
        load(written, trusted=["test_trained_models"])


class Foreign(torch.nn.Linear):
    """A network that is not part of the zoo."""

    def __init__(self) -> None:
        super().__init__(1, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "other"}, "must have format 'geozoo-model'"),
        ({"version": 2}, "has version 2 of .* which a later geozoo wrote; .* up to 1"),
        ({"version": 0}, "version 1, got .* version 0"),
        ({"version": "1"}, "version 1, got .* version '1'"),
        ({"name": "../x"}, "name must consist of letters"),
        ({"surprise": 1}, "unknown keys: surprise"),
        ({"model": []}, "model must be a dict"),
        ({"weights": {"file": "../w", "sha256": "0" * 64, "size": 1}}, "must be a plain file name"),
        ({"weights": {"file": "w", "sha256": "xyz", "size": 1}}, "64 hexadecimal digits"),
        ({"weights": {"file": "w"}}, "weights must have"),
        ({"data": {"family": "none"}}, "family must be one of"),
        ({"data": {"family": "geometric", "lvl": 1}}, "is incompatible with this version"),
    ],
)
def test_invalid_descriptions_raise(values, message, written):
    change(written, **values)
    with pytest.raises(ModelFileError, match=message):
        load(written)


def test_earlier_versions_are_upgraded_step_by_step(written, monkeypatch):
    """As if this format were the third version, which named two keys differently before."""
    rename = {1: ("old", "older"), 2: ("licence", "old")}
    monkeypatch.setattr(description, "_VERSION", 3)
    monkeypatch.setattr(
        description, "_UPGRADES",
        {step: lambda c, names=names: {names[0] if k == names[1] else k: v for k, v in c.items()}
         for step, names in rename.items()},
    )  # fmt: skip
    for version, key in ((1, "older"), (2, "old"), (3, "licence")):
        data = json.loads((written / FILE_NAME).read_text())
        data = {k: v for k, v in data.items() if k not in ("older", "old", "licence")}
        kept = {**data, "version": version, key: {"weights": "MIT"}}
        (written / FILE_NAME).write_text(json.dumps(kept))
        assert load(written).description.licence == {"weights": "MIT"}


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "[" * 100_000])
def test_invalid_json_raises(text, written):
    (written / FILE_NAME).write_text(text)
    with pytest.raises(ModelFileError, match=str(written / FILE_NAME)):
        load(written)


@pytest.mark.parametrize("where", [0, 7, 100, -1])
def test_flipped_byte_raises(where, written):
    path = written / WEIGHTS_NAME
    corrupt = bytearray(path.read_bytes())
    corrupt[where] ^= 1
    path.write_bytes(corrupt)
    with pytest.raises(ModelFileError, match="is corrupt: sha256"):
        load(written)


def test_truncated_file_raises(written):
    path = written / WEIGHTS_NAME
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="is corrupt: .* bytes instead of"):
        load(written)


def replace_weights(folder: Path, blob: bytes) -> None:
    """Replace the weights file, with a matching checksum."""
    path = folder / WEIGHTS_NAME
    path.write_bytes(blob)
    change(folder, weights={
        "file": WEIGHTS_NAME, "sha256": file_sha256(path), "size": path.stat().st_size,
    })  # fmt: skip


def test_pickle_instead_of_weights_is_not_loaded(written, tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "p")
    replace_weights(written, (tmp_path / "p").read_bytes())
    with pytest.raises(ModelFileError, match="is not a valid safetensors file"):
        load(written)


@pytest.mark.parametrize("case", ["fewer", "other shape", "nan"])
def test_weights_of_another_network_raise(case, written, tmp_path):
    state = load_file(written / WEIGHTS_NAME)
    own = {name: value for name, value in state.items() if name.startswith("model.")}
    first = next(name for name, value in own.items() if value.dim() == 2)
    if case == "fewer":
        del state[first]
    else:
        state[first] = torch.full_like(state[first], torch.nan) if case == "nan" else torch.ones(3)
    save_file(state, tmp_path / "w")
    replace_weights(written, (tmp_path / "w").read_bytes())
    with pytest.raises(ModelFileError, match="another network" if case != "nan" else "NaN"):
        load(written)


def test_unknown_name_error_lists_shipped_models(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no trained model 'nothing-like-it'"):
        load("nothing-like-it")
    with pytest.raises(FileNotFoundError, match=f"contains neither {FILE_NAME}"):
        load(tmp_path)


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_load(name):
    package = Description.read(shipped_models()[name] / FILE_NAME).weights.package
    if package is not None:
        pytest.importorskip(package.name)
    model = load(name)
    assert model.name == name
    assert model.description.metrics or package is not None


@pytest.mark.thorough
def test_importing_geozoo_requires_torch_only():
    code = "import geozoo, sys; assert 'safetensors' not in sys.modules; geozoo.load"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_are_downloaded_once(mirrored, tmp_path, monkeypatch):
    model = load(mirrored)
    monkeypatch.setenv("GEOZOO_OFFLINE", "1")
    again = load(mirrored)  # from the cache
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
    (kept,) = (tmp_path / "cache" / "trained").rglob(WEIGHTS_NAME)
    assert kept.stat().st_size == model.description.weights.size


def test_wrong_weights_on_mirror_raise(mirrored, tmp_path):
    path = tmp_path / "server" / WEIGHTS_NAME
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="altered"):
        load(mirrored)
    assert not list((tmp_path / "cache").rglob(WEIGHTS_NAME))


def test_offline_error_lists_mirrors(mirrored, monkeypatch):
    monkeypatch.setenv("GEOZOO_OFFLINE", "1")
    with pytest.raises(
        FileNotFoundError, match="GEOZOO_OFFLINE is set. Download it from http://127"
    ):
        load(mirrored)


@pytest.mark.parametrize("mirrors", ["http://example.org/x", ["ftp://example.org/x"], [3]])
def test_unsafe_mirrors_raise(mirrors, written):
    path = written / FILE_NAME
    content = json.loads(path.read_text())
    content["weights"]["mirrors"] = mirrors
    path.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match="weights.mirrors"):
        load(written)
