#!/usr/bin/env bash
# Runs gpu_check.sh as on a bare machine, with a stand-in for genelift that knows one adapter and fails, dawdles or errs where MADE_TO says: what is
# left in the output folder, what is called passed, failed or not measured, and what is exited with. Some seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pack=$scratch/gpu-check
mkdir -p "$pack/bin" "$pack/scripts" "$scratch/path"
cp scripts/gpu_check.sh "$pack/scripts/"
cd "$scratch"
cat >genelift <<'STAND_IN'
#!/bin/sh
# MADE_TO: a word for each of fail-f16, fail-trace, slow-f16, wrong-f16, wrong-calibrated
made_to() { case " ${MADE_TO:-} " in *" $1 "*) ;; *) false ;; esac; }
command= device= precision=f32 out= history= trace= calibrate=
[ "$1" = -q ] && shift
command=$1
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2 ;; --precision) precision=$2 ;; -o) out=$2 ;; --history) history=$2 ;;
        --profile) trace=$2 ;; --calibrate) calibrate=1 ;;
        --against) echo 'error: --against burn needs a build with it' >&2; exit 2 ;;
    esac
    shift
done
[ $precision = f16 ] && made_to slow-f16 && sleep 30
off=0
if [ "$device" != cpu ] && [ $precision = f16 ]; then
    made_to wrong-f16 && off=9
    made_to wrong-calibrated && [ -e "$GENELIFT_CALIBRATION" ] && off=9
fi
case $command in
    devices) printf 'gpu:0  Made-up 7 adapter\n       type       none\ncpu    CPU\n' ;;
    simulate) : >"$out" ;;
    train)
        echo "$precision" >"$out"
        printf 'epoch\ttrain_loss\n1\t0.%s8\n2\t0.07e-1\n' $off >"$history" ;;
    attribute)
        printf 'rank\tgene_id\tscore\n' >"$out"
        awk -v off=$off 'BEGIN { for (i = 1; i <= 301; i++) printf "%d\tg_%d\t0.%d%d\n", i, i, off, i }' >>"$out" ;;
    bench)
        if [ -n "$calibrate" ]; then echo '"cooperative": true' >"$GENELIFT_CALIBRATION"; echo 'best  1'; exit; fi
        echo 'warning: training did not help' >&2
        if [ -n "$trace" ]; then
            made_to fail-trace && { echo 'error: no trace' >&2; exit 1; }
            echo '[{"name": "matmul", "dur": 2}]' >"$trace"; exit
        fi
        [ $precision = f16 ] && made_to fail-f16 && { echo 'error: made to fail' >&2; echo 'warning: last' >&2; exit 1; }
        printf '{\n"flop-per-second": 1e9,\n"name": "training, %s",\n"rate": 5.0,\n"share-of-ceiling": 0.5\n}\n' $precision ;;
esac
STAND_IN
chmod +x genelift
fail() { printf 'check_gpu_check: %s\n' "$1" >&2; [ ! -e said ] || cat said >&2; exit 1; }
packed() { rm -f "$pack/bin/"*; cp genelift "$pack/bin/"; xz "$pack/bin/genelift"; }
# outcome STATUS ARGUMENTS: gpu_check.sh ends so
outcome() {
    local wanted=$1 status=0
    shift
    sh "$pack/scripts/gpu_check.sh" --small -o out "$@" >said 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] || fail "it ended with $status, not $wanted: $*"
}
row() { grep -qF "| $1 | $2 | ${3:-}" out/results.md || { cat out/results.md >&2; fail "no row: $1, $2, ${3:-}"; }; }
lines() { [ "$(grep -c "$1" out/results.md)" -eq "$2" ] || { cat out/results.md >&2; fail "not $2 lines of $1"; }; }

# adapters and unpacking: told at once, and as what they are
packed
outcome 1 --device gpu:7
grep -q 'there is no adapter gpu:7' said || fail 'the lacking adapter is not named'
[ ! -e out ] || fail 'something was done without an adapter'
outcome 2 --device cpu
outcome 2 --device gpu:0 --part 5
for tool in sh awk tar timeout mktemp rm dirname cat mkdir mv tr date basename sed grep env cut sort join paste tail head ls cmp sleep; do
    ln -s "$(command -v "$tool")" "path/$tool"
done
ln -s "$(python3 -c 'import sys; print(sys.executable)')" path/python3
bare() { PATH=$scratch/path outcome "$@"; }
packed
bare 1 --device gpu:0 --python nonesuch
grep -q 'cannot be unpacked' said || fail 'unpacking fails and is not said to'
bare 0 --device gpu:0 --part 4
packed
: >"$pack/bin/genelift.xz"
outcome 1 --device gpu:0
grep -q 'cannot be unpacked' said || fail 'a cut file is not said to be one'
packed

# parts, and parts again: a row once, few files; a failure leaves no old rates
rm -rf out
outcome 0 --device gpu:made-UP --part 2 --part 3
outcome 0 --device gpu:0 --part 3
[ "$(find out -type f | wc -l)" -le 8 ] || fail "more than eight files: $(find out)"
lines '^| genelift-f16-calibrated |' 1
lines '^| f16: call' 1
lines '^| steps f16 |' 1
row 'benchmark genelift-f16' passed 'stages measured: 1'
row 'training in f16 as on the CPU, calibrated' passed
grep -q 'cooperative matrices' out/results.md || fail 'nothing tells that cooperative matrices were found right'
python3 -m json.tool out/results.json >/dev/null || fail 'results.json is no JSON'
MADE_TO=fail-f16 outcome 1 --device gpu:0 --part 3
row 'benchmark genelift-f16' failed 'error: made to fail'
lines '^| genelift-f16' 0
lines '^| genelift-f32' 2
row calibration passed
MADE_TO=fail-trace outcome 1 --device gpu:0 --part 3
row 'steps f16' failed 'error: no trace'
lines ': call' 0
outcome 2 --device gpu:0 --part 5

# f16 beside the CPU, before a calibration and after
MADE_TO=wrong-f16 outcome 1 --device gpu:0 --part 2
row 'training in f16 as on the CPU' failed
row 'DeepLIFT in f16 as on the CPU' failed
row 'training in f32 as on the CPU' passed
MADE_TO=wrong-calibrated outcome 1 --device gpu:0 --part 2
row 'training in f16 as on the CPU' passed
row 'DeepLIFT in f16 as on the CPU, calibrated' failed

# time
MADE_TO=slow-f16 outcome 3 --device gpu:0 --part 3 --seconds 2
row 'benchmark genelift-f32' passed
row 'benchmark genelift-f16' 'not measured' 'out of time'
row 'steps f16' 'not measured' 'out of time'
lines '^| genelift-f16' 0

# an output folder that is emptied between two parts, and another that is not this adapter's
rm -rf out
outcome 0 --device gpu:0 --part 2 --keep kept
rm -rf out
outcome 0 --device gpu:0 --part 3 --keep kept
row calibration passed
row 'benchmark genelift-f32-calibrated' passed
sed -i 's/Made-up 7/Another/' "$pack/bin/genelift"
outcome 2 --device gpu:0 --part 3
grep -q 'holds results of Made-up 7' said || fail "another adapter's results are mixed with this one's"
