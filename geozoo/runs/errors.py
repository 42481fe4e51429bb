"""The error of runs that their users can fix."""

from __future__ import annotations


class RunError(RuntimeError):
    """A run cannot start or go on, for a reason that its user can change."""
