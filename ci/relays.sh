#!/usr/bin/env bash
# To be sourced: one relay of each role, for what `compose` writes of them. The torrcs are in folders of
# `$place`, a folder of the script's own; `$image` names an image.
cargo build --quiet --locked --package xtask
xtask() { target/debug/xtask --quiet "$@" 2>"${place:?}/said" >&2 || { cat "$place/said" >&2; exit 1; }; }
# Used by who sources this.
# shellcheck disable=SC2034
image=docker.io/relaysmith/tor@sha256:$(printf %064d 0)
common_=(--contact-email tor@example.org --address 203.0.113.1)
xtask torrc middle --nickname ada "${common_[@]}" --or-port 9001 --family-id "*" --out "$place/middle/torrc"
xtask torrc exit --nickname bob "${common_[@]}" --or-port 80 --family-id "*" --out "$place/exit/torrc"
xtask torrc bridge --nickname eve "${common_[@]}" --or-port 9443 --obfs4-port 443 --out "$place/bridge/torrc"
