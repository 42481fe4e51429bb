from .cloud_options import CloudReading, CloudRotation
from .point_clouds import PointClouds
from .solids import Solids

__all__ = ["CloudReading", "CloudRotation", "PointClouds", "Solids"]
