"""The grammar of all commands: one parser, one wording."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from geozoo.cli._grammar import Arguments, help_text, key, read
from geozoo.cli.main import _COMMANDS
from geozoo.runs.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Bake(Arguments):
    """Bake a cake."""

    recipe: str = key("what to bake", place="alone")
    toppings: tuple[str, ...] = key("on top", default=(), place="rest")
    n: int = key("number of cakes", default=1, least=1, most=12, former=("--number", "count"))
    heat: float = key("of the oven", default=180.0, least=0)
    out: Path | None = key("file to write", default=None, former=("--out",))
    form: str = key("of the cake", default="round", choices=("round", "square"))
    layers: tuple[float, ...] = key("heights", default=(), also=("cake.layers",))
    dry_run: bool = key("only say so", default=False, former=("--dry-run",))
    notes: tuple[str, ...] = key("may be several", default=(), former=("--note",))
    examples = ("geozoo bake lemon n=2",)


def _read(*words: str) -> Bake:
    return read(Bake, words, "geozoo bake")


def test_values_are_read_by_their_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = _read("recipe=a=b", "n=3", "heat=2e2", "out=x/y.txt", "form=square", "layers=[1,2.5]",
                  "dry_run=true", "toppings='a, b', c")  # fmt: skip
    assert (found.recipe, found.n, found.heat, found.form) == ("a=b", 3, 200.0, "square")
    assert found.out == tmp_path / "x" / "y.txt" and found.dry_run is True
    assert found.layers == (1.0, 2.5) and found.toppings == ("a, b", "c")
    assert found.given == {"recipe", "n", "heat", "out", "form", "layers", "dry_run", "toppings"}
    assert _read("recipe=a", "out=null").out is None
    assert _read("a", "cake.layers=3").layers == (3.0,)
    assert len(_read("a", f"toppings=[{'a,' * 5000}]").toppings) == 5000


def test_a_value_may_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.lr=0.1").mkdir()
    assert _read("model.lr=0.1").recipe == "model.lr=0.1"
    assert _read("lemon") == _read("recipe=lemon")
    assert _read("lemon", "n=2", "a,b", "c").toppings == ("a,b", "c")
    assert _read("./runs/a=b").recipe == "./runs/a=b"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing: recipe= (what to bake)"),
        (["recipe="], "missing: recipe= (what to bake)"),
        (["a", "recipe=b"], "given more than once: recipe and 'a' are the same key"),
        (["a", "n=1", "n=2"], "given more than once: n"),
        (["a", "n=1", "--number=2"], "given more than once: n and --number are the same key"),
        (["a", "layers=1", "cake.layers=1"], "layers and cake.layers are the same key"),
        (["a", "notes=1", "notes=2"], "given more than once: notes"),
        (["a", "haet=1"], "unknown key 'haet'. Did you mean heat? Known: recipe, toppings, n"),
        (["a", "--heat", "1"], "unknown key '--heat'. Did you mean heat?"),
        (["a", "some.key=1"], "unknown key 'some.key'"),
        (["a", "--out"], "--out needs a value"),
        (["a", "n=0"], "n must be a whole number in 1..12, got '0'"),
        (["a", "n=13"], "n must be a whole number in 1..12, got '13'"),
        (["a", "n=1.5"], "n must be a whole number in 1..12, got '1.5'"),
        (["a", "n=" + "9" * 5000], "n must be a whole number in 1..12"),
        (["a", "n="], "n must not be empty"),
        (["a", "heat=hot"], "heat must be a number of at least 0, got 'hot'"),
        (["a", "heat=nan"], "heat must be a number of at least 0, got 'nan'"),
        (["a", "form=rond"], "form must be one of round, square, got 'rond'. Did you mean round?"),
        (["a", "layers=[1,x]"], "layers must be a number, got 'x'"),
        (["a", "dry_run=yes"], "dry_run must be true or false, got 'yes'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _read(*words)
    assert message in str(caught.value) and caught.value.exit_code == 2


def test_former_spellings_are_read_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--dry-run", "a", "--out", "x", "--note", "p", "--note=q", "count=2")
    former = _read(*words)
    assert capsys.readouterr().err == (
        "geozoo bake: write dry_run=true instead of --dry-run; out=x instead of --out; "
        "notes=p,q instead of --note; n=2 instead of count=..., which the next release removes\n"
    )
    assert former == _read("a", "dry_run=true", "out=x", "notes=p,q", "n=2")
    assert capsys.readouterr().err == ""


def test_the_help_has_every_key_with_its_meaning_and_default() -> None:
    said = help_text(Bake, "geozoo bake")
    assert said.startswith(
        "usage: geozoo bake [recipe=]... [[toppings=]... ...] [key=value ...]\n\nBake a cake.\n"
    )
    for line in (
        "  recipe    what to bake (required)",
        "  n         number of cakes (default: 1)",
        "  form      of the cake: round, square (default: round)",
        "  dry_run   only say so (default: false)",
        "  geozoo bake lemon n=2",
    ):
        assert f"{line}\n" in said


#: Command lines of earlier versions, and what they are now.
FORMER = [
    ("predict", "checkpoint=m input=i output=o.npz", "checkpoint=m input=i out=o.npz"),
    ("sample", "checkpoint=m batch=5", "checkpoint=m batch_size=5"),
    ("evaluate", "--save run", "run save=true"),
    ("export", "m --compiled m.pt2", "m out=m.pt2 compiled=true"),
    ("publish", "r --out o --name n --licence l --mirror a --mirror b",
     "r out=o name=n licence=l mirror=a,b"),
    ("table", "qm9 --format csv", "data=qm9 format=csv"),
    ("table", "qm9 homo --picture=a.png", "qm9 homo picture=a.png"),
    ("record", "--force a b", "checkpoint=a,b force=true"),
    ("reproduce", "9bb205 --runs again --dry-run", "id=9bb205 runs=again dry_run=true"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "former", "new"), FORMER)
def test_command_lines_of_earlier_versions(
    name: str, former: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = _COMMANDS[name].arguments
    found = read(kind, former.split(), f"geozoo {name}")
    told = capsys.readouterr().err
    assert told.startswith(f"geozoo {name}: write ") and told.count("\n") == 1
    assert found == read(kind, new.split(), f"geozoo {name}")
    assert capsys.readouterr().err == ""


def test_a_test_takes_keys_of_the_config_as_they_are() -> None:
    kind = _COMMANDS["evaluate"].arguments
    words = ["<run>", "dataset=rmd17", "+trainer.max_time=1", "save=true", "task.test_rotations=2"]
    found = read(kind, words, "geozoo evaluate")
    assert found.checkpoint == "<run>" and found.save  # type: ignore[attr-defined]
    changes = ("dataset=rmd17", "+trainer.max_time=1", "task.test_rotations=2")
    assert found.changes == changes  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="given more than once: dataset.seed"):
        read(kind, ["run", "dataset.seed=1", "+dataset.seed=2"], "geozoo evaluate")
    with pytest.raises(UsageError, match="unknown key 'protocl'. Did you mean protocol?"):
        read(kind, ["run", "protocl=stsgcn"], "geozoo evaluate")


def test_the_batch_size_of_a_test_is_a_key_of_its_data() -> None:
    from geozoo.cli._evaluation import _changes

    kind = _COMMANDS["evaluate"].arguments
    size = "dataset.loader.eval_batch_size"
    found = _changes(read(kind, ["run", "batch_size=3"], "geozoo evaluate"))  # type: ignore[arg-type]
    assert found == [f"{size}=3"]
    with pytest.raises(UsageError, match=f"batch_size and {size} are the same key"):
        _changes(read(kind, ["run", "batch_size=3", f"{size}=4"], ""))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _COMMANDS)
def test_same_names_everywhere(name: str) -> None:
    kind = _COMMANDS[name].arguments
    keys = {each.name for each in fields(kind)}
    former = {"output", "batch", "run", "force_overwrite"}
    # Of commands for one trained model: it is a checkpoint, not an entry of the zoo.
    former |= set() if name in ("compare", "learning-curve") else {"model", "seeds"}
    assert not keys & former
    said = help_text(kind, f"geozoo {name}")
    for each in keys - {"given", "changes"}:
        assert f"\n  {each} " in said
    if name.startswith("test-"):  # takes any constructor argument; the class is asked later
        return
    with pytest.raises(UsageError, match=r"unknown key 'no_such_key'"):
        read(kind, ["no_such_key=1"], f"geozoo {name}")
