from .graphs import Graphs

__all__ = ["Graphs"]
