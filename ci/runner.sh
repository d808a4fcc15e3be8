#!/usr/bin/env bash
# Lets a throw-away runner build: newer Ubuntus refuse user namespaces to programs without a
# profile. Changes the machine, so it is for runners, not for people's own.
set -euo pipefail

switch=kernel.apparmor_restrict_unprivileged_userns
if [[ $(sysctl --values --ignore "$switch") == 1 ]]; then
    as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" sysctl --write "$switch=0"
fi
