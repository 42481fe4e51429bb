"""A search for hyperparameters with Optuna: resumable, and hopeless trials end early.

    pip install "optuna>=4,<6"
    python examples/tune_with_optuna.py --trials 30 --search optimizer.lr=1e-4..1e-2 \
        --search model.hidden_channels=32,64,128 model=painn dataset=extxyz dataset.path=mine.xyz

Each trial is a run in its own folder, judged by the validation metric that selects its checkpoint;
the test set is not used. All trials are kept in ``<folder>/study.db`` (SQLite): the same command
continues an interrupted search, and several started in the same folder share the trials.
"""

from __future__ import annotations

import argparse
import math
import shlex
from pathlib import Path
from typing import Any

import optuna
from lightning import Callback, LightningModule, Trainer

from geozoo.contracts import direction_of
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.prepare import compose_run
from geozoo.runs.training import train
from geozoo.tasks import NonFiniteLossError


class Pruning(Callback):
    """Reports every validation to Optuna, and ends a trial that is behind the others."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.monitor, self.best = trial, "", math.nan

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the monitored metric."""
        self.monitor = str(pl_module.monitor)
        wanted, direction = direction_of(self.monitor), self.trial.study.direction.name.lower()
        if not direction.startswith(wanted):
            raise SystemExit(f"{self.monitor} needs --direction {wanted}imize")
        value = float(trainer.callback_metrics[self.monitor])
        better = min if wanted == "min" else max
        self.best = value if math.isnan(self.best) else better(self.best, value)
        self.trial.report(value, trainer.current_epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def suggested(trial: optuna.Trial, search: list[str]) -> list[str]:
    """Values of a trial as arguments: ``key=low..high`` on a logarithmic scale, ``key=a,b,c``."""
    words = []
    for each in search:
        key, _, values = each.partition("=")
        low, dots, high = values.partition("..")
        if dots:
            value: Any = trial.suggest_float(key, float(low), float(high), log=True)
        else:
            value = trial.suggest_categorical(key, values.split(","))
        words.append(f"{key}={value}")
    return words


def main() -> None:
    """Search, and print the best values as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="trials in total")
    parser.add_argument("--search", action="append", required=True, metavar="KEY=VALUES")
    parser.add_argument("--folder", type=Path, default=Path("tuning"))
    parser.add_argument("--direction", default="minimize", choices=("minimize", "maximize"))
    parser.add_argument("words", nargs="+", help="arguments of geozoo train")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/study.db", study_name="geozoo", load_if_exists=True,
        direction=options.direction, sampler=optuna.samplers.TPESampler(),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )  # fmt: skip

    def objective(trial: optuna.Trial) -> float:
        words = [*options.words, *suggested(trial, options.search), "test=false"]
        run = folder / f"trial{trial.number:04d}"
        cfg, invocation = compose_run(words, run)
        pruning = Pruning(trial)
        try:
            train(cfg, RunFolder(run), invocation=invocation, callbacks=[pruning])
        except RunError as error:
            if isinstance(error.__cause__, NonFiniteLossError):  # a learning rate that is too large
                raise optuna.TrialPruned from error
            raise
        trial.set_user_attr("monitor", pruning.monitor)
        return pruning.best

    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    left = options.trials - len(study.get_trials(states=ended))
    if left > 0:
        study.optimize(objective, n_trials=left)
    best, pruned = study.best_trial, study.get_trials(states=ended[1:])
    print(f"{len(study.trials)} trials, {len(pruned)} of them pruned")
    print(
        f"best: {best.user_attrs['monitor']} = {best.value:.5g} in {folder}/trial{best.number:04d}"
    )
    found = [f"{key}={value}" for key, value in best.params.items()]
    print(f"geozoo train {shlex.join([*options.words, *found])}")


if __name__ == "__main__":
    main()
