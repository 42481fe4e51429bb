"""A job of the queue: ``python -m benchmarks.gpu JOB --out FOLDER``; ``run.sh`` prepares for it.

python -m benchmarks.gpu --list
python -m benchmarks.gpu steps --out /tmp/out --rehearse
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.gpu import _checks, _steerable, _steps
from benchmarks.gpu._job import Context, Job
from benchmarks.gpu._training import SMALL_PONITA, training

_NBODY = (
    "model=ponita", "dataset=nbody", "dataset.source=official", "trainer.captured_steps=10",
    "trainer.check_val_every_n_epoch=50", "trainer.matmul_precision=high",
)  # fmt: skip
_RMD17 = (
    "dataset=rmd17", "trainer.matmul_precision=high", "trainer.check_val_every_n_epoch=25",
)  # fmt: skip
_QM9 = ("model=ponita", "trainer.matmul_precision=high", "dataset.bonds=distance")
_SUPERPIXELS = ("model=ponita", "dataset=mnist_superpixels_slic", "trainer.matmul_precision=high")
_FEW_BODIES = (*SMALL_PONITA, "dataset.source=generate", "dataset.num_train=30")
_FEW_GRAPHS = (
    *SMALL_PONITA, "trainer.limit_train_batches=2", "dataset.loader.batch_size=4",
    "dataset.loader.eval_batch_size=4",
)  # fmt: skip
_FEW_SAMPLES = (*_FEW_GRAPHS, "task.test_samples=4")
_ASPIRIN = ("model=ponita", "dataset.molecule=aspirin", "trainer.captured_steps=10", *_RMD17)
_ETHANOL = ("model=tensornet", "dataset.molecule=ethanol", *_RMD17)
_ALPHA = ("dataset=qm9", "dataset.target=alpha", *_QM9)
# The published setting has formal charges, which need rdkit: too large to copy.
_GENERATION = ("dataset=qm9_generation", "dataset.number=atomic_number", *_QM9)


def _training(about: str, words: tuple[str, ...], tiny: tuple[str, ...] = SMALL_PONITA) -> Job:
    return Job(about, 540, training(words, tiny=tiny))


JOBS = {
    "checks": Job("tests that need a GPU", 120, _checks.run),
    "steps": Job("training steps: forms, precisions, rivals, dearest kernels", 330, _steps.run),
    "steerable": Job("Triton kernels of steerable sums in NequIP", 420, _steerable.run),
    "nbody": _training("PONITA on N-body, the whole published recipe", _NBODY, _FEW_BODIES),
    "ethanol": _training("TensorNet on ethanol", _ETHANOL, ()),
    "aspirin": _training("PONITA on aspirin, published settings", _ASPIRIN),
    "qm9_alpha": _training("PONITA on QM9, published settings", _ALPHA, _FEW_GRAPHS),
    "qm9_generation": _training("PONITA draws molecules", _GENERATION, _FEW_SAMPLES),
    "superpixels": _training("PONITA on digits of superpixels", _SUPERPIXELS, _FEW_GRAPHS),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("job", nargs="?", choices=JOBS)
    parser.add_argument("--list", action="store_true", help="show the jobs")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the records")
    parser.add_argument("--seconds", type=float, help="time limit; default: that of the job")
    parser.add_argument("--words", nargs="+", default=[], help="further words of a training")
    parser.add_argument("--state", type=Path, help="folder of runs that shall go on")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, without a GPU")
    options = parser.parse_args()
    if options.list or options.job is None:
        print("\n".join(f"{n}: {j.about} ({j.seconds:.0f} s)" for n, j in JOBS.items()))
        return
    job = JOBS[options.job]
    options.out.mkdir(parents=True, exist_ok=True)
    # A rehearsal resumes only from what it is given.
    state = options.state or (options.out / "state" if options.rehearse else Context.state)
    context = Context(
        options.job, options.out.resolve(), options.seconds or job.seconds, options.rehearse,
        tuple(options.words), state,
    )  # fmt: skip
    if context.device.type != "cuda" and not options.rehearse:
        parser.error("no GPU: add --rehearse for a rehearsal on the CPU")
    context.say(f"{options.job}: {job.about}")
    job.run(context)
    context.say("done")


if __name__ == "__main__":
    main()
