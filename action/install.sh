#!/usr/bin/env bash
# Installs gatebench as it stands in the Action's own checkout, into an environment of its own.
set -euo pipefail
"${PYTHON:-python3}" -m venv "$RUNNER_TEMP/gatebench-venv"
"$RUNNER_TEMP/gatebench-venv/bin/python" -m pip install --quiet "$GITHUB_ACTION_PATH"
