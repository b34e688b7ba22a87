#!/usr/bin/env bash
# The shader tests on a second driver: SwiftShader, the software Vulkan that comes with Chromium, whose compiler is not Mesa's.
#
#   scripts/swiftshader.sh short   elementwise kernels, products in every layout, a layer's epilogue, gradients: a minute or less
#   scripts/swiftshader.sh test    all kernels, gradients, training, DeepLIFT, their variants too; hours
#   scripts/swiftshader.sh run CMD...   CMD with this driver alone, whose adapter is gpu:swiftshader
#
# Tests must be built: cargo test --release --locked --no-run. The driver is looked for beside Chromium, or named in SWIFTSHADER_ICD.
set -euo pipefail
cd "$(dirname "$0")/.."

icd=${SWIFTSHADER_ICD:-}
for place in /usr/lib/chromium /usr/lib/chromium-browser /usr/lib64/chromium-browser /opt/google/chrome; do
    [ -n "$icd" ] || [ ! -e "$place/vk_swiftshader_icd.json" ] || icd=$place/vk_swiftshader_icd.json
done
[ -e "$icd" ] || { printf 'swiftshader.sh: no vk_swiftshader_icd.json; apt-get install chromium, or name the file in SWIFTSHADER_ICD\n' >&2; exit 1; }
export VK_DRIVER_FILES=$icd GENELIFT_TEST_ADAPTER=swiftshader GENELIFT_REQUIRE_GPU=1 CARGO_MANIFEST_DIR=$PWD

# The newest binary of a test.
tests() {
    found=$(ls -t target/release/deps/"$1"-* 2>/dev/null | grep -v '\.d$' | head -1)
    [ -n "$found" ] || { printf 'swiftshader.sh: no test %s in target/release/deps; cargo test --release --locked --no-run\n' "$1" >&2; exit 1; }
    "$found" --quiet "${@:2}"
}

case ${1:-} in
short)
    tests kernels elementwise products::nt products::nn products::tn epilogues::layer
    tests gradients
    ;;
test) for each in kernels gradients training deeplift; do tests $each; done ;;
run) shift; exec "$@" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
