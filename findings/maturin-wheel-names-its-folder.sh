#!/usr/bin/env bash
# Version: maturin 1.16.0, cargo and rustc 1.95.0; date: 28 November 2026.
#
# The same source, compiler, flags and SOURCE_DATE_EPOCH give another wheel in another folder. The
# library in it is the same to the byte; what differs is the bill of materials that maturin adds
# unasked (`*.dist-info/sboms/*.cyclonedx.json`): its `bom-ref` is `path+file://` and the folder of
# the build.
#
# Why it matters: a wheel that is built again to see that it is what it says does not compare equal,
# and it tells everybody where it was built. What helps: `[tool.maturin.sbom] rust = false`, and a
# bill of materials of one's own.
#
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check maturin==1.16.0
export SOURCE_DATE_EPOCH=1790000000 CARGO_TARGET_DIR="$folder/target"
for place in one two; do
    mkdir -p "$folder/$place/src"
    cd "$folder/$place"
    printf '[package]\nname = "plain"\nversion = "0.1.0"\nedition = "2021"\n' >Cargo.toml
    printf '[lib]\ncrate-type = ["cdylib"]\n' >>Cargo.toml
    printf '[build-system]\nrequires = ["maturin>=1,<2"]\nbuild-backend = "maturin"\n' >pyproject.toml
    printf '[project]\nname = "plain"\nversion = "0.1.0"\ndependencies = ["cffi"]\n[tool.maturin]\nbindings = "cffi"\n' \
        >>pyproject.toml
    printf '#[no_mangle]\npub extern "C" fn one() -> i32 {\n    1\n}\n' >src/lib.rs
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check cffi
    PATH="$folder/venv/bin:$PATH" "$folder/venv/bin/maturin" build --quiet --release \
        --interpreter "$folder/venv/bin/python" --out "$folder/$place/dist"
done
"$folder/venv/bin/python" - "$folder" <<'END'
import sys
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
one, two = (
    {name: wheel.read(name) for name in wheel.namelist()}
    for place in ("one", "two")
    for wheel in [zipfile.ZipFile(next((folder / place / "dist").glob("*.whl")))]
)
different = [name for name in one if one[name] != two.get(name)]
print("different:", different)
named = [name for name in different if str(folder / "one").encode() in one[name]]
print("naming the folder of the build:", named)
if not any("/sboms/" in name for name in named):
    sys.exit("changed: no bill of materials names the folder of the build")
if any(name.endswith(".so") for name in different):
    sys.exit("changed: the libraries differ too")
END
