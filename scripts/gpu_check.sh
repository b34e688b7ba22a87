#!/bin/sh
# Checks and measures a GPU from binaries that are there already; needs no network and no compiler.
#
#   cargo test --release --no-run && cargo build --release --features burn-wgpu     (without the feature: no burn beside it)
#   scripts/gpu_check.sh --device gpu:nvidia -o check [--binary target/release/genelift] [--tests target/release/deps]
#                        [--python python3] [--small]
#
# Runs every shader test on the adapter, training and DeepLIFT in the paper's shape beside the CPU executor, two trainings
# that must give the same bytes, the benchmark in f32 and f16 with the tiles of the adapter's kind and with calibrated ones (kept in
# check/calibration.json: a user's own are neither read nor changed), and PyTorch where PYTHON has it with CUDA. Writes
# check/results.json and check/results.md; ends with 1 if anything failed. --small: a small shape, for a software rasterizer.
set -u
device= out= binary=target/release/genelift tests=target/release/deps python=python3 small=
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2; shift 2 ;;
        -o) out=$2; shift 2 ;;
        --binary) binary=$2; shift 2 ;;
        --tests) tests=$2; shift 2 ;;
        --python) python=$2; shift 2 ;;
        --small) small=1; shift ;;
        *) echo "gpu_check.sh: unknown argument $1" >&2; exit 2 ;;
    esac
done
[ -n "$device" ] && [ -n "$out" ] && [ -x "$binary" ] && [ -d "$tests" ] || {
    echo "gpu_check.sh: --device gpu:NAME, -o DIR, a binary ($binary) and a folder of tests ($tests) are needed" >&2
    exit 2
}
export GENELIFT_CALIBRATION="$out/calibration.json"
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
rm -f "$GENELIFT_CALIBRATION"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 checks= table="$out/results.md"

# check NAME STATUS DETAIL
check() {
    if [ "$2" -eq 0 ]; then passed=true; else passed=false failed=1; fi
    echo "$1: $passed $3" >&2
    checks="$checks${checks:+,}
  {\"name\": \"$1\", \"passed\": $passed, \"detail\": \"$3\"}"
    echo "| $1 | $passed | $3 |" >> "$table"
}

if [ -n "$small" ]; then
    genes=301 samples=96 hidden=40,12,40 batches=32 sizes="--samples 128 --attributed 16 --landmarks 20 --selected-from 32 --side 256 --rounds 2"
else
    genes=22268 samples=1024 hidden=500,100,500 batches=256,1024 sizes="--samples 8192 --rounds 5"
fi
{ echo "# $device"; echo; "$binary" devices; echo; echo "| check | passed | detail |"; echo "| --- | --- | --- |"; } > "$table"

for test in kernels shaders gradients training deeplift; do
    newest=$(ls -t "$tests/$test"-* 2>/dev/null | grep -v '\.d$' | head -1)
    if [ -z "$newest" ]; then check "test $test" 1 "not among the binaries"; continue; fi
    GENELIFT_TEST_ADAPTER=${device#gpu:} GENELIFT_REQUIRE_GPU=1 CARGO_MANIFEST_DIR=$root "$newest" > "$out/$test.log" 2>&1
    check "test $test" $? "$(sed -n 's/^test result: [^.]*\. \(.*\)$/\1/p' "$out/$test.log")"
done

store="$work/matrix.gex"
"$binary" -q simulate -o "$store" --samples $samples --genes $genes > "$out/parity.log" 2>&1
train() { # NAME DEVICE [MORE]
    "$binary" -q train "$store" -o "$work/$1.safetensors" --device "$2" --hidden $hidden --batch 64 --epochs 2 \
        --history "$work/$1.tsv" --force >> "$out/parity.log" 2>&1
}
train cpu cpu && train gpu "$device" && train again "$device"
check "training runs" $? "2 epochs of $samples samples x $genes genes"
# column 2 of the histories: the loss
worst=$(paste "$work/cpu.tsv" "$work/gpu.tsv" | awk 'BEGIN { w = 0 } NR > 1 { d = ($10 - $2) / $2; if (d < 0) d = -d; if (!(d <= w)) w = d }
    END { print (NR > 2 ? w : "none") }')
echo "$worst" | awk '{ exit !($1 ~ /^[0-9]/ && $1 + 0 <= 1e-4) }'
check "training as on the CPU" $? "worst relative difference of an epoch's loss $worst, at most 1e-4"
cmp "$work/gpu.safetensors" "$work/again.safetensors" >> "$out/parity.log" 2>&1
check "two trainings, the same bytes" $? ""

attribute() { # NAME DEVICE: score by gene id
    "$binary" -q attribute "$work/cpu.safetensors" "$store" -o "$work/$1.scores" --device "$2" --samples 32 --force \
        >> "$out/parity.log" 2>&1 && tail -n +2 "$work/$1.scores" | cut -f 2,3 | sort > "$work/$1.sorted"
}
attribute cpu cpu && attribute gpu "$device"
check "DeepLIFT runs" $? "32 samples, all neurons"
worst=$(join "$work/cpu.sorted" "$work/gpu.sorted" | awk 'BEGIN { w = 0 } { d = $2 - $3; if (d < 0) d = -d; if (!(d <= w)) w = d; if ($2 > m) m = $2 }
    END { print (m > 0 ? w / m : "none") }')
echo "$worst" | awk '{ exit !($1 ~ /^[0-9]/ && $1 + 0 <= 1e-4) }'
check "DeepLIFT as on the CPU" $? "worst difference of a score, of the largest, $worst, at most 1e-4"

# rows of a benchmark's JSON, whose keys are in alphabetical order (ours) or end with the rate (PyTorch's)
rows() { # PROGRAM FILE
    awk -v program="$1" -F '": ' '
        function value() { sub(/,$/, "", $2); gsub(/"/, "", $2); return $2 }
        /"flop-per-second"/ { flop = value() / 1e12 } /"bytes-per-second"/ { bytes = value() / 1e9 }
        /"device-memory"/ { memory = value() / 1e6 } /"name"/ { name = value() } /"rate"/ { rate = value(); if (!flop) row("") }
        /"share-of-ceiling"/ { row(sprintf("%.0f %%", 100 * value())) }
        function row(share) { printf "| %s | %s | %.1f | %.3f | %.1f | %s | %.0f |\n", program, name, rate, flop, bytes, share, memory }
    ' "$2"
}
{ echo; echo "| program | stage | a second | TFLOP/s | GB/s | share of ceiling | MB on the device |"
  echo "| --- | --- | --- | --- | --- | --- | --- |"; } >> "$table.bench"
results=
run() { # NAME COMMAND...
    name=$1; shift
    "$@" > "$work/$name.json" 2> "$out/$name.log"
    status=$?
    check "benchmark $name" $status ""
    [ $status -eq 0 ] || return
    rows "$name" "$work/$name.json" >> "$table.bench"
    results="$results,
\"$name\": $(cat "$work/$name.json")"
}
bench() { # NAME
    for precision in f32 f16; do
        stages=train,deeplift
        [ $precision = f32 ] && stages=train,deeplift,predictor,permutation,k-means
        # shellcheck disable=SC2086 # a list of options
        run "genelift-$precision$1" "$binary" -q bench --json --device "$device" --precision $precision --stage $stages \
            --genes $genes --hidden $hidden --batch $batches $sizes
    done
}
bench ""
"$binary" -q bench --calibrate --device "$device" --genes $genes --hidden $hidden --batch $batches > "$out/calibration.txt" 2>&1
check "calibration" $? "$(tail -n 1 "$out/calibration.txt")"
bench "-calibrated"
# one quick training tells whether burn is in the binary
if "$binary" -q bench --against burn --device "$device" --stage train --genes 40 --samples 16 --hidden 4 --batch 8 --rounds 1 --side 8 \
    --attributed 2 --landmarks 2 --selected-from 4 > "$out/burn.log" 2>&1; then
    # shellcheck disable=SC2086 # a list of options
    run "genelift-beside-burn" "$binary" -q bench --json --against burn --device "$device" --stage train --genes $genes --hidden $hidden \
        --batch $batches $sizes
else
    check "burn" 0 "not measured: $(tail -n 1 "$out/burn.log" | tr -d '"')"
fi
if "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
    for precision in fp32 tf32 bf16; do
        for compile in "" --compile; do
            run "pytorch-$precision${compile#-}" "$python" "$root/scripts/bench_pytorch.py" --device cuda \
                --precision $precision $compile --genes $genes --hidden $hidden --batch $batches --samples $samples
        done
    done
    "$python" -c 'import captum' 2> /dev/null && run captum "$python" "$root/scripts/bench_captum.py" --device cuda --genes $genes \
        --hidden "${hidden%,*}"
else
    check "PyTorch" 0 "not measured: $python has no torch with CUDA"
fi
cat "$table.bench" >> "$table"
rm -f "$table.bench"
printf '{"device": "%s", "checks": [%s\n]%s}\n' "$device" "$checks" "$results" > "$out/results.json"
echo "$table" >&2
exit $failed
