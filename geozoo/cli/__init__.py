"""Commands: ``geozoo``, and the programs ``geozoo-train``, ``-evaluate`` and ``-sample``."""
