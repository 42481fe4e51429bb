"""Grouped constructor options: validated dataclasses that may also be given as mappings."""

from geozoo.options.groups import former_names, grouped, in_groups, option_groups, told

__all__ = ["former_names", "grouped", "in_groups", "option_groups", "told"]
