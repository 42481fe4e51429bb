"""``ensemble=5``: the same run from several seeds, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from geozoo.config import ConfigError

_KEY = "ensemble="
_PAIR = "${hydra:runtime.choices.model}-${hydra:runtime.choices.dataset}"


def ensemble_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a sweep over seeds, where ``ensemble=N`` is among them.

    Args:
        words: the command line without the program's name.

    Returns:
        The words that stand for it, with the seeds spelled out, for the record; and those that
        choose one folder for all members, which `geozoo.load` and ``checkpoint=`` take as a whole.
        Without ``ensemble=`` the words as they are, and none.

    Raises:
        ConfigError: for fewer than two members, several seeds, or the continuation of a
            run.

    >>> ensemble_words(["model=stid", "ensemble=3", "seed=7"])[0]
    ['-m', 'model=stid', 'seed=7,8,9']
    """
    sizes = [word.removeprefix(_KEY) for word in words if word.startswith(_KEY)]
    if not sizes:
        return list(words), []
    given = dict(word.partition("=")[::2] for word in words)
    seed, size = given.get("seed", "0"), sizes[-1]
    if not (size.isdigit() and int(size) >= 2):
        raise ConfigError(f"ensemble: expected a whole number of at least 2 members, got {size!r}")
    if not seed.isdigit() or "resume" in given:
        raise ConfigError(
            "ensemble: give one seed, that of the first member, and no run to resume; members that "
            "were interrupted are resumed one by one"
        )
    rest = [word for word in words if not word.startswith((_KEY, "seed=", "run_dir="))]
    seeds = ",".join(str(int(seed) + member) for member in range(int(size)))
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = _bare(given.get("run_dir", f"${{runs}}/{_PAIR}/{stamp}_ensemble"))
    multirun = [] if {"-m", "--multirun"} & set(rest) else ["-m"]
    return [*multirun, *rest, f"seed={seeds}"], [f"run_dir='{folder}/seed${{seed}}'"]


def _bare(value: str) -> str:
    """A value without the quotes of its own, to stand between single ones.

    >>> _bare("'my ens'"), _bare('"ens"'), _bare("ens")
    ('my ens', 'ens', 'ens')
    """
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value
