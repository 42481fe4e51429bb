"""Command lines: ``geozoo-train``, ``geozoo-evaluate`` and ``geozoo-zoo``."""
