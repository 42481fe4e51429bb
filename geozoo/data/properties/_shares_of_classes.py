"""Shares of classes and labels in the training split."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from geozoo.data.properties._target_fields import TargetFields

_LOG = logging.getLogger(__name__)
#: Number of classes that the log lists.
_LISTED = 12


def class_names(fields: TargetFields, rows: Tensor) -> list[str]:
    """The names of the classes; the log states their shares of the training split.

    Args:
        fields: one target of classes.
        rows: rows of the training split.

    Warns:
        UserWarning: If the training split lacks a class.

    Raises:
        ValueError: If it has one class only.
    """
    ((name, values),) = fields.values.items()
    names, level = list(fields.targets.classes), fields.targets.level
    counts = torch.bincount(values[rows].long(), minlength=len(names))
    if int((counts > 0).sum()) < 2:
        raise ValueError(
            f"targets: all of the training split is of class {names[int(counts.argmax())]} of "
            f"{name}"
        )
    if absent := [each for each, count in zip(names, counts.tolist(), strict=True) if not count]:
        warnings.warn(
            f"the training split has no {level} of {len(absent)} of {len(names)} classes of {name}:"
            f" {', '.join(absent[:_LISTED])}", stacklevel=2,
        )  # fmt: skip
    shares = (100.0 * counts / counts.sum()).tolist()
    order = sorted(range(len(names)), key=lambda i: -shares[i])[:_LISTED]
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    _LOG.info(
        "%s: shares of the %ss of the training split: %s%s", name, level,
        ", ".join(f"{names[i]} {shares[i]:.1f} %" for i in order), more,
    )  # fmt: skip
    return names


def label_shares(values: Mapping[str, Tensor], rows: Tensor) -> list[float]:
    """The share of positive labels of each target in the training split, which the log states.

    Args:
        values: labels 0 and 1 by field, NaN where missing.
        rows: rows of the training split.

    Raises:
        ValueError: If a target has no labels there, or only equal ones; the message names it.
    """
    shares = []
    for name, whole in values.items():
        value = whole[rows]
        known = value[~value.isnan()]
        positive = int(known.sum())
        if not 0 < positive < len(known):
            found = "has no label" if not len(known) else f"is {float(known[0]):g} everywhere"
            raise ValueError(
                f"targets: {name} {found} in the training split ({len(known)} of {len(rows)} "
                "known): nothing can be learned from it. Leave it out of dataset.targets"
            )
        _LOG.info(
            "%s: %d of %d known labels of the training split are positive (%.1f %%), %d missing",
            name, positive, len(known), 100.0 * positive / len(known), len(rows) - len(known),
        )  # fmt: skip
        shares.append(positive / len(known))
    return shares
