"""``ensemble=5``: the same run with several seeds, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from geozoo.config import ConfigError

_KEY = "ensemble="
_PAIR = "${hydra:runtime.choices.model}-${hydra:runtime.choices.dataset}"


def ensemble_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace ``ensemble=N`` by the arguments of a sweep over seeds.

    Args:
        arguments: the command line without the program name.

    Returns:
        The equivalent arguments with the seeds listed, for the record; and the overrides that put
        all members into one folder, which `geozoo.load` and ``checkpoint=`` accept as one model.
        Without ``ensemble=``, the arguments unchanged and no overrides.

    Raises:
        ConfigError: If there are fewer than two members, several seeds are given, or a run is to
            be resumed.

    >>> ensemble_arguments(["model=stid", "ensemble=3", "seed=7"])[0]
    ['-m', 'model=stid', 'seed=7,8,9']
    """
    sizes = [each.removeprefix(_KEY) for each in arguments if each.startswith(_KEY)]
    if not sizes:
        return list(arguments), []
    given = dict(each.partition("=")[::2] for each in arguments)
    seed, size = given.get("seed", "0"), sizes[-1]
    if not (size.isdigit() and int(size) >= 2):
        raise ConfigError(f"ensemble: expected a whole number of at least 2 members, got {size!r}")
    if not seed.isdigit() or "resume" in given:
        raise ConfigError(
            "ensemble: expected one seed, that of the first member, and no resume=; interrupted "
            "members are resumed one by one"
        )
    rest = [each for each in arguments if not each.startswith((_KEY, "seed=", "run_dir="))]
    seeds = ",".join(str(int(seed) + member) for member in range(int(size)))
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = _bare(given.get("run_dir", f"${{runs}}/{_PAIR}/{stamp}_ensemble"))
    multirun = [] if {"-m", "--multirun"} & set(rest) else ["-m"]
    return [*multirun, *rest, f"seed={seeds}"], [f"run_dir='{folder}/seed${{seed}}'"]


def _bare(value: str) -> str:
    """A value without its surrounding quotes, to be put in single quotes.

    >>> _bare("'my ens'"), _bare('"ens"'), _bare("ens")
    ('my ens', 'ens', 'ens')
    """
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value
