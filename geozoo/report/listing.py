"""Lists of the zoo's entries, and the tables on its cards."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from geozoo.config import (
    Entry,
    PackageError,
    all_entries,
    did_you_mean,
    entries,
    own_entries,
    own_problems,
    recipes,
    standard_task,
    zoo_folder,
)
from geozoo.config._entries import KINDS
from geozoo.config.needs import needs
from geozoo.contracts import measure_of
from geozoo.data import DataRecord
from geozoo.hub import Description, shipped_models
from geozoo.hub.description import FILE_NAME
from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet, facts

#: Number of metrics shown per trained model.
_SHOWN = 2
_OTHERS = "others"
#: Heading of the models of the user.
_OWN = "own"


def show_entries(screen: Screen, section: str | None = None) -> None:
    """List the entries of the zoo.

    Args:
        screen: screen that prints the list.
        section: one of `SECTIONS`; None: all of them, with only the number of recipes.

    Raises:
        ValueError: If there is no such section.
        PackageError: After the list, if installed packages register models or datasets that cannot
            be used.
    """
    if section is not None and section not in SECTIONS:
        hint = did_you_mean(section, SECTIONS)
        raise ValueError(f"unknown section {section!r}.{hint} Known: {', '.join(SECTIONS)}")
    if section is not None:
        SECTIONS[section](screen)
    else:
        _show_all(screen)
    if problems := [each for kind in KINDS for each in own_problems(kind)]:
        raise PackageError("\n".join(problems))


def _show_all(screen: Screen) -> None:
    for name in ("models", "datasets", "trained"):
        SECTIONS[name](screen)
        screen.result("")
    screen.result(
        f"{len(recipes())} recipes, chosen by model=... and dataset=...: geozoo list recipes"
    )


def _show_models(screen: Screen) -> None:
    groups: dict[str, list[Entry]] = {}
    own = {entry.name for entry in own_entries("model")}
    for entry in all_entries("model"):
        group = _OWN if entry.name in own else entry.group or _OTHERS
        groups.setdefault(group, []).append(entry)
    order = ("geometric", "forecasting", "baselines")
    names = [name for name in order if name in groups] + sorted(set(groups) - set(order))
    for number, name in enumerate(names):
        if number:
            screen.result("")
        screen.result(f"models, {name}: model=<name>", style="bold")
        screen.show(facts(*((entry.name, _summary(entry)) for entry in groups[name])))


def _show_datasets(screen: Screen) -> None:
    screen.result("datasets: dataset=<name>", style="bold")
    sheet = Sheet("", "", Column("", "text"), has_head=False)
    for entry in all_entries("dataset"):
        sheet.add(entry.name, standard_task(entry), _summary(entry))
    screen.show(sheet)


def _summary(entry: Entry) -> str:
    extra = f" [{needs(entry.extra)}]" if entry.extra else ""
    return entry.summary + extra + (f" [{entry.origin}]" if entry.origin else "")


def _show_trained(screen: Screen) -> None:
    screen.result("trained models: geozoo.load(<name>), checkpoint=<name>", style="bold")
    sheet = Sheet("name", Column("test metrics", "text"), Column("data and protocol", "text"))
    for name, folder in shipped_models().items():
        description = Description.read(folder / FILE_NAME)
        sheet.add(name, measured(description), data_and_protocol(description))
    screen.show(sheet)


def measured(description: Description) -> str:
    """The main metrics of a trained model: ``energy_mae 6.86 meV, force_mae 27.7 meV/angstrom``."""
    main = (item for item in description.metrics.items() if measure_of(item[0]).is_headline)
    return ", ".join(
        f"{name} {metric['value']:.3g} {metric['unit']}".rstrip()
        for name, metric in islice(main, _SHOWN)
    )


def data_and_protocol(description: Description) -> str:
    """Dataset, variant and name of the split: ``rmd17 ethanol, official-01``."""
    record = DataRecord.from_dict(description.data["protocol"])
    rules = record.series.rules if record.series else {}
    return f"{f'{record.dataset} {record.problem}'.strip()}, {rules.get('name') or record.split}"


def _show_recipes(screen: Screen) -> None:
    screen.result("recipes: recipe=<name>, chosen by model=... and dataset=...", style="bold")
    rows = [
        (recipe.name, f"models/{recipe.model}/recipes/{recipe.path.name}") for recipe in recipes()
    ]
    sheet = Sheet("", "", has_head=False)
    for row in rows:
        sheet.add(*row)
    screen.show(sheet)


#: Functions that print a section of ``geozoo list <name>``, by name.
SECTIONS: dict[str, Callable[[Screen], None]] = {
    "models": _show_models,
    "datasets": _show_datasets,
    "trained": _show_trained,
    "recipes": _show_recipes,
}


def write_cards() -> list[Path]:
    """Regenerate the tables on model and dataset cards whose results have changed.

    Returns:
        The cards that were written.
    """
    from geozoo.results.cards import current_card
    from geozoo.results.comparison import current_dataset_card

    wanted = [(entry, current_card(entry.folder)) for entry in entries("model")]
    wanted += [
        (entry, text) for entry in entries("dataset") if (text := current_dataset_card(entry))
    ]
    changed = []
    for entry, text in wanted:
        card = entry.folder / "README.md"
        if text != card.read_text(encoding="utf-8"):
            card.write_text(text, encoding="utf-8")
            changed.append(card.relative_to(zoo_folder()))
    return changed
