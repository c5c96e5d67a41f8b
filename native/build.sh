#!/bin/sh
# The compiled reader: build.sh BIN installs it into a virtual environment (BIN is the folder of its
# programs), build.sh BIN dist FOLDER leaves its wheel in a folder, build.sh BIN check holds the
# crate's format, lints and tests. Where there is no cargo, the Python reader reads; where it did not
# build, build.sh BIN says so and ends with 75, for the next time may do better.
set -eu
bin=$(cd "$1" && pwd)
if ! command -v cargo >/dev/null; then
    [ "${2-}" ] || echo "no cargo here: events are read in Python, at some six times the cost" \
        "(with Rust's, make native builds the compiled reader)" >&2
    exit
fi
case ${2-} in
    dist) mkdir -p "$3" && folder=$(cd "$3" && pwd) ;;
    *) folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT ;;
esac
cd "$(dirname "$0")"
if [ "${2-}" = check ]; then
    ./lock.sh
    cargo fmt --check
    PYO3_PYTHON="$bin/python" cargo clippy --quiet --locked --all-targets --features python \
        -- -D warnings
    cargo test --quiet --locked
    exit
fi
[ "${2-}" ] || echo "building the compiled reader, which is done once and takes a minute or two" \
    "(make run NATIVE= goes on without: events are then read in Python)" >&2
made() { # crates once for an environment and for a wheel
    ./lock.sh && cargo fetch --quiet --locked || return
    flags=$([ "${2-}" ] || echo "${RUSTFLAGS-}")
    # Other bytes on every machine, were it told where this one keeps the sources.
    for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        flags="$flags --remap-path-prefix=$crates=crates"
    done
    RUSTFLAGS="$flags" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target/dist}" \
        "$bin/maturin" build --quiet --release --locked --out "$folder"
}
if ! made "$@"; then
    echo "the compiled reader does not build here: events are read in Python" >&2
    [ -z "${CI-}" ] || exit 1
    [ "${2-}" ] || exit 75
    exit 0
fi
if [ -z "${2-}" ]; then
    "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
        "$folder"/usage_pipeline_native-*.whl
fi
