# Go's compiler and tools, made from the source that Google signed by the Go of the wheel, as
# src/make.bash does it, which wants bash. No image holds anything of it: `verify` compares it with
# the wheel.

# Otherwise it counts how it is used, in a file.
/deps/go/bin/go telemetry off
# Go writes into its programs which compiler for C they call, and whether they call one. Its release
# leaves both to the machine that runs them.
unset CC CGO_ENABLED
export GOENV=off GOTOOLCHAIN=local GOPROXY=off GOSUMDB=off GOROOT_BOOTSTRAP=/deps/go

# Go heeds no job tokens: it gets as many processors as there are tokens now, and its own.
tokens=$(perl -MFcntl -e '
    sysopen my $jobs, "/jobs", O_RDWR | O_NONBLOCK or die $!;
    print $_ while sysread $jobs, $_, 1;
')
export GOMAXPROCS=$((${#tokens} + 1))
trap 'printf %s "$tokens" >&9' EXIT

cd src
GOROOT=$GOROOT_BOOTSTRAP GO111MODULE=off "$GOROOT_BOOTSTRAP/bin/go" build -o cmd/dist/dist ./cmd/dist
GOROOT=/build/src ./cmd/dist/dist bootstrap -a
cd ..

# What there may be in the wheel that something is compiled with.
rm -rf pkg/bootstrap pkg/obj src/cmd
find src -name testdata -prune -exec rm -r '{}' +
find src -name '*_test.go' -exec rm '{}' +
mkdir -p /build/out/go
mv bin go.env pkg src VERSION /build/out/go/
