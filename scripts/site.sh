#!/usr/bin/env bash
# Builds the documentation as a site into target/site and checks it: links, and the search in a browser where there is one.
# Needs mdbook (MDBOOK names it; `cargo install mdbook --locked --no-default-features --features search` builds it) and Python.
set -euo pipefail
cd "$(dirname "$0")/.."

mdbook=${MDBOOK:-mdbook}
command -v "$mdbook" >/dev/null || {
    printf 'site: no mdbook; cargo install mdbook --locked --no-default-features --features search\n' >&2
    exit 1
}
rm -rf target/site
"$mdbook" build
exec python3 scripts/check_site.py target/site
