#!/usr/bin/env bash
# Builds the wheel: one file for every Python from 3.10 on, on any Linux with glibc 2.17 or newer. Tools come from PyPI, pinned, into
# an environment under target/, so nothing is needed but Rust and a python3 with venv.
#
#   scripts/wheel.sh           build it into target/wheels, say its size, look into it
#   scripts/wheel.sh test      the same, then install it into a fresh environment, where no Rust is on the path, and run python/tests
set -euo pipefail
cd "$(dirname "$0")/.."

maturin=1.16.0
ziglang=0.17.1
# What is tested with.
packages='numpy==2.2.6 pandas==2.3.3 scipy==1.15.3 anndata==0.11.4 scikit-learn==1.7.2 pytest==9.0.2 mypy==2.4.1'

fail() { printf 'wheel: %s\n' "$1" >&2; exit 1; }
python=${PYTHON:-python3}
"$python" -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
    || fail "needs $python, 3.10 or newer, with venv (on Debian: apt-get install python3-venv)"

tools=target/wheel/tools
if [ "$(cat "$tools/versions" 2>/dev/null)" != "$maturin $ziglang" ]; then
    rm -rf "$tools"
    "$python" -m venv "$tools"
    "$tools/bin/pip" install -q --disable-pip-version-check "maturin==$maturin" "ziglang==$ziglang"
    printf '%s %s\n' "$maturin" "$ziglang" >"$tools/versions"
fi
# zig links against glibc 2.17's symbols. `maturin --zig` would name a target and so compile every dependency once more (10.8 minutes of
# one core); as the `cc` on the path it takes those that `cargo build` has compiled, of which a linker is no part.
bin=$PWD/$tools/bin
mkdir -p "$tools/link"
# shellcheck disable=SC2016 # the linker's own arguments
printf '#!/bin/sh\nexec "%s/maturin" zig cc -- -target %s-linux-gnu.2.17 "$@"\n' "$bin" "$(uname -m)" >"$tools/link/cc"
chmod +x "$tools/link/cc"
# Manual pages and completions come with the command: what lies in the data folder of the module's name, which maturin takes where it is
# there, is installed below the environment's prefix, where `man` and the shells look for what belongs to a command on the path.
data=python/genelift._genelift.data
share=$data/data/share
cargo build --release --locked
genelift=${CARGO_TARGET_DIR:-target}/release/genelift
rm -rf "$data"
mkdir -p "$share/man" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
"$genelift" man -q "$share/man/man1" >/dev/null
"$genelift" completions bash >"$share/bash-completion/completions/genelift"
"$genelift" completions zsh >"$share/zsh/site-functions/_genelift"
"$genelift" completions fish >"$share/fish/vendor_completions.d/genelift.fish"
rm -f target/wheels/genelift-*.whl
PATH=$PWD/$tools/link:$bin:$PATH maturin build --release --locked --compatibility manylinux2014 \
    --interpreter "$bin/python" --manifest-path python/Cargo.toml --out target/wheels

wheel=$(echo target/wheels/genelift-*.whl)
[ -f "$wheel" ] || fail "there is not one wheel: $wheel"
case $wheel in *-cp310-abi3-manylinux*2014_*) ;; *) fail "$wheel is not for every Python from 3.10 on" ;; esac
"$python" - "$wheel" <<'PYTHON'
import pathlib
import sys
import zipfile

wheel = zipfile.ZipFile(sys.argv[1])
files = wheel.infolist()
for file in files:
    print(f"{file.file_size:>12,}  {file.filename}")
packed = sum(file.compress_size for file in files)
print(f"{sys.argv[1]}: {packed / 1e6:.1f} MB, unpacked {sum(file.file_size for file in files) / 1e6:.1f} MB")
names = [file.filename for file in files]
for wanted in ("genelift/__init__.py", "genelift/py.typed", "genelift/_genelift.abi3.so"):
    assert wanted in names, f"{wanted} is missing"
assert not [name for name in names if "__pycache__" in name or "tests" in name], "what is no part of the module"
commands = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
share = sorted(str(path.relative_to("python/genelift._genelift.data")) for path in pathlib.Path("python/genelift._genelift.data").rglob("*") if path.is_file())
packed = sorted(name.split(".data/", 1)[1] for name in names if ".data/" in name)
assert packed == share and len(share) > 20, f"manual pages and completions: {packed} in place of {share}"
assert b"genelift=genelift._command:main" in wheel.read(commands).replace(b" ", b""), "the command is missing"
PYTHON

[ "${1:-}" = test ] || exit 0
fresh=target/wheel/fresh
rm -rf "$fresh"
"$python" -m venv "$fresh"
# shellcheck disable=SC2086 # a list of words
"$fresh/bin/pip" install -q --disable-pip-version-check $packages "$wheel"
# A folder of its own, so that nothing of the sources is imported, and a path without Rust.
cd python/tests
env -i PATH="$PWD/../../$fresh/bin:/usr/bin:/bin" HOME="${HOME:-/}" LANG=C.UTF-8 \
    GENELIFT_EXAMPLE="$PWD/../../examples/brca" python -m pytest -p no:cacheprovider -q .
