"""Size and import graph of the package, read from its source without importing it.

    python -m benchmarks.structure                    # all packages, and the files of geozoo/data
    python -m benchmarks.structure report nn.conv     # the files of these packages instead
    python -m benchmarks.structure root=../older      # another checkout, for a comparison

An arrow is an import of one package or file by another, wherever it stands, except for type
checkers alone. Floors are the longest chain of arrows; a cycle is one floor. The import of a name
that an ``__init__`` re-exports is one of the file that defines it.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import networkx as nx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = "geozoo"


class Source:
    """Lines, syntax tree and imports, as (module, name), of every module below a folder."""

    def __init__(self, root: Path) -> None:
        texts = {
            ".".join(path.relative_to(root).with_suffix("").parts): path.read_text("utf-8")
            for path in sorted((root / _PACKAGE).rglob("*.py"))
        }
        self.lines = {name: len(text.splitlines()) for name, text in texts.items()}
        self.trees = {name: ast.parse(text) for name, text in texts.items()}
        self.imports = {name: set(_imports(tree, name)) for name, tree in self.trees.items()}
        for stub in (root / _PACKAGE).rglob("__init__.pyi"):  # names that are imported on use
            name = ".".join(stub.relative_to(root).with_suffix("").parts)
            self.imports[name] |= set(_imports(ast.parse(stub.read_text()), name))

    def _target(self, module: str, name: str, *, follow: bool = False) -> str:
        """The module that an import, of a re-export too, refers to; empty for other libraries."""
        for found in (f"{module}.{name}", f"{module}.{name}.__init__", module):
            if found in self.trees:
                return found
        own = f"{module}.__init__"
        for source, exported in self.imports.get(own, ()) if follow else ():
            if exported == name and source != module:
                return self._target(source, name, follow=True)
        return own if own in self.trees else ""

    def between_packages(self) -> nx.DiGraph:
        """Imports between the packages directly below the root."""
        found = {(top(m), top(self._target(*each))) for m in self.trees for each in self.imports[m]}
        packages = {top(name) for name in self.trees if name.count(".") > 1}
        return _graph(packages, found)

    def between_files(self, package: str) -> nx.DiGraph:
        """Imports between the files of one package and its subpackages."""
        prefix = f"{_PACKAGE}.{package}."
        inside = {name for name in self.trees if name.startswith(prefix) and "__init__" not in name}
        found = {(m, self._target(*each, follow=True)) for m in inside for each in self.imports[m]}
        return nx.relabel_nodes(_graph(inside, found), lambda name: name.removeprefix(prefix))


def top(module: str) -> str:
    """The package directly below the root that a module belongs to."""
    return (module.split(".") + [""])[1]


def _graph(nodes: set[str], arrows: Iterable[tuple[str, str]]) -> nx.DiGraph:
    graph = nx.DiGraph({name: {} for name in sorted(nodes)})
    graph.add_edges_from(sorted((a, b) for a, b in arrows if a != b and {a, b} <= nodes))
    return graph


def _imports(node: ast.AST, module: str) -> Iterator[tuple[str, str]]:
    """Module and name of every import below a node that is not for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = module.split(".")[: -child.level] if child.level else []
            source = ".".join([*base, *([child.module] if child.module else [])])
            yield from ((source, alias.name) for alias in child.names)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _imports(child, module)


def floors(graph: nx.DiGraph) -> tuple[list[str], list[str]]:
    """The longest chain of imports, and the cycles; nodes of a cycle are joined by `` = ``."""
    merged = nx.condensation(graph)
    names = {key: " = ".join(sorted(data["members"])) for key, data in merged.nodes.items()}
    chain = [names[key] for key in nx.dag_longest_path(merged)]
    return chain, sorted(name for name in names.values() if " = " in name)


def constructors(tree: ast.Module) -> dict[str, int]:
    """Arguments of every public class: of ``__init__``, or fields of a dataclass."""
    found = {}
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for node in [each for each in classes if not each.name.startswith("_")]:
        if any("dataclass" in ast.unparse(each) for each in node.decorator_list):
            found[node.name] = sum(isinstance(line, ast.AnnAssign) for line in node.body)
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                given = method.args
                found[node.name] = len(given.posonlyargs + given.args + given.kwonlyargs) - 1
    return found


def tables(source: Source, packages: Iterable[str]) -> Iterator[Table | str]:
    """Sizes, graphs and long constructors, as they are printed."""
    graph, sizes = source.between_packages(), Table("package", "files", "lines")
    for name in ("", *graph):
        lines = [n for module, n in source.lines.items() if not name or top(module) == name]
        sizes.add_row(name or "all", f"{len(lines)}", f"{sum(lines)}")
    yield sizes
    graphs = Table("between", "nodes", "arrows", "floors", "longest chain", "cycles")
    files = {f"files of {name}": source.between_files(name) for name in packages}
    for title, each in {"packages": graph, **files}.items():
        chain, cycles = floors(each)
        counts = (f"{n}" for n in (len(each), each.number_of_edges(), len(chain)))
        graphs.add_row(title, *counts, " > ".join(chain), "\n".join(cycles) or "none")
    yield graphs
    found = [(-n, c) for tree in source.trees.values() for c, n in constructors(tree).items()]
    yield "longest constructors: " + ", ".join(f"{c} {-n}" for n, c in sorted(found)[:10])


def main() -> None:
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("arguments", nargs="*", metavar="PACKAGE | root=PATH")
    given = parser.parse_args().arguments
    root = Path([str(ROOT), *(each[5:] for each in given if each.startswith("root="))][-1])
    source = Source(root)
    if f"{_PACKAGE}.__init__" not in source.trees:
        parser.error(f"root must be a folder that contains {_PACKAGE}/__init__.py, got {root}")
    packages = [each for each in given if not each.startswith("root=")] or ["data"]
    if unknown := [p for p in packages if f"{_PACKAGE}.{p}.__init__" not in source.trees]:
        known = ", ".join(source.between_packages())
        parser.error(f"{unknown[0]} must be a package below {_PACKAGE}, such as {known}")
    console = Console(width=max(Console().width, 120), highlight=False)
    console.print(*tables(source, packages), sep="\n")


if __name__ == "__main__":
    main()
