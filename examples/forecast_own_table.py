"""From a table of readings to a forecast of the next hour.

    python examples/forecast_own_table.py --folder /tmp/roads --epochs 10

1. Write the readings as a table: times in the first column, one column per sensor, empty cells
   for missing readings. Here a simulated network stands in for yours.
2. Train a forecaster on it from the command line, and publish it.
3. Give it the last hour; it returns a forecast of the next one, with timestamps. Compare the
   forecast with the ground truth.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from geozoo.data import TrafficOptions, TrafficSeries, simulate_traffic


def write_table(path: Path, series: TrafficSeries, steps: slice) -> None:
    """Write some steps of a series as a table."""
    part = series.part(steps)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *part.sensor_ids])
        for moment, row, seen in zip(part.times, part.values[..., 0], part.observed, strict=True):
            cells = [value if there else "" for value, there in zip(row, seen, strict=True)]
            writer.writerow([moment, *cells])


def geozoo(words: str) -> None:
    """Call the command line, as you would in a shell."""
    print(f"$ geozoo {words}", flush=True)
    subprocess.run([sys.executable, "-m", "geozoo.cli.main", *shlex.split(words)], check=True)


def main() -> None:
    """Run the three steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("roads"))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    series = simulate_traffic(TrafficOptions(num_sensors=20, num_days=14))
    now = len(series.times) - 12 * 6  # six hours before the end
    write_table(folder / "readings.csv", series, slice(0, now))
    write_table(folder / "last_hour.csv", series, slice(now - 12, now))
    geozoo(
        f"train model=stid dataset=traffic_csv dataset.path={folder / 'readings.csv'} "
        f"dataset.feature=flow dataset.unit='vehicles/5 min' run_dir={folder / 'run'} "
        f"trainer.max_epochs={options.epochs} trainer.check_val_every_n_epoch=5"
    )
    geozoo(f"publish {folder / 'run'} out={folder / 'model'} name=roads")
    geozoo(
        f"predict checkpoint={folder / 'model'} input={folder / 'last_hour.csv'} "
        f"out={folder / 'next_hour.csv'}"
    )
    with (folder / "next_hour.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    forecast = np.array([[float(cell) for cell in row[1:]] for row in rows])
    true, seen = series.values[now : now + 12, :, 0], series.observed[now : now + 12]
    last = series.values[now - 1, :, 0]
    print(f"from {rows[0][0]} to {rows[-1][0]}, mean absolute error in vehicles per 5 minutes:")
    print(f"  forecast {np.abs(forecast - true)[seen].mean():.2f}")
    print(f"  last value again {np.abs(last - true)[seen].mean():.2f}")


if __name__ == "__main__":
    main()
