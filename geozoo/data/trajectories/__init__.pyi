from .trajectories import Trajectories
from .trajectory_options import PointInputs, TrajectorySplit

__all__ = ["PointInputs", "Trajectories", "TrajectorySplit"]
