"""Compiled training steps, with a fallback to uncompiled ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

_LOG = logging.getLogger(__name__)
#: Maximum number of batch shapes that a traced step is compiled for.
SHAPE_LIMIT = 8

#: Losses by name from a network, its inputs and its targets.
Evaluate = Callable[[Callable[..., Any], dict[str, Any], dict[str, Tensor]], dict[str, Tensor]]


class _Fallback:
    """Warns once, with the reason, when a step falls back to uncompiled code."""

    def __init__(self) -> None:
        self.is_active = False

    def activate(self, reason: str) -> None:
        if not self.is_active:
            _LOG.warning("not compiled: %s; training continues", reason)
        self.is_active = True


class CompiledModel:
    """A model compiled by ``torch.compile``; the uncompiled model after a compiler failure.

    A second size of an axis makes that axis dynamic; after eight recompilations PyTorch runs new
    shapes uncompiled.

    Args:
        model: a network.
        options: further arguments of ``torch.compile``.
    """

    def __init__(self, model: nn.Module, **options: Any) -> None:
        self.model = model
        self._options = options
        self._compiled = torch.compile(model, **options)
        self._fallback = _Fallback()

    def __call__(self, **inputs: Any) -> Any:
        _begin_step(self._options)
        if self._fallback.is_active:
            return self.model(**inputs)
        try:
            # Compile the backward pass here as well, where a failure can still be caught.
            with torch._functorch.config.patch(force_non_lazy_backward_lowering=True):
                return self._compiled(**inputs)
        except TorchDynamoException as error:
            self._fallback.activate(_first_line(error))
            return self.model(**inputs)


class TracedStep:
    """Losses and parameter gradients as one traced and compiled graph per batch shape.

    ``torch.compile`` does not support double backward, which a force loss needs. Here autograd runs
    once under ``make_fx``, which traces all its operations: the energy, its gradient, the loss and
    the parameter gradients. The returned loss passes these gradients to ``backward``.

    Args:
        model: the network whose parameters are trained.
        evaluate: returns losses by name, including ``"loss"``, from a network, its inputs and its
            targets.
        options: further arguments of ``torch.compile``.
    """

    def __init__(self, model: nn.Module, evaluate: Evaluate, **options: Any) -> None:
        self.model, self.evaluate, self.options = model, evaluate, options
        self._steps: dict[Hashable, Callable[..., list[Tensor]]] = {}
        self._fallback = _Fallback()

    def __call__(self, inputs: dict[str, Any], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        values = inputs, targets
        flat, structure = pytree.tree_flatten(values)
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        key = (structure, *(_shape(leaf) for leaf in flat))
        if key not in self._steps and not self._may_compile():
            return self.evaluate(self.model, *values)
        parameters = dict(self.model.named_parameters())
        weights = [p.detach() for p in parameters.values()]
        try:
            if key not in self._steps:
                self._steps[key] = self._compile(flat, structure, list(parameters))
            _begin_step(self.options)
            with torch.no_grad():
                *losses, gradients = self._split(self._steps[key](weights, tensors))
        except (TorchDynamoException, NotImplementedError) as error:
            self._steps.pop(key, None)
            self._fallback.activate(_first_line(error))
            return self.evaluate(self.model, *values)
        # Clone: the next replay of a CUDA graph overwrites these tensors.
        parts = {name: value.clone() for name, value in zip(self._names, losses, strict=True)}
        parts["loss"] = _WithGradients.apply(parts["loss"], gradients, *parameters.values())
        return parts

    def _may_compile(self) -> bool:
        if len(self._steps) >= SHAPE_LIMIT:
            self._fallback.activate(
                f"batches have more than {SHAPE_LIMIT} shapes (only the first ones are compiled)"
            )
        return not self._fallback.is_active

    def _split(self, results: list[Tensor]) -> list[Any]:
        count = len(self._names)
        return [*results[:count], results[count:]]

    def _compile(
        self, flat: list[Any], structure: Any, names: list[str]
    ) -> Callable[..., list[Tensor]]:
        _LOG.info(
            "compiling the training step for batches of a new shape (%d of at most %d); this takes "
            "minutes on a CPU", len(self._steps) + 1, SHAPE_LIMIT,
        )  # fmt: skip

        def step(weights: list[Tensor], tensors: list[Tensor]) -> list[Tensor]:
            given = iter(tensors)
            values = [next(given) if isinstance(leaf, Tensor) else leaf for leaf in flat]
            own = [weight.detach().requires_grad_() for weight in weights]
            named = dict(zip(names, own, strict=True))

            def network(*args: Any, **kwargs: Any) -> Any:
                return functional_call(self.model, named, args, kwargs)

            with torch.enable_grad():
                parts = self.evaluate(network, *pytree.tree_unflatten(values, structure))
                gradients = torch.autograd.grad(
                    parts["loss"], own, allow_unused=True, materialize_grads=True
                )
            self._names = list(parts)
            return [*(part.detach() for part in parts.values()), *gradients]

        parameters = [p.detach() for p in self.model.parameters()]
        tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
        traced = make_fx(step)(parameters, tensors)
        return torch.compile(traced, fullgraph=True, dynamic=False, **self.options)


class _WithGradients(torch.autograd.Function):
    """A loss with precomputed gradients."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(grad * gradient for gradient in ctx.gradients)


def _begin_step(options: dict[str, Any]) -> None:
    """Allow CUDA graphs to reuse the memory of the previous step."""
    if options.get("mode") in ("reduce-overhead", "max-autotune"):
        torch.compiler.cudagraph_mark_step_begin()


def _shape(leaf: Any) -> Hashable:
    return (leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf


def _first_line(error: Exception) -> str:
    cause = getattr(error, "inner_exception", error)
    lines = [line for line in str(cause).splitlines() if line.strip()]
    return ": ".join([type(cause).__name__, *lines[:1]])
