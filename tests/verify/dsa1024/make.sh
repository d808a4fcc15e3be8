#!/bin/sh
# How the fixtures beside this script were made (GnuPG 2.2.40), in an empty folder: the
# shape of a key of 2009, a DSA-1024 primary key that binds an RSA subkey for signing with
# SHA-1, and a second key that signs with DSA-1024 itself. sequoia-openpgp reads DSA keys
# but does not make them.
set -eu
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg() {
    command gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
        --faked-system-time "$at" "$@"
}
key() {
    gpg --list-keys --with-colons "$1" | sed -n 's/^fpr:*\([^:]*\):$/\1/p' | sed -n "$2p"
}
printf 'a tarball\nof two\r\nlines' >file

at=20100101T000000
gpg --cert-digest-algo SHA1 --quick-generate-key subkey@example.org dsa1024 cert never
# GnuPG makes no back-signature with SHA-1 any more, so the subkey is bound anew.
gpg --quick-add-key "$(key subkey@example.org 1)" rsa2048 sign 1y
gpg --cert-digest-algo SHA256 --quick-generate-key alone@example.org dsa1024 cert,sign never
at=20100102T000000
primary=$(key subkey@example.org 1)
gpg --cert-digest-algo SHA1 --quick-set-expire "$primary" never "$(key subkey@example.org 2)"

at=20200101T000000
for who in subkey alone; do
    gpg --armor --export --export-options export-minimal $who@example.org >$who.asc
    gpg --armor --digest-algo SHA256 --local-user $who@example.org \
        --output $who.sig.asc --detach-sign file
done
rm file
gpgconf --kill gpg-agent
rm -r "$GNUPGHOME"
