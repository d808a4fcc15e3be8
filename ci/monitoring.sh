#!/usr/bin/env bash
# Runs the compose file of `cargo xtask compose --monitoring`: the built image, and a Prometheus
# from Debian's package in an image that is made here. It has to see the relay, and nobody else
# may: neither the host nor a container of another network. Grafana is not run: no package has
# it. The image is in dist/ already. Skips, aloud, where there is no container engine or package.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/archive.sh
. ci/compose.sh "\`compose --monitoring\` was not run"

as_root=()
((EUID == 0)) || as_root=(sudo)
place=$(mktemp -d)
chmod 755 "$place"
name=tor-monitored$$ made=relaysmith-prometheus:$$
finish() {
    compose down --volumes >/dev/null 2>&1 || true
    docker image rm "$made" >/dev/null 2>&1 || true
    "${as_root[@]}" rm -rf "$place"
}
trap finish EXIT
compose() {
    "${compose[@]}" --project-name "monitored$$" --file "$place/compose.yaml" \
        --file "$place/internal.yaml" "$@"
}
# This relay is none of the real network: it reaches nobody. What the machine sees of Prometheus is
# on a port that is free as far as one can know.
port=$((20000 + $$ % 10000))
printf 'networks:\n  default:\n    internal: true\n' >"$place/internal.yaml"

# Prometheus and the libraries that it needs, in an image.
mkdir -p "$place/debian" "$place/root/etc" "$place/root/prometheus" "$place/root/tmp"
(cd "$place/debian" && apt-get download -q prometheus >/dev/null 2>&1) ||
    skip "apt has no package prometheus"
dpkg --extract "$place"/debian/prometheus_*.deb "$place/debian"
program=$place/debian/usr/bin/prometheus
cp "$program" "$place/root/prometheus.program"
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$place/root${library%/*}"
    cp -L "$library" "$place/root$library"
done
tar --create --owner 65534 --group 65534 --directory "$place/root" . |
    docker import --change 'ENTRYPOINT ["/prometheus.program"]' --change 'USER 65534:65534' - "$made" >/dev/null

image=$(load arm)
digest=$(docker image inspect --format '{{.Id}}' "$image")
cargo build --quiet --locked --package xtask
xtask() { target/debug/xtask --quiet "$@"; }
xtask torrc middle --nickname "monitored$$" --contact-email tor@example.org --or-port "$port" \
    --address 203.0.113.1 --metrics --out "$place/config/torrc"
xtask check-torrc "$place/config/torrc" --role middle
limit=$(ulimit -Hn)
[[ $limit != unlimited && $limit -lt 65536 ]] || limit=65536
xtask compose "$place/config/torrc" --image "$digest" --open-files "$limit" --monitoring \
    --prometheus-image "$made" --out "$place/compose.yaml" --data "$place/data" 2>/dev/null
# Nothing of it is reached from other machines.
if grep -E '^ +ports: ' "$place/compose.yaml" | grep -v '"127\.0\.0\.1:'; then
    echo "error: a port is published on every address" >&2
    exit 1
fi
sed -i "s/127.0.0.1:9090:9090/127.0.0.1:$((port + 1)):9090/" "$place/compose.yaml"
mkdir "$place/data"
mkdir -m 700 "$place/data/monitored$$"
"${as_root[@]}" chown 45553:45553 "$place/data/monitored$$"

compose up --detach "$name" prometheus
ask() { curl --silent --max-time 5 "http://127.0.0.1:$((port + 1))/api/v1/$1"; }
for _ in {1..120}; do
    if ask targets | grep --quiet '"health":"up"'; then break; fi
    sleep 1
done
ask targets | grep --quiet '"health":"up"' || {
    echo "error: Prometheus does not see the relay:" >&2
    ask targets >&2 || true
    compose logs >&2
    exit 1
}
[[ $(ask rules | grep -o '"name":"Tor[A-Za-z]*"' | wc -l) == 10 ]]
ask 'query?query=tor_relay_traffic_bytes' | grep --quiet "\"relay\":\"$name\""
echo "Prometheus sees $name and has the ten alerts"

# The host is in the relay's own network, a stranger in none of them.
address() {
    docker inspect --format "{{(index .NetworkSettings.Networks \"monitored$$_$1\").IPAddress}}" "$name"
}
for network in default metrics; do
    code=0
    said=$(curl --silent --max-time 5 "http://$(address "$network"):9035/metrics" 2>&1) || code=$?
    echo "the host, by the network $network: ${said:+${#said} bytes, }curl ended with $code"
    [[ $network == metrics || $code != 0 ]] || { echo "error: metrics for everybody" >&2; exit 1; }
done
