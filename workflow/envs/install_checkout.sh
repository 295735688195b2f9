#!/usr/bin/env bash
# Installs the package from the checkout into an environment; Snakemake runs it once, when that is made.
# Every <name>.post-deploy.sh here is a link to it.
set -euo pipefail

if [ ! -f "${HYENADNA_SOURCE:-}/pyproject.toml" ]; then
    echo "hyenadna: '${HYENADNA_SOURCE:-}' is no checkout: conda environments install the package that" \
        "Snakemake runs with; install that with 'pip install --no-deps --editable .' in the checkout" >&2
    exit 1
fi
python -m pip --disable-pip-version-check install --quiet \
    --no-deps --no-build-isolation --no-index --editable "$HYENADNA_SOURCE"

# Environments may be shared by checkouts (--conda-prefix): each then runs its own code, not that of
# the one which was there first.
mkdir -p "$CONDA_PREFIX/etc/conda/activate.d"
cat > "$CONDA_PREFIX/etc/conda/activate.d/hyenadna.sh" <<'END'
if [ -n "${HYENADNA_SOURCE:-}" ]; then export PYTHONPATH="$HYENADNA_SOURCE/src"; fi
END
