# The transport obfs4: a static program in Go, which links nothing of ours.
export GOROOT=/deps/go GOENV=off GOTOOLCHAIN=local GOPROXY=off GOSUMDB=off CGO_ENABLED=0 \
    GOFLAGS='-mod=vendor -trimpath -buildvcs=false' GOCACHE=/build/cache GOPATH=/build/path
go() { /deps/go/bin/go "$@"; }
# Otherwise it counts how it is used, in a file.
go telemetry off

case $TARGET in
x86_64-*) arch=amd64 ;;
aarch64-*) arch=arm64 ;;
riscv64-*) arch=riscv64 ;;
*)
    echo "error: no GOARCH is known for $TARGET" >&2
    exit 1
    ;;
esac

# The packages that are imported, and `modules.txt` as `go mod vendor` writes it.
modules=$(sed -n '/^require (/,/^)/s/^\t\([^ ]*\) \(v[^ ]*\)$/\1@\2/p' go.mod)
mkdir vendor
for source in /deps/*/src; do
    [ "$source" = /deps/go/src ] || cp -R "$source/." vendor/
done
for module in $modules; do
    path=${module%@*}
    printf '# %s %s\n## explicit; go %s\n' "$path" "${module#*@}" \
        "$(sed -n 's/^go //p' "vendor/$path/go.mod")"
    grep -x -e "$path" -e "$path/.*" /build/files/packages.txt
done > vendor/modules.txt
find vendor -name go.mod -exec rm '{}' +

# What is imported decides what is in the image; packages.txt shows it to who reads a change.
GOARCH=$arch go list -deps -f '{{with .Module}}{{if not .Main}}{{$.ImportPath}}{{end}}{{end}}' \
    ./cmd/lyrebird > imported.txt
sort imported.txt | diff /build/files/packages.txt - || {
    echo 'error: lyrebird imports other packages than src/build/recipe/lyrebird/packages.txt says (left: it, right: lyrebird)' >&2
    exit 1
}

# Go heeds no job tokens: it gets as many processors as there are tokens now, and its own.
tokens=$(perl -MFcntl -e '
    sysopen my $jobs, "/jobs", O_RDWR | O_NONBLOCK or die $!;
    print $_ while sysread $jobs, $_, 1;
')
jobs=$((${#tokens} + 1))
export GOMAXPROCS=$jobs
trap 'printf %s "$tokens" >&9' EXIT

mkdir -p /build/out/bin /build/out/licenses
version=$(sed -n '1s/^Changes in version \([0-9.]*\) .*/\1/p' ChangeLog)
[ -n "$version" ]
GOARCH=$arch go build -p "$jobs" -ldflags "-s -w -buildid= -X main.lyrebirdVersion=$version" \
    -o /build/out/bin/lyrebird ./cmd/lyrebird
# Its own tests, on this machine whatever the image is for.
go test -p "$jobs" -vet=off ./internal/... ./transports/obfs4/... \
    ./common/ntor ./common/probdist ./common/replayfilter ./common/socks5
cat LICENSE LICENSE-GPL3.txt > /build/out/licenses/lyrebird
# What is compiled in of Go's own library has the license of its modules, word for word.
cp /deps/x-crypto/licenses/x-crypto /build/out/licenses/go
