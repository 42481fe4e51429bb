"""What the zoo holds, and the tables on its cards."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from geozoo.hub import Description, shipped_models
from geozoo.hub.description import FILE_NAME
from geozoo.zoo import entries, recipes, zoo_folder


def show_entries(console: Console) -> None:
    """Print models, data sets, recipes and trained models."""
    table = Table("kind", "name", "what", box=None, padding=(0, 2))
    for kind in ("model", "dataset"):
        for entry in entries(kind):  # type: ignore[arg-type]
            table.add_row(kind, entry.name, entry.summary)
    for recipe in recipes():
        table.add_row("recipe", recipe.name, f"recipes/{recipe.path.name} of {recipe.model}")
    for name, folder in shipped_models().items():
        weights = Description.read(folder / FILE_NAME).weights
        places = len(weights.mirrors)
        where = f"{places} mirrors" if places else "comes along"
        what = f"{weights.size / 2**20:.1f} MiB, {where}, sha256 {weights.sha256[:12]}"
        table.add_row("trained", name, what)
    console.print(table)


def write_cards() -> list[Path]:
    """Regenerate the tables of models and data sets where results have changed.

    Returns:
        The cards written.
    """
    from geozoo.zoo.comparison import current_dataset_card
    from geozoo.zoo.tables import current_card

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
