#!/usr/bin/env bash
# Prepares a bare machine without network access and runs one job of the queue:
#   bash benchmarks/gpu/run.sh JOB [--rehearse] [--seconds N] [--words KEY=VALUE ...]
# Wheels and data come from .gpu (python -m benchmarks.gpu.collect); records go to $OUT.
set -euo pipefail
cd "$(dirname "$0")/../.."
begun=$(date +%s)
out=${OUT:-runs/gpu}
export PYTHONUNBUFFERED=1 GEOZOO_OFFLINE=1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
if [ -d .gpu/wheels ] && ! python3 -c "import hydra, pooch, ase, vesin" 2> /dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$place/site" .gpu/wheels/*.whl
  export PYTHONPATH="$place/site${PYTHONPATH:+:$PYTHONPATH}"
fi
if [ -f .gpu/commit ]; then GEOZOO_COMMIT=$(cat .gpu/commit); export GEOZOO_COMMIT; fi
if [ -d .gpu/data ]; then
  export GEOZOO_DATA="$place/data"
  python3 -m benchmarks.gpu.unpack .gpu/data "$GEOZOO_DATA"
fi
if [ "${1:-}" = superpixels ]; then python3 -m benchmarks.gpu.superpixels; fi  # packed as images
echo "prepared in $(($(date +%s) - begun)) s"
mkdir -p "$out"
python3 -m benchmarks.gpu --out "$out" "$@"
