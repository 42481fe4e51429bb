"""Job ``steps``: training steps of the zoo in several variants and precisions."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch

from benchmarks import _gram_ode_steps, _ponita_steps, _zoo_steps
from benchmarks._case import MODES, REHEARSAL
from benchmarks._counts import counted
from benchmarks._gradients import parameter_gradient, relative_difference
from benchmarks.gpu._job import RECORDS, Context
from benchmarks.gpu._measure import (
    captured,
    dearest_kernels,
    forget_peak,
    in_precision,
    measured,
    peak_mib,
    peaks,
)

_ROOMS = (_ponita_steps, _gram_ode_steps, _zoo_steps)
CASES = {case.name: case for room in _ROOMS for case in room.CASES}


class Plan(NamedTuple):
    """A planned measurement.

    Attributes:
        case: its name.
        form: variant of the case.
        precision: of the matrix products.
        is_captured: whether the step is replayed as a CUDA graph.
    """

    case: str
    form: str
    precision: str
    is_captured: bool

    @property
    def is_reference(self) -> bool:
        """Whether other plans of the case are compared with it; its kernels are listed."""
        plain = self.precision == "float32" and not self.is_captured
        return plain and self.form not in ("textbook", *MODES)


_MAIN = ("aspirin", "superpixels", "qm9", "gram_ode_170")
_KINDS = (("float32", False), ("float32", True), ("tf32", True), ("bf16", True))
_MAIN_NAMES = ("ponita", "gram_ode")
_RIVALS = ("zoo_nbody", "zoo_aspirin", "zoo_traffic")


def plans() -> Iterator[Plan]:
    """All measurements, by priority; the job runs as many as its time allows."""
    yield from _of_a_case("nbody")
    yield Plan("nbody", "compiled", "tf32", True)
    for case in _MAIN:
        yield from _of_a_case(case)
    for case, form in (("gram_ode_307", "fast"), ("gram_ode_883", "recompute")):
        yield Plan(case, form, "float32", False)
        yield Plan(case, form, "tf32", True)
    yield from _of_rivals(is_captured=False)
    for case in ("aspirin", "gram_ode_170", "qm9"):
        yield Plan(case, "compiled", "tf32", True)
    for case in ("nbody", "aspirin"):
        yield Plan(case, "textbook", "float32", False)
        yield Plan(case, "recompute", "float32", True)
    yield Plan("nbody", "cuda_graphs", "tf32", False)
    yield from _of_rivals(is_captured=True)  # last: one that fails may leave the device unusable


def _of_a_case(case: str) -> Iterator[Plan]:
    for precision, is_captured in _KINDS:
        yield Plan(case, "fast", precision, is_captured)
    if "triton" in CASES[case].variants:
        yield Plan(case, "triton", "float32", True)


def _of_rivals(*, is_captured: bool) -> Iterator[Plan]:
    for case in _RIVALS:
        for name in CASES[case].variants:
            if name not in _MAIN_NAMES:
                yield Plan(case, name, "float32", is_captured)


class Measurements:
    """Runs the measurements and keeps their references.

    Args:
        context: of the job.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.device = context, context.device
        self.peaks = peaks(self.device, small=context.rehearse)
        self.work: dict[str, dict[str, float]] = {}
        self.gradients: dict[str, torch.Tensor] = {}

    def make(self, plan: Plan) -> dict[str, Any]:
        """The measurements of a plan."""
        case = CASES[plan.case]
        forget_peak(self.device)
        built = case.variants[plan.form](self.device)
        step = in_precision(built.step, plan.precision, self.device)
        row: dict[str, Any] = {"about": case.about, **plan._asdict()}
        if plan.is_captured:
            step = captured(step, self.device)
        row |= measured(step, self.device, once=self.context.rehearse)
        row["mib"] = peak_mib(self.device)
        row["items_per_s"] = case.items / row["seconds"]
        if built.model is not None:
            row |= self._difference(plan, parameter_gradient(built.model))
        if plan.is_reference:
            if plan.form == "fast":
                self.work[plan.case] = counted(built.step)
            if not self.context.rehearse or plan.case == "nbody":
                steps = 1 if self.context.rehearse else 3
                row["dearest"] = dearest_kernels(step, self.device, steps=steps)
        return row | self._shares(plan, row["seconds"])

    def _difference(self, plan: Plan, gradient: torch.Tensor) -> dict[str, float]:
        """Relative difference of the gradient from that of the plain float32 variant of a case."""
        if plan.is_reference:
            self.gradients[plan.case] = gradient.clone()
        if plan.case not in self.gradients:
            return {}
        first = self.gradients[plan.case]
        return {"gradient_difference": relative_difference(gradient, first)}

    def _shares(self, plan: Plan, seconds: float) -> dict[str, Any]:
        work = self.work.get(plan.case)
        if work is None:
            return {**self.peaks}
        tflops = self.peaks[f"{plan.precision}_tflops"]
        return {
            **work,
            "share_of_products": 1e-3 * work["gflop"] / tflops / seconds,
            "share_of_copy": 1e-3 * work["gbytes"] / self.peaks["copy_tbytes_s"] / seconds,
            **self.peaks,
        }


def unrecorded_first(found: Iterable[Plan]) -> list[Plan]:
    """The plans in their order, with those already recorded moved to the end."""
    lines = RECORDS.read_text(encoding="utf-8").splitlines() if RECORDS.is_file() else []
    rows = [json.loads(line) for line in lines]
    known = {tuple(row.get(name) for name in Plan._fields) for row in rows if "seconds" in row}
    return sorted(found, key=lambda plan: tuple(plan) in known)


def run(context: Context) -> None:
    """Measure until the time is up; failures are recorded with their reason."""
    REHEARSAL["small"] = context.rehearse
    if context.rehearse:
        torch.set_num_threads(1)  # small work, and other jobs on the machine
    measurements = Measurements(context)
    context.say(", ".join(f"{k} {v:.3g}" for k, v in measurements.peaks.items()))
    for plan in unrecorded_first(plans()):
        compiles = plan.form in ("compiled", "cuda_graphs")
        if context.rehearse and compiles:
            continue
        if context.left < (75 if compiles else 15):
            context.say(f"left out for want of time: {' '.join(map(str, plan))}")
            continue
        try:
            row = measurements.make(plan)
        except Exception as error:  # the others go on
            words = [*str(error).splitlines(), ""]
            reason = f"{type(error).__name__}: {words[0][:200]}"
            context.keep({**plan._asdict(), "failed": reason})
            context.say(f"{_label(plan)}: failed: {reason}")
        else:
            context.keep(row)
            mib = "" if row["mib"] is None else f", {row['mib']:.0f} MiB"
            share = row.get("share_of_products")
            shown = "" if share is None else f", {100 * share:.0f} % of products"
            context.say(f"{_label(plan)}: {1000 * row['seconds']:.3f} ms{mib}{shown}")
        gc.collect()


def _label(plan: Plan) -> str:
    return f"{plan.case} {plan.form} {plan.precision}{' captured' if plan.is_captured else ''}"
