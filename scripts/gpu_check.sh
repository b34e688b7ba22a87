#!/bin/sh
# Checks and measures a GPU from prebuilt binaries, on a machine that has no network, no compiler and not even a Vulkan loader.
#
#   cargo build --release [--features burn-wgpu] && cargo test --release --no-run      (without the feature: no burn beside it)
#   scripts/gpu_check.sh pack gpu-check.tar [--wheels DIR]        everything in one file of some 20 MB; DIR: captum's wheel
#   tar xf gpu-check.tar && gpu-check/scripts/gpu_check.sh --device gpu:nvidia -o check [--part N]... [--python python3] [--small]
#
# Parts, each of a few minutes, all by default:
#   1  every shader test on the adapter      2  training and DeepLIFT in the paper's shape beside the CPU executor, two trainings that
#   must give the same bytes, calibration    3  the benchmark in f32 and f16, with the adapter type's tiles and with calibrated ones, and
#   where a step's time goes                 4  PyTorch and captum, where PYTHON has them with CUDA, and burn, where the binary has it
# Each part adds to what is in the output folder: results.md and results.json, written anew after every step, and logs.tar. Ends with 1 if
# anything failed; what was not measured is called so. --small: a small shape, for a software rasterizer. A user's own calibration is neither
# read nor changed.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)

# Binaries stripped and compressed, the libraries that a bare machine's driver wants, the tests' data, the peers' scripts.
pack() {
    file=$1 wheels=${2:-}
    work=$(mktemp -d) && dir="$work/gpu-check"
    mkdir -p "$dir/bin" "$dir/lib" "$dir/scripts" "$dir/wheels" "$dir/tests/data"
    strip -o "$dir/bin/genelift" "$root/target/release/genelift" || exit 1
    for test in kernels shaders gradients training deeplift; do
        newest=$(ls -t "$root/target/release/deps/$test"-* 2>/dev/null | grep -v '\.d$' | head -1)
        [ -n "$newest" ] || { echo "gpu_check.sh: no test $test in target/release/deps; cargo test --release --no-run" >&2; exit 1; }
        strip -o "$dir/bin/$test" "$newest" || exit 1
    done
    xz -T0 "$dir"/bin/*
    for library in libvulkan.so.1 libEGL.so.1 libGLdispatch.so.0 libGLX.so.0; do
        found=$(ldconfig -p | sed -n "s/.*$library .*=> //p" | head -1)
        if [ -n "$found" ]; then cp -L "$found" "$dir/lib/$library"; else echo "gpu_check.sh: $library is not here and not packed" >&2; fi
    done
    cp "$root"/scripts/gpu_check.sh "$root"/scripts/bench_pytorch.py "$root"/scripts/bench_captum.py "$dir/scripts/"
    cp -r "$root/tests/data/training" "$root/tests/data/deeplift" "$dir/tests/data/"
    mkdir -p "$dir/examples/brca" && cp "$root/examples/brca/expression.csv.gz" "$dir/examples/brca/"
    [ -z "$wheels" ] || cp "$wheels"/*.whl "$dir/wheels/"
    tar cf "$file" -C "$work" gpu-check && ls -l "$file" >&2
    rm -rf "$work"
}

if [ "${1:-}" = pack ]; then
    [ $# -ge 2 ] || { echo "gpu_check.sh: pack FILE" >&2; exit 2; }
    [ "${3:-}" = --wheels ] && { pack "$2" "$4"; exit; }
    pack "$2"
    exit
fi

device= out= python=python3 small= parts=
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2; shift 2 ;;
        -o) out=$2; shift 2 ;;
        --part) parts="$parts $2"; shift 2 ;;
        --python) python=$2; shift 2 ;;
        --small) small=1; shift ;;
        *) echo "gpu_check.sh: unknown argument $1" >&2; exit 2 ;;
    esac
done
[ -n "$device" ] && [ -n "$out" ] || { echo "gpu_check.sh: --device gpu:NAME and -o DIR are needed" >&2; exit 2; }
mkdir -p "$out/logs"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# from a pack, else from the build's folder
if [ -e "$root/bin/genelift" ] || [ -e "$root/bin/genelift.xz" ]; then
    for packed in "$root"/bin/*.xz; do [ -e "$packed" ] && xz -d "$packed"; done
    binaries="$root/bin"
    binary="$binaries/genelift"
else
    binaries="$root/target/release/deps"
    binary="$root/target/release/genelift"
fi
export GENELIFT_CALIBRATION="$out/logs/calibration.json"
found=$("$binary" devices 2>&1)
if ! echo "$found" | grep -q '^gpu:' && [ -d "$root/lib" ]; then
    export LD_LIBRARY_PATH="$root/lib:${LD_LIBRARY_PATH:-}"
    found=$("$binary" devices 2>&1)
fi
for driver in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json; do
    if ! echo "$found" | grep -q '^gpu:' && [ -e "$driver" ]; then
        export VK_DRIVER_FILES="$driver"
        found=$("$binary" devices 2>&1)
    fi
done
echo "$found" | grep -i -q "^gpu:.*$(echo "${device#gpu:}" | sed 's/^[0-9]*$//')" || {
    printf 'gpu_check.sh: there is no adapter %s here; nothing was done. What there is:\n%s\n' "$device" "$found" >&2
    exit 1
}

if [ -n "$small" ]; then
    genes=301 samples=96 hidden=40,12,40 batches=32 sizes="--samples 128 --attributed 16 --landmarks 20 --selected-from 32 --side 256 --rounds 2"
else
    genes=22268 samples=1024 hidden=500,100,500 batches=256,1024 sizes="--samples 8192 --rounds 7"
fi
touch "$out/logs/checks.tsv" "$out/logs/bench.tsv"

# Writes results.md, results.json and logs.tar from what is there.
results() {
    {
        echo "# $device"; echo; echo "$found"; echo; echo "| check | outcome | detail |"; echo "| --- | --- | --- |"
        awk -F '\t' '{ print "| " $1 " | " $2 " | " $3 " |" }' "$out/logs/checks.tsv"
        echo; echo "| program | stage | a second | TFLOP/s | GB/s | share of ceiling | MB on the device |"
        echo "| --- | --- | --- | --- | --- | --- | --- |"
        cat "$out/logs/bench.tsv"
        [ -e "$out/logs/steps.md" ] && { echo; cat "$out/logs/steps.md"; }
    } > "$out/results.md"
    {
        printf '{"device": "%s", "checks": [' "$device"
        awk -F '\t' '{ printf "%s\n  {\"name\": \"%s\", \"outcome\": \"%s\", \"detail\": \"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3 }' "$out/logs/checks.tsv"
        printf ']'
        for file in "$out"/logs/*.bench.json; do
            [ -s "$file" ] && { printf ',\n"%s": ' "$(basename "$file" .bench.json)"; cat "$file"; }
        done
        echo '}'
    } > "$out/results.json"
    tar cf "$out/logs.tar" -C "$out" logs
}

# check NAME STATUS DETAIL; a status of "not measured" is neither passed nor failed
failed=0
check() {
    case $2 in 0) outcome=passed ;; *[!0-9]*) outcome=$2 ;; *) outcome=failed failed=1 ;; esac
    detail=$(echo "$3" | tr -d '"\t' | tr '\n' ' ')
    echo "$1: $outcome $detail" >&2
    grep -v "^$1	" "$out/logs/checks.tsv" > "$work/checks"
    printf '%s\t%s\t%s\n' "$1" "$outcome" "$detail" >> "$work/checks"
    cp "$work/checks" "$out/logs/checks.tsv"
    results
}

# rows of a benchmark's JSON, whose keys are in alphabetical order (ours) or end with the rate (the peers')
rows() { # PROGRAM FILE
    awk -v program="$1" -F '": ' '
        function value() { sub(/,$/, "", $2); gsub(/"/, "", $2); return $2 }
        /"flop-per-second"/ { flop = value() / 1e12 } /"bytes-per-second"/ { bytes = value() / 1e9 }
        /"device-memory"/ { memory = value() / 1e6 } /"name"/ { name = value() } /"rate"/ { rate = value(); if (!flop) row("") }
        /"share-of-ceiling"/ { row(sprintf("%.0f %%", 100 * value())) }
        function row(share) { printf "| %s | %s | %.1f | %.3f | %.1f | %s | %.0f |\n", program, name, rate, flop, bytes, share, memory }
    ' "$2"
}
run() { # NAME COMMAND...
    name=$1; shift
    "$@" > "$out/logs/$name.bench.json" 2> "$out/logs/$name.log"
    status=$?
    [ $status -eq 0 ] && rows "$name" "$out/logs/$name.bench.json" >> "$out/logs/bench.tsv"
    [ $status -eq 0 ] || rm -f "$out/logs/$name.bench.json"
    check "benchmark $name" $status "$(tail -n 1 "$out/logs/$name.log")"
}

tests() {
    for test in shaders gradients training deeplift kernels; do
        if [ -x "$binaries/$test" ]; then newest="$binaries/$test"; else
            newest=$(ls -t "$binaries/$test"-* 2>/dev/null | grep -v '\.d$' | head -1)
        fi
        if [ -z "$newest" ]; then check "test $test" "not run" "not among the binaries"; continue; fi
        # few at a time: each holds a dozen devices, and drivers give out some sixty
        GENELIFT_TEST_ADAPTER=${device#gpu:} GENELIFT_REQUIRE_GPU=1 CARGO_MANIFEST_DIR=$root RUST_TEST_THREADS=4 \
            "$newest" > "$out/logs/$test.log" 2>&1
        check "test $test" $? "$(sed -n 's/^test result: [^.]*\. \(.*\)$/\1/p' "$out/logs/$test.log")"
    done
}

parity() {
    store="$work/matrix.gex"
    "$binary" -q simulate -o "$store" --samples $samples --genes $genes > "$out/logs/parity.log" 2>&1
    train() { # NAME DEVICE [MORE]
        "$binary" -q train "$store" -o "$work/$1.safetensors" --device "$2" --hidden $hidden --batch 64 --epochs 2 \
            --history "$work/$1.tsv" --force >> "$out/logs/parity.log" 2>&1
    }
    train cpu cpu && train gpu "$device" && train again "$device"
    check "training runs" $? "2 epochs of $samples samples x $genes genes"
    # column 2 of the histories: the loss
    worst=$(paste "$work/cpu.tsv" "$work/gpu.tsv" | awk 'BEGIN { w = 0 } NR > 1 { d = ($10 - $2) / $2; if (d < 0) d = -d; if (!(d <= w)) w = d }
        END { print (NR > 2 ? w : "none") }')
    echo "$worst" | awk '{ exit !($1 ~ /^[0-9]/ && $1 + 0 <= 1e-4) }'
    check "training as on the CPU" $? "worst relative difference of an epoch's loss $worst, at most 1e-4"
    cmp "$work/gpu.safetensors" "$work/again.safetensors" >> "$out/logs/parity.log" 2>&1
    check "two trainings, the same bytes" $? ""

    attribute() { # NAME DEVICE: score by gene id
        "$binary" -q attribute "$work/cpu.safetensors" "$store" -o "$work/$1.scores" --device "$2" --samples 32 --force \
            >> "$out/logs/parity.log" 2>&1 && tail -n +2 "$work/$1.scores" | cut -f 2,3 | sort > "$work/$1.sorted"
    }
    attribute cpu cpu && attribute gpu "$device"
    check "DeepLIFT runs" $? "32 samples, all neurons"
    worst=$(join "$work/cpu.sorted" "$work/gpu.sorted" | awk 'BEGIN { w = 0 } { d = $2 - $3; if (d < 0) d = -d; if (!(d <= w)) w = d; if ($2 > m) m = $2 }
        END { print (m > 0 ? w / m : "none") }')
    echo "$worst" | awk '{ exit !($1 ~ /^[0-9]/ && $1 + 0 <= 1e-4) }'
    check "DeepLIFT as on the CPU" $? "worst difference of a score, of the largest, $worst, at most 1e-4"
}

calibrate() {
    rm -f "$GENELIFT_CALIBRATION"
    "$binary" -q bench --calibrate --device "$device" --genes $genes --hidden $hidden --batch $batches > "$out/logs/calibration.txt" 2>&1
    check "calibration" $? "$(grep '^best\|^f16' "$out/logs/calibration.txt" | tr -s ' ')"
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

speed() {
    [ -e "$GENELIFT_CALIBRATION" ] && mv "$GENELIFT_CALIBRATION" "$work/calibration.json"
    bench ""
    if [ -e "$work/calibration.json" ]; then
        mv "$work/calibration.json" "$GENELIFT_CALIBRATION"
        bench "-calibrated"
    else
        check "benchmark calibrated" "not measured" "part 2 was not run"
    fi
    steps > "$out/logs/steps.md"
    results
}

# Median time of every kernel call of a step, from traces.
steps() {
    "$python" -c '' 2> /dev/null || { check "steps" "not measured" "no $python"; return; }
    for precision in f32 f16; do
        "$binary" -q bench --device "$device" --precision $precision --stage train --genes $genes --hidden $hidden --batch $batches $sizes \
            --side 256 --force --profile "$work/trace.json" > /dev/null 2> "$out/logs/trace-$precision.log" || continue
        "$python" - "$work/trace.json" $precision <<'EOF'
import json, statistics, sys
spans = {}
trace = json.load(open(sys.argv[1]))
for event in trace if isinstance(trace, list) else trace["traceEvents"]:
    if "dur" in event:
        spans.setdefault(event["name"], []).append(event["dur"])
print(f"| {sys.argv[2]}: call | times | median, us | least, us |\n| --- | --- | --- | --- |")
for name, times in spans.items():
    print(f"| {name} | {len(times)} | {statistics.median(times):.1f} | {min(times):.1f} |")
print()
EOF
    done
}

peers() {
    # one quick training tells whether burn is in the binary
    if "$binary" -q bench --against burn --device "$device" --stage train --genes 40 --samples 16 --hidden 4 --batch 8 --rounds 1 --side 8 \
        --attributed 2 --landmarks 2 --selected-from 4 > "$out/logs/burn.log" 2>&1; then
        # shellcheck disable=SC2086 # a list of options
        run "genelift-beside-burn" "$binary" -q bench --json --against burn --device "$device" --stage train --genes $genes --hidden $hidden \
            --batch $batches $sizes
    else
        check "burn" "not measured" "$(tail -n 1 "$out/logs/burn.log")"
    fi
    if ! "$python" -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
        check "PyTorch" "not measured" "$python has no torch with CUDA"
        return
    fi
    for compile in "" --compile; do
        for precision in fp32 tf32 bf16; do
            run "pytorch-$precision${compile#-}" "$python" "$root/scripts/bench_pytorch.py" --device cuda \
                --precision $precision $compile --genes $genes --hidden $hidden --batch $batches --samples 8192 --rounds 7
        done
    done
    PYTHONPATH=$(ls "$root"/wheels/*.whl 2>/dev/null | tr '\n' ':')${PYTHONPATH:-}
    export PYTHONPATH
    if "$python" -c 'import captum' 2> /dev/null; then
        run captum "$python" "$root/scripts/bench_captum.py" --device cuda --genes $genes --hidden "${hidden%,*}"
    else
        check "captum" "not measured" "$python has none"
    fi
}

for part in ${parts:-1 2 3 4}; do
    case $part in
        1) tests ;;
        2) parity; calibrate ;;
        3) speed ;;
        4) peers ;;
        *) echo "gpu_check.sh: there is no part $part" >&2; exit 2 ;;
    esac
done
results
echo "$out/results.md" >&2
exit $failed
