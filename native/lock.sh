#!/bin/sh
# Write Cargo.lock from crates.txt (`lock.sh`), or crates.txt from Cargo.lock (`lock.sh --save`).
#
# Cargo.lock names the registry that crates come from, so it is made where it is needed: crates.txt
# has a line for each crate, in order: name, version, checksum, and the crates that it depends on
# (with @ and a version where there are several). `-` is the checksum of what is no registry's.
set -eu
cd "$(dirname "$0")"

if [ "${1-}" = --save ]; then
    awk -F'"' '
        function put() { if (name) print name, version, checksum depends }
        /^\[\[package\]\]/ { put(); name = version = depends = ""; checksum = "-" }
        /^name = / { name = $2 }
        /^version = "/ { version = $2 }
        /^checksum = / { checksum = $2 }
        /^ "/ { split($2, part, " "); depends = depends " " part[1] (part[2] ? "@" part[2] : "") }
        END { put() }
    ' Cargo.lock >crates.txt
    exit
fi

# What cargo calls its registry, it says of any crate.
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
mkdir "$probe/src"
: >"$probe/src/lib.rs"
version=$(awk '$1 == "cfg-if" { print $2; exit }' crates.txt)
printf '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n\n' >"$probe/Cargo.toml"
printf '[dependencies]\ncfg-if = "=%s"\n' "$version" >>"$probe/Cargo.toml"
at="--quiet --manifest-path $probe/Cargo.toml"
# shellcheck disable=SC2086  # two words and more
cargo generate-lockfile --offline $at 2>/dev/null || cargo generate-lockfile $at
registry=$(awk -F'"' '/^source = / { print $2; exit }' "$probe/Cargo.lock")

awk -v registry="$registry" '
    BEGIN { print "version = 4" }
    {
        print "\n[[package]]\nname = \"" $1 "\"\nversion = \"" $2 "\""
        if ($3 != "-") print "source = \"" registry "\"\nchecksum = \"" $3 "\""
        if (NF > 3) print "dependencies = ["
        for (n = 4; n <= NF; n++) { sub("@", " ", $n); print " \"" $n "\"," }
        if (NF > 3) print "]"
    }
' crates.txt >Cargo.lock
