"""Trained potentials in the programs that run them.

`PotentialEvaluator` describes a potential and evaluates structures, in eV and angstrom; each engine
is a file over it.
"""

from geozoo.engines.evaluator import Evaluation, PotentialEvaluator

__all__ = ["Evaluation", "PotentialEvaluator"]
