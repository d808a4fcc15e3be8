#!/usr/bin/env bash
# To be sourced: what runs compose files here is then in the array `compose`. Exits, aloud, where
# nothing does, or where there is no Docker daemon.
#
# usage: . ci/compose.sh WHAT-IS-NOT-DONE-THEN
skip() {
    echo "SKIPPED: $1, so $not_done_"
    exit 0
}
not_done_=$1
docker info >/dev/null 2>&1 || skip "no Docker daemon here"
if command -v docker-compose >/dev/null; then
    compose=(docker-compose)
elif docker compose version >/dev/null 2>&1; then
    # Used by who sources this.
    # shellcheck disable=SC2034
    compose=(docker compose)
else
    skip "neither docker-compose nor docker compose is here"
fi
