"""Maps between features on orientations or frames and scalars and vectors."""

from geozoo.nn.readout.frames import lift_to_frames, project_from_frames
from geozoo.nn.readout.orientations import lift_to_orientations, project_from_orientations

__all__ = [
    "lift_to_frames",
    "lift_to_orientations",
    "project_from_frames",
    "project_from_orientations",
]
