"""Maps between features on orientations and scalars and vectors."""

from geozoo.nn.readout.orientations import lift_to_orientations, project_from_orientations

__all__ = ["lift_to_orientations", "project_from_orientations"]
