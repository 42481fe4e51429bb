"""The benchmark of neighbour lists measures the same list for every tool."""

import pytest

from benchmarks import neighbors
from geozoo.geometry._neighbor_backends import installed


@pytest.mark.parametrize(("name", "density"), neighbors.DENSITIES.items())
def test_systems_have_their_density(name, density):
    pos, cell = neighbors.system(name, 500)
    assert len(pos) == 500
    assert len(pos) / float(cell.det()) == pytest.approx(density)


def test_backends_find_as_many_edges():
    system = neighbors.system("copper", 300)
    tools = ["torch", *(name for name in ("vesin",) if installed(name))]
    found = {neighbors.searcher(tool, system)() for tool in tools}
    # Shells of 12, 6 and 24 atoms, and the next 12 just beyond, some of them displaced inwards.
    assert len(found) == 1
    assert 42 < found.pop() / len(system.pos) < 48


def test_time_of_each_tool_is_the_smallest_round():
    taken = neighbors.seconds({"one": lambda: 3, "other": lambda: 3}, 2)
    assert set(taken) == {"one", "other"}
    with pytest.raises(RuntimeError, match="disagree on the number of edges"):
        neighbors.seconds({"one": lambda: 3, "other": lambda: 4}, 1)
