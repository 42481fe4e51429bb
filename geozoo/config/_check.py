"""Validation of a composed config against the signatures of the classes that it builds."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.config._annotations import (
    UNDECIDED,
    Built,
    describe,
    fits,
    parameter_types,
    parameters_of,
)
from geozoo.config._nearest import nearest
from geozoo.options import option_groups

#: Keys of a ``_target_`` node that are read by Hydra itself.
_HYDRA_KEYS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
Origin = Callable[[str], str]


class ConfigError(ValueError):
    """Invalid keys or values of a config; the message gives key, location and reason.

    Attributes:
        exit_code: exit code of a command that fails with this error.
    """

    exit_code = 2


def check(
    cfg: DictConfig,
    *,
    root: Callable[..., Any] | None = None,
    provided: Mapping[str, Collection[str]] | None = None,
    open_nodes: Collection[str] = (),
    origin: Origin | None = None,
) -> None:
    """Compare every ``_target_`` node of a config with the signature of its target.

    Nothing is instantiated. All errors are collected and reported together: unknown keys (with the
    closest known one), missing keys, values of a wrong type, targets that cannot be imported.

    Args:
        cfg: the composed config.
        root: callable whose parameters are the allowed top-level keys and their types; None: the
            top level is not checked.
        provided: for a node, the parameters that the program passes itself; the config must not
            set them, and they are not required.
        open_nodes: nodes in which ``???`` is allowed because the dataset fills it in.
        origin: returns the file that set a key; None: not reported.

    Raises:
        ConfigError: If the config is invalid, with one line per error that gives key, file and
            expected type.

    >>> check(OmegaConf.create({"node": {"_target_": "fractions.Fraction", "numerator": 3}}))
    """
    checker = _Checker(cfg, provided or {}, open_nodes, origin or (lambda key: ""))
    if root is not None:
        checker.arguments(cfg, "", root)
    else:
        checker.children(cfg, "")
    if checker.errors:
        raise ConfigError("\n".join(checker.errors))


class _Checker:
    """One walk over a config."""

    def __init__(
        self, cfg: DictConfig, provided: Mapping[str, Collection[str]],
        open_nodes: Collection[str], origin: Origin,
    ) -> None:  # fmt: skip
        self.cfg = cfg
        self.provided, self.open_nodes, self.origin = provided, open_nodes, origin
        self.errors: list[str] = []

    def report(self, key: str, text: str) -> None:
        where = self.origin(key)
        self.errors.append(f"{key}: {text}" + (f" [{where}]" if where else ""))

    def children(self, node: DictConfig, path: str) -> None:
        """Check the children of a node without a ``_target_``."""
        for key in node:
            self.value(node, key, _join(path, key))

    def value(
        self, node: DictConfig | ListConfig, key: Any, path: str, *, kind: type | None = None
    ) -> Any:
        """The plain value of a key, after a check of its child nodes; undecided if it is invalid.

        Args:
            node: the node that holds the key.
            key: the key.
            path: its full path.
            kind: class of the options, if the key is a group of options.
        """
        if OmegaConf.is_missing(node, key):
            if not path.startswith(tuple(f"{name}." for name in self.open_nodes)):
                self.report(path, f"has no value; set it with {path}=...")
            return UNDECIDED
        try:
            value = node[key]
        except OmegaConfBaseException as error:
            self.report(path, f"cannot be resolved: {str(error).splitlines()[0]}")
            return UNDECIDED
        if isinstance(value, DictConfig) and "_target_" in value:
            return self.call(value, path)
        if kind is not None:
            return self.group(value, path, kind)
        if isinstance(value, DictConfig):
            return {name: self.value(value, name, _join(path, name)) for name in value}
        if isinstance(value, ListConfig):
            return [self.value(value, i, f"{path}[{i}]") for i in range(len(value))]
        return value

    def call(self, node: DictConfig, path: str) -> Any:
        """Check a ``_target_`` node and return a placeholder for its result."""
        target = self.target(node, path)
        if target is None:
            return UNDECIDED
        is_partial = bool(node.get("_partial_", False))
        self.arguments(node, path, target, is_partial=is_partial)
        return Built(target, is_partial)

    def target(self, node: DictConfig, path: str) -> Callable[..., Any] | None:
        name = node["_target_"]
        try:
            found = pkgutil.resolve_name(name)
        except (ImportError, ValueError, AttributeError, TypeError) as error:
            self.report(_join(path, "_target_"), f"cannot import {name!r}: {error}")
            return None
        if not callable(found):
            self.report(_join(path, "_target_"), f"{name!r} is not a class or function")
            return None
        return found

    def arguments(
        self, node: DictConfig, path: str, target: Callable[..., Any], *, is_partial: bool = False
    ) -> None:
        """Check the keys of a node against the parameters of its target."""
        parameters = parameters_of(target)
        hints = parameter_types(target)
        groups = option_groups(target)
        own = self.provided.get(path, ())
        whole = _name(target) if path else "the top level"
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        named = [
            n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        for key in (str(key) for key in node if key not in _HYDRA_KEYS):
            full = _join(path, key)
            value = self.value(node, key, full, kind=groups.get(key))
            if key in own:
                self.report(full, "is set by the program, not by the config")
            elif key in named:
                self.type(full, value, hints.get(key, Any))
            elif not takes_any:
                hint = _meant(key, {n: hints.get(n, Any) for n in named if n not in own}, groups)
                if not hint and (paths := places_of_key(self.cfg, key, full)):
                    hint = f"; did you mean {' or '.join(paths)}?"
                self.report(full, f"unknown key of {whole}{hint}")
        if not is_partial:
            for name in named:
                if name not in node.keys() and name not in own and _is_required(parameters[name]):
                    kind = describe(hints.get(name, Any))
                    self.report(
                        _join(path, name), f"is missing; it is required by {whole} ({kind})"
                    )

    def group(self, value: Any, path: str, kind: type) -> Any:
        """Check a group of options and return a placeholder for the instance of its class."""
        if isinstance(value, DictConfig):
            self.arguments(value, path, kind)
            return Built(kind, is_partial=False)
        keys = ", ".join(f"{path}.{name}" for name in _names(kind))
        self.report(path, f"expected a group of options ({keys}), got {value!r}")
        return UNDECIDED

    def type(self, path: str, value: Any, annotation: Any) -> None:
        if fits(value, annotation):
            return
        shown = f"{type(value).__name__} {value!r}" if value is not None else "null"
        if isinstance(value, Built):
            shown = _name(value.target) + (" (partial)" if value.is_partial else "")
        self.report(path, f"expected {describe(annotation)}, got {shown}")


def places_of_key(node: DictConfig, key: str, unknown: str = "", path: str = "") -> list[str]:
    """The dotted paths of a key in a config.

    Args:
        node: the config.
        key: the key.
        unknown: a path to leave out.
        path: path of the node itself.
    """
    found = []
    for name in node:
        full = _join(path, name)
        if name == key and full != unknown:
            found.append(full)
        child = node._get_node(name)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            found += places_of_key(child, key, unknown, full)
    return found


def _meant(key: str, hints: Mapping[str, Any], groups: Mapping[str, type]) -> str:
    """The known key closest to an unknown one, of the node itself or of its groups."""
    inner = {
        f"{name}.{option}": parameter_types(kind)[option]
        for name, kind in groups.items()
        for option in _names(kind)
    }
    paths = {path.rpartition(".")[2]: path for path in (*inner, *hints)}
    near = nearest(key, paths)
    if near is None:
        return ""
    return f"; did you mean {paths[near]} ({describe({**inner, **hints}[paths[near]])})?"


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _name(target: Any) -> str:
    module = getattr(target, "__module__", "")
    return f"{module.split('.')[0]}.{getattr(target, '__qualname__', target)}"


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty
