"""Arguments of a constructor in groups: small checked dataclasses, each also given as a mapping."""

from geozoo.options.groups import former_names, grouped, in_groups, option_groups, told

__all__ = ["former_names", "grouped", "in_groups", "option_groups", "told"]
