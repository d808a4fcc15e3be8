# For OpenSSL's Configure and other generators of source: perl and all its extensions in one
# static program. Neither nm nor a shared library is there to be looked at.
./Configure -des -Dcc=cc -Doptimize=-O1 -Uusedl -Uusenm -Uusethreads \
    -Dosname=linux -Darchname=linux -Dmyhostname=relaysmith -Dmydomain=.invalid \
    -Dcf_by=builder -Dcf_email=builder -Dperladmin=builder \
    -Dprefix=/opt/perl -Dprivlib=/opt/perl/lib -Darchlib=/opt/perl/lib \
    -Dman1dir=none -Dman3dir=none
# The list is of the extensions without C.
# shellcheck disable=SC2046
make perl $(sed -n 's/^nonxs_ext *= *//p' makefile)
mkdir -p /build/out/bin
cp perl /build/out/bin/
cp -R lib /build/out/
