"""What identifies a teacher and a file: interrupted work continues only with the same ones."""

from __future__ import annotations

import hashlib

from geozoo.engines import PotentialEvaluator


def teacher_identity(teacher: PotentialEvaluator) -> dict[str, str]:
    """Name, precision and a hash of all weights and statistics of a potential."""
    digest = hashlib.sha256()
    for member in teacher.model.members:
        for name, value in sorted(member.task.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    precision = str(teacher.dtype).removeprefix("torch.")
    return {"name": teacher.name, "precision": precision, "weights": digest.hexdigest()[:16]}
