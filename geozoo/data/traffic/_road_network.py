"""Random road networks with sensors, for the traffic simulator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_KM_PER_DEGREE = 111.2
#: South-west corner of the map, latitude and longitude in degrees.
_CORNER = (37.0, -122.0)
_MAP_KM = 40.0
#: A ramp is longer than the straight line between its ends.
_DETOUR = 1.2


class RoadNetwork(NamedTuple):
    """Sensors and the roads between them.

    Attributes:
        coordinates: ``[N, 2]``, latitude and longitude in degrees.
        distances: ``[N, N]``, kilometres along the road from the row's sensor to the column's,
            if that is the next one downstream; infinite otherwise.
        road: ``[N]``, index of the road of each sensor.
    """

    coordinates: np.ndarray
    distances: np.ndarray
    road: np.ndarray


def make_road_network(num_sensors: int, rng: np.random.Generator) -> RoadNetwork:
    """Draw curved one-way roads of about twenty sensors, 1.5 to 3.5 km apart, and ramps.

    Each road has a ramp to each of its two nearest roads.
    """
    num_roads = max(1, round(num_sensors / 20))
    road = np.sort(np.arange(num_sensors) % num_roads)
    position = np.empty((num_sensors, 2))
    distances = np.full((num_sensors, num_sensors), np.inf)
    for number in range(num_roads):
        members = np.flatnonzero(road == number)
        gap = rng.uniform(1.5, 3.5, len(members))
        # Roads head for the centre of the map, so that they cross.
        begin = rng.uniform(0, _MAP_KM, 2)
        aim = np.arctan2(*(np.array([_MAP_KM / 2, _MAP_KM / 2]) - begin)[::-1])
        heading = aim + rng.normal(0.0, 0.3) + np.cumsum(rng.normal(0.0, 0.15, len(members)))
        step = gap[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
        position[members] = begin + np.cumsum(step, 0)
        distances[members[:-1], members[1:]] = gap[1:]
    _add_ramps(position, road, distances)
    latitude = _CORNER[0] + position[:, 1] / _KM_PER_DEGREE
    longitude = _CORNER[1] + position[:, 0] / (_KM_PER_DEGREE * np.cos(np.deg2rad(latitude)))
    return RoadNetwork(np.stack([latitude, longitude], 1), distances, road)


def _add_ramps(position: np.ndarray, road: np.ndarray, distances: np.ndarray) -> None:
    straight = np.linalg.norm(position[:, None] - position, axis=-1)
    for number in range(int(road.max()) + 1):
        members = np.flatnonzero(road == number)
        ramps = []
        for other in set(road.tolist()) - {number}:
            others = np.flatnonzero(road == other)
            between = straight[np.ix_(members, others)]
            row, column = np.unravel_index(between.argmin(), between.shape)
            ramps.append((float(between[row, column]), int(members[row]), int(others[column])))
        for length, sender, receiver in sorted(ramps)[:2]:
            distances[sender, receiver] = max(_DETOUR * length, 0.2)


def shortest_ways(distances: np.ndarray) -> np.ndarray:
    """All-pairs shortest path lengths, 0 on the diagonal, infinite if there is no path."""
    ways = distances.copy()
    np.fill_diagonal(ways, 0.0)
    for middle in range(len(ways)):
        np.minimum(ways, ways[:, middle, None] + ways[middle], out=ways)
    return ways
