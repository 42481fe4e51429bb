"""What is said of a training that ends before its time."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig, OmegaConf

from geozoo.config import places_of_key
from geozoo.machine.out_of_memory import is_out_of_memory
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.tasks import NonFiniteLossError

#: A disk that takes no more.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@contextmanager
def interruption_explained(folder: RunFolder, cfg: DictConfig) -> Iterator[None]:
    """Say what went wrong, what helps, and what is left.

    Raises:
        RunError: for an interrupt, a loss that is no number, and a lack of memory or disk.
    """
    try:
        yield
    except NonFiniteLossError as error:
        raise RunError(f"{error}\n{_left(folder)}") from error
    except (KeyboardInterrupt, SystemExit) as error:  # Lightning turns the first into the second
        raise RunError(f"interrupted. {_left(folder)}") from error
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise RunError(f"cannot write: {error}\n{_left(folder)}") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        what = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(f"out of memory: {what}\n{_memory_advice(cfg)}\n{_left(folder)}") from error


def _memory_advice(cfg: DictConfig) -> str:
    """What helps, first what changes no number."""
    loader = cfg.dataset.get("loader") or {}
    batch = loader.get("batch_size") or 1
    helps = []
    for place in places_of_key(cfg.model, "recompute", path="model"):
        if OmegaConf.select(cfg, place) is False:
            helps.append(f"{place}=true (the same numbers, more time; also with resume=)")
    if batch > 1:
        helps.append(
            f"dataset.loader.batch_size={batch // 2} trainer.accumulate_grad_batches=2 (as many "
            "graphs a step)"
        )
    helps.append("dataset.loader.eval_batch_size=... if it was in a validation (also with resume=)")
    for place in places_of_key(cfg.model, "num_orientations", path="model"):
        helps.append(f"fewer {place} (another model)")
    return "\n".join(["What helps:", *(f"  {each}" for each in helps)])


def _left(folder: RunFolder) -> str:
    if not folder.last.is_file():
        return "No epoch was finished, so there is no checkpoint."
    return (
        f"The last good checkpoint is {folder.last}. "
        f"To continue from it: geozoo-train {shlex.quote(f'resume={folder.path}')}"
    )
