"""Grouped constructor options: validated dataclasses that may also be given as mappings."""

from geozoo.options.groups import (
    deprecation_message,
    former_names,
    grouped,
    in_groups,
    option_groups,
)

__all__ = ["former_names", "grouped", "in_groups", "option_groups", "deprecation_message"]
