"""Messages for training runs that end early."""

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

#: Errors of a disk that cannot be written to.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@contextmanager
def interruption_explained(folder: RunFolder, cfg: DictConfig) -> Iterator[None]:
    """Report what went wrong, possible remedies, and the last checkpoint.

    Raises:
        RunError: If the run is interrupted, the loss is not finite, or memory or disk is full.
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
    """Remedies, starting with those that do not change the results."""
    loader = cfg.dataset.get("loader") or {}
    batch = loader.get("batch_size") or 1
    helps = []
    for key in places_of_key(cfg.model, "recompute", path="model"):
        if OmegaConf.select(cfg, key) is False:
            helps.append(f"{key}=true (same results, slower; also with resume=)")
    if batch > 1:
        helps.append(
            f"dataset.loader.batch_size={batch // 2} trainer.accumulate_grad_batches=2 (same "
            "effective batch size)"
        )
    helps.append(
        "dataset.loader.eval_batch_size=... if it happened in validation (also with resume=)"
    )
    for key in places_of_key(cfg.model, "num_orientations", path="model"):
        helps.append(f"fewer {key} (a different model)")
    return "\n".join(["Possible remedies:", *(f"  {each}" for each in helps)])


def _left(folder: RunFolder) -> str:
    if not folder.last.is_file():
        return "No epoch was completed, so there is no checkpoint."
    return (
        f"The last good checkpoint is {folder.last}. "
        f"To resume from it: geozoo-train {shlex.quote(f'resume={folder.path}')}"
    )
