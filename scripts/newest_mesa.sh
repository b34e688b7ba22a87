#!/usr/bin/env bash
# A second, newer software Vulkan for the shader tests: Debian sid's Mesa (lavapipe, with cooperative matrices of 8 × 8 × 8) and the Khronos
# validation layers, in a tree of their own beside the system's.
#
#   scripts/newest_mesa.sh make            once, as root (sudo), a minute or two: a tree in $GENELIFT_MESA [/tmp/newest-mesa]/sid
#   scripts/newest_mesa.sh run CMD...      runs CMD in it, as root, in this folder, which it sees as it is
#   scripts/newest_mesa.sh validate CMD... the same with the validation layers on (core, synchronization, GPU-assisted); fails on any message but
#                                          of the decoration that naga writes (docs/performance.md)
#   scripts/newest_mesa.sh validated       short tests with the layers on, and that they complain of the decoration where they may; half a minute
#   scripts/newest_mesa.sh test            the shader tests of target/release, there; over ten minutes
#   scripts/newest_mesa.sh short           those of them that take seconds: cooperative matrices, gradients, training, DeepLIFT
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tree=${GENELIFT_MESA:-/tmp/newest-mesa}/sid
packages=libvulkan1,mesa-vulkan-drivers,vulkan-tools,vulkan-validationlayers

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

is_made() { [ -e "$tree/usr/share/vulkan/icd.d/lvp_icd.json" ] || compgen -G "$tree/usr/share/vulkan/icd.d/lvp_icd*.json" >/dev/null; }

make_tree() {
    is_made && return
    command -v debootstrap >/dev/null || {
        $as_root apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends debootstrap
    }
    # unstable cannot be installed on some days; testing is hardly older
    for suite in sid testing; do
        $as_root rm -rf "$tree"
        mkdir -p "$(dirname "$tree")"
        $as_root debootstrap --variant=minbase --include="$packages" "$suite" "$tree" >"$tree.log" 2>&1 && break
        tail -5 "$tree.log" >&2
        echo "newest_mesa.sh: debootstrap of $suite failed; see $tree.log" >&2
    done
    is_made || { echo "newest_mesa.sh: $tree has no lavapipe" >&2; exit 1; }
}

# The folder that this one is in at the top, /tmp and the devices are seen in the tree as they are here.
inside() {
    is_made || { echo "newest_mesa.sh: no tree in $tree; scripts/newest_mesa.sh make" >&2; exit 1; }
    driver=$(cd "$tree" && ls -d usr/share/vulkan/icd.d/lvp_icd*.json | head -1)
    $as_root env "VK_DRIVER_FILES=/$driver" XDG_RUNTIME_DIR=/tmp "${settings[@]}" unshare -m bash -c '
        tree=$1 here=$2; shift 2
        mount --make-rprivate /
        top=/$(printf %s "$here" | cut -d/ -f2)
        mkdir -p "$tree$top" "$tree/tmp"
        mount --bind /proc "$tree/proc"; mount --rbind /dev "$tree/dev"; mount --rbind /tmp "$tree/tmp"
        [ "$top" = /tmp ] || mount --rbind "$top" "$tree$top"
        exec chroot "$tree" /bin/bash -c "cd \"\$0\" && exec \"\$@\"" "$here" "$@"' _ "$tree" "$PWD" "$@"
}

settings=()
known=VUID-StandaloneSpirv-None-10684 # an array in workgroup memory with an ArrayStride, as naga 30 writes it

validate() {
    said=$(mktemp)
    settings=(VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation VK_KHRONOS_VALIDATION_VALIDATE_SYNC=true VK_KHRONOS_VALIDATION_GPUAV_ENABLE=true
        VK_KHRONOS_VALIDATION_REPORT_FLAGS=error VK_KHRONOS_VALIDATION_MESSAGE_ID_FILTER="$known" VK_KHRONOS_VALIDATION_LOG_FILENAME="$said")
    ended=0
    inside "$@" || ended=$?
    settings=()
    if [ -s "$said" ]; then
        head -40 "$said" >&2
        echo "newest_mesa.sh: the validation layers complain; all of it is in $said" >&2
        return 1
    fi
    rm -f "$said"
    return "$ended"
}

# The newest binary of a test.
binary() {
    found=$(ls -t "$root/target/release/deps/$1"-* 2>/dev/null | grep -v '\.d$' | head -1)
    [ -n "$found" ] || { echo "newest_mesa.sh: no test $1 in target/release/deps; cargo test --release --no-run" >&2; exit 1; }
    echo "$found"
}

tests() { # [FILTER of the kernels' tests]
    cd "$root"
    export GENELIFT_REQUIRE_GPU=1 GENELIFT_TEST_ADAPTER=llvmpipe CARGO_MANIFEST_DIR="$root"
    inside "$(binary kernels)" --quiet "$@"
    for test in gradients training deeplift; do
        inside "$(binary "$test")" --quiet
    done
}

validated() {
    export GENELIFT_REQUIRE_GPU=1 GENELIFT_TEST_ADAPTER=llvmpipe CARGO_MANIFEST_DIR="$root"
    kernels=$(binary kernels)
    known=none validate "$kernels" --quiet products::nt >/dev/null 2>&1 && { echo 'newest_mesa.sh: the layers do not see what they should; are they on?' >&2; exit 1; }
    for filter in elementwise products::n epilogues::layer; do
        validate "$kernels" --quiet "$filter" | grep -v '^Validation Layer Info'
    done
}

case ${1:-} in
make) make_tree ;;
validated) validated ;;
run) shift; inside "$@" ;;
validate) shift; validate "$@" ;;
test) tests ;;
short) tests cooperative ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
