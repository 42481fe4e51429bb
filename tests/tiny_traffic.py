"""A traffic data set that takes no time, for tests of tasks and command lines."""

from __future__ import annotations

import numpy as np
import torch

from geozoo.data import LoaderOptions, RoadGraphs, Traffic, TrafficSeries, forecast_protocol
from geozoo.data.traffic.series import clock
from geozoo.models import GramODE
from geozoo.options import in_groups


class TinyTraffic(Traffic):
    """Five sensors, eight days of hourly steps, a daily rhythm, noise and missing entries.

    Args:
        loader: batch sizes and order.
        protocol_name: name of the protocol.
        missing: share of entries that are missing.
        seed: seed of the noise.
    """

    name = "tiny_traffic"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        protocol_name: str = "stsgcn",
        missing: float = 0.1,
        seed: int = 0,
        **changes: object,
    ) -> None:
        rules = forecast_protocol(protocol_name, **{"input_steps": 6, "horizon": 3} | changes)
        super().__init__(loader, protocol=rules, graphs=RoadGraphs(spatial="given"))
        self.missing, self.seed = missing, seed

    def read(self) -> TrafficSeries:
        """Make the series."""
        random = np.random.default_rng(self.seed)
        steps = np.arange(24 * 8)
        phase = np.arange(5) / 3.0
        values = 30.0 + 10.0 * np.sin(2 * np.pi * steps[:, None] / 24 + phase)
        values = values + random.normal(size=values.shape)
        observed = random.random(values.shape) >= self.missing
        return TrafficSeries(
            values=(values * observed)[..., None].astype(np.float32),
            observed=observed,
            times=clock("2024-01-01", len(steps), 60),
            interval=60,
            features=("flow",),
            units=("vehicles/h",),
            sensor_ids=tuple("abcde"),
            adjacency=np.eye(5, k=1, dtype=np.float32),
            source="made in a test",
        )


def tiny_gram_ode(data: TinyTraffic, **options: object) -> GramODE:
    """A small GRAM-ODE for the series."""
    arguments = data.spec.model_arguments()
    graph = 0.4 * torch.eye(data.spec.num_nodes)
    wanted = {name: arguments[name] for name in ("in_channels", "input_steps", "horizon")}
    sizes = {"hidden_channels": 8, "local_heads": 4, "num_branches": 1, "num_blocks": 1}
    return GramODE(graph, graph, **in_groups(GramODE, wanted | sizes | options))


def tiny_traffic(**options: object) -> TinyTraffic:
    """A `TinyTraffic` with its loader options."""
    return TinyTraffic(loader=LoaderOptions(batch_size=8), **options)
