#!/usr/bin/env bash
# What starts containers of the image, one after the other. The images are in dist/ already.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/run-image.sh
ci/first-run.sh
ci/running.sh
ci/docker.sh
ci/monitoring.sh
ci/notice.sh
ci/quadlet.sh
