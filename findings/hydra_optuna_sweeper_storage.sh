#!/usr/bin/env bash
# hydra-optuna-sweeper 1.3.0 with what pip installs for it: optuna 2.10.1, SQLAlchemy 2.1.9;
# hydra-core 1.3.8, Python 3.11, Linux x86-64.
#
# The newest release of the plug-in requires optuna<3, which allows any SQLAlchemy. A sweep in memory
# runs, but the documented option hydra.sweeper.storage=sqlite:///..., which makes a study resumable,
# ends before the first trial with an AssertionError without a message. It leaves a database behind,
# with all tables and no version in it, so that a second call fails in the same way.
#
# Expected: the same four trials, kept in the file.
#
# Observed output:
#   memory: exit code 0
#   sqlite: exit code 1, AssertionError
#   sqlite, second call: exit code 1, AssertionError
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q hydra-core==1.3.8 hydra-optuna-sweeper==1.3.0 optuna==2.10.1 sqlalchemy==2.1.9
cat > sphere.py <<'PYTHON'
import hydra


@hydra.main(version_base="1.3", config_path=None, config_name=None)
def sphere(cfg):
    return cfg.x**2


sphere()
PYTHON
sweep() {
    local code=0
    env/bin/python sphere.py -m hydra/sweeper=optuna hydra.sweeper.n_trials=4 hydra.sweeper.n_jobs=1 \
        hydra.sweeper.study_name=sphere "+x=interval(-1,1)" "${@:2}" > log 2>&1 || code=$?
    echo "$1: exit code $code$(grep -o '^AssertionError$' log | sed 's/^/, /')"
}
{
    sweep memory
    sweep sqlite hydra.sweeper.storage=sqlite:///study.db
    sweep "sqlite, second call" hydra.sweeper.storage=sqlite:///study.db
} | tee found
cmp found - <<'TEXT'
memory: exit code 0
sqlite: exit code 1, AssertionError
sqlite, second call: exit code 1, AssertionError
TEXT
