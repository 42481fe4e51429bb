"""Command lines: ``geozoo``, and ``geozoo-train``, ``-evaluate`` and ``-sample`` by themselves."""
