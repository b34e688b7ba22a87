#!/bin/sh
# Checks and measures a GPU from prebuilt binaries, on a machine that has no network, no compiler and not even a Vulkan loader.
#
#   cargo build --release [--features burn-wgpu] && cargo test --release --no-run      (without the feature: no burn beside it)
#   scripts/gpu_check.sh pack gpu-check.tar [--wheels DIR]        everything in one file of some 26 MB; DIR: captum's wheel
#   tar xf gpu-check.tar && gpu-check/scripts/gpu_check.sh --device gpu:nvidia -o check [--keep DIR] [--part N]... [--seconds N]
#       [--python python3] [--small]
#
# Parts, all by default, each of at most --seconds (520):
#   1  every shader test on the adapter      2  training and DeepLIFT in the paper's shape beside the CPU executor in f32 and f16, two
#   trainings that must give the same bytes, calibration, and f32 and f16 beside the CPU again by it      3  the benchmark in f32 and f16, with
#   the adapter type's tiles and with calibrated ones, and where a step's time goes      4  PyTorch and captum, where PYTHON has them with
#   CUDA, and burn, where the binary has it
#
# Three files come out: results.md and results.json, written anew after every step, and logs.tar. A part done again begins with nothing of what
# it left before. What other parts left (the calibration too) is taken from -o's logs.tar; where that folder is emptied between two calls,
# --keep DIR holds the working files instead (`tar xf logs.tar -C DIR` brings them to another machine).
#
# Ends with 1 if anything failed, else with 3 if time ran out, 2 for arguments that it does not know. What was not measured, for want of time or of
# a program, is called so. --small: a small shape, for a software rasterizer. A user's own calibration is neither read nor changed.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)

die() { # STATUS WORDS
    status=$1; shift
    printf 'gpu_check.sh: %s\n' "$*" >&2
    exit "$status"
}

# Binaries stripped and compressed, the libraries that a bare machine's driver wants, the tests' data, the peers' scripts.
pack() {
    file=$1 wheels=${2:-}
    work=$(mktemp -d) && dir="$work/gpu-check"
    mkdir -p "$dir/bin" "$dir/lib" "$dir/scripts" "$dir/wheels" "$dir/tests/data"
    strip -o "$dir/bin/genelift" "$root/target/release/genelift" || exit 1
    for test in kernels shaders gradients training deeplift; do
        newest=$(ls -t "$root/target/release/deps/$test"-* 2>/dev/null | grep -v '\.d$' | head -1)
        [ -n "$newest" ] || die 1 "no test $test in target/release/deps; cargo test --release --no-run"
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
    [ $# -ge 2 ] || die 2 "pack FILE"
    [ "${3:-}" = --wheels ] && { pack "$2" "$4"; exit; }
    pack "$2"
    exit
fi

device= out= keep= python=python3 small= parts= seconds=520
while [ $# -gt 0 ]; do
    [ "$1" = --small ] || [ $# -ge 2 ] || die 2 "unknown argument $1, or nothing after it"
    case $1 in
        --device) device=$2; shift 2 ;;
        -o) out=$2; shift 2 ;;
        --keep) keep=$2; shift 2 ;;
        --part) case $2 in [1-4]) parts="$parts $2" ;; *) die 2 "there is no part $2, but 1 to 4" ;; esac; shift 2 ;;
        --seconds) case $2 in '' | 0* | *[!0-9]*) die 2 "--seconds $2: how long a part may take, a whole number" ;; esac; seconds=$2; shift 2 ;;
        --python) python=$2; shift 2 ;;
        --small) small=1; shift ;;
        *) die 2 "unknown argument $1" ;;
    esac
done
case $device in gpu:?*) ;; *) die 2 "--device gpu:INDEX or gpu:NAME (a part of its name) is needed" ;; esac
[ -n "$out" ] || die 2 "-o DIR is needed"
for tool in awk tar timeout; do
    command -v "$tool" > /dev/null || die 1 "this machine has no $tool; nothing was done"
done
work=$(mktemp -d) || die 1 "no temporary folder can be made; nothing was done"
child=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$child" ] || kill "$child"; exit 130' INT TERM

# Unpacks FILE.xz in its place, by xz or by Python.
unpack() {
    if command -v xz > /dev/null; then xz -df "$1"; return; fi
    "$python" - "$1" << 'EOF'
import lzma, os, shutil, sys
packed = sys.argv[1]
name = packed[: -len(".xz")]
with lzma.open(packed) as source, open(name + ".part", "wb") as out:
    shutil.copyfileobj(source, out)
shutil.copymode(packed, name + ".part")
os.replace(name + ".part", name)
os.remove(packed)
EOF
}

# from a pack, else from the build's folder
if [ -e "$root/bin/genelift" ] || [ -e "$root/bin/genelift.xz" ]; then
    for packed in "$root"/bin/*.xz; do
        [ -e "$packed" ] || continue
        said=$(unpack "$packed" 2>&1) || die 1 "$packed cannot be unpacked (by xz, or by a $python with lzma): $said; nothing was done"
    done
    binaries="$root/bin"
    binary="$binaries/genelift"
else
    binaries="$root/target/release/deps"
    binary="$root/target/release/genelift"
fi

# The name of the adapter that --device means, by its number or by a part of its name in any case; empty where there is none.
export GENELIFT_CALIBRATION="$work/none.json"
look() {
    found=$("$binary" devices 2>&1) || die 1 "$binary does not run here: $found; nothing was done"
    adapter=$(printf '%s\n' "$found" | awk -v asked="${device#gpu:}" '
        /^gpu:[0-9]+ / {
            name = $0
            sub(/^gpu:[0-9]+ +/, "", name)
            if (asked ~ /^[0-9]+$/ ? substr($1, 5) + 0 == asked + 0 : index(tolower(name), tolower(asked))) { print name; exit }
        }')
}
look
if [ -z "$adapter" ] && [ -d "$root/lib" ]; then
    export LD_LIBRARY_PATH="$root/lib:${LD_LIBRARY_PATH:-}"
    look
fi
for driver in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json; do
    if [ -z "$adapter" ] && [ -e "$driver" ]; then
        export VK_DRIVER_FILES="$driver"
        look
    fi
done
[ -n "$adapter" ] || die 1 "there is no adapter $device here; nothing was done. What there is:
$found"

if [ -n "$small" ]; then
    genes=301 samples=96 hidden=40,12,40 batches=32 side="--side 256"
    sizes="--samples 128 --attributed 16 --landmarks 20 --selected-from 32 --rounds 2"
else
    genes=22268 samples=1024 hidden=500,100,500 batches=256,1024 side="" sizes="--samples 8192 --rounds 7"
fi

# Working files: a folder a part in $kept/logs, which earlier parts' are in or come to.
mkdir -p "$out" && out=$(cd "$out" && pwd) || die 1 "$out cannot be made"
kept=${keep:-$work}
logs="$kept/logs"
if [ ! -e "$logs" ] && [ -e "$out/logs.tar" ]; then
    mkdir -p "$kept" && tar xf "$out/logs.tar" -C "$kept" || die 1 "$out/logs.tar cannot be unpacked; remove it, and begin anew"
fi
mkdir -p "$logs" || die 1 "$logs cannot be made"
this="$adapter, $genes genes"
[ ! -e "$logs/what" ] || [ "$(cat "$logs/what")" = "$this" ] ||
    die 2 "$out${keep:+ or $keep} holds results of $(cat "$logs/what"); take another folder for $this"
echo "$this" > "$logs/what"
export GENELIFT_CALIBRATION="$logs/part2/calibration.json"

# Writes results.md, results.json and logs.tar from what is there.
results() {
    {
        echo "# $device"; echo; printf '%s\n' "$found"; echo; echo "| check | outcome | detail |"; echo "| --- | --- | --- |"
        awk -F '\t' '{ print "| " $1 " | " $2 " | " $3 " |" }' "$logs"/part*/checks.tsv
        echo; echo "| program | stage | a second | TFLOP/s | GB/s | share of ceiling | MB on the device |"
        echo "| --- | --- | --- | --- | --- | --- | --- |"
        for file in "$logs"/part*/*.bench.json; do
            [ -e "$file" ] && rows "$(basename "$file" .bench.json)" "$file"
        done
        for file in "$logs"/part3/steps-*.md; do
            [ -e "$file" ] && { echo; cat "$file"; }
        done
    } > "$out/results.md"
    {
        printf '{"device": "%s", "checks": [' "$device"
        awk -F '\t' '{ printf "%s\n  {\"name\": \"%s\", \"outcome\": \"%s\", \"detail\": \"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3 }' \
            "$logs"/part*/checks.tsv
        printf ']'
        for file in "$logs"/part*/*.bench.json; do
            [ -e "$file" ] && { printf ',\n"%s": ' "$(basename "$file" .bench.json)"; cat "$file"; }
        done
        echo '}'
    } > "$out/results.json"
    tar cf "$work/logs.tar" -C "$kept" logs && mv "$work/logs.tar" "$out/logs.tar"
}

# check NAME STATUS DETAIL; a status of "not measured" is neither passed nor failed, and one of 124 is that for want of time
failed=0 late=0
check() {
    detail=$3
    case $2 in
        0) outcome=passed ;;
        124) outcome="not measured" detail="out of time (--seconds $seconds)${3:+: $3}" late=1 ;;
        *[!0-9]*) outcome=$2 ;;
        *) outcome=failed failed=1 ;;
    esac
    detail=$(printf '%s' "$detail" | tr '\n|' ' /' | tr -d '"\\[:cntrl:]')
    printf '%s: %s %s\n' "$1" "$outcome" "$detail" >&2
    printf '%s\t%s\t%s\n' "$1" "$outcome" "$detail" >> "$here/checks.tsv"
    results
}

# Runs a command for as long as the part has; 124 where it was ended, or not begun, for want of time. In the background, so that whoever ends this
# script ends it too.
within() {
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || return 124
    timeout -k 10 "$left" "$@" &
    child=$!
    wait "$child"
    ended=$? child=
    if [ "$ended" -eq 137 ] && [ "$(date +%s)" -ge "$deadline" ]; then ended=124; fi
    return "$ended"
}

# What a program gave up with: its line `error: ...`, else the last that is no warning.
complaint() { # LOG
    grep '^error' "$1" | tail -n 1 | grep . || grep -v '^warning' "$1" | tail -n 1
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
    within "$@" > "$here/$name.bench.json" 2> "$here/$name.log"
    status=$?
    if [ $status -eq 0 ]; then
        said="stages measured: $(grep -c '"rate"' "$here/$name.bench.json")"
    else
        rm -f "$here/$name.bench.json"
        said=$(complaint "$here/$name.log")
    fi
    check "benchmark $name" $status "$said"
}

tests() {
    # the tests take a name alone
    case ${device#gpu:} in *[!0-9]*) name=${device#gpu:} ;; *) name=$adapter ;; esac
    for test in shaders gradients training deeplift kernels; do
        if [ -x "$binaries/$test" ]; then newest="$binaries/$test"; else
            newest=$(ls -t "$binaries/$test"-* 2>/dev/null | grep -v '\.d$' | head -1)
        fi
        if [ -z "$newest" ]; then check "test $test" "not run" "not among the binaries"; continue; fi
        # few at a time: each holds a dozen devices, and drivers give out some sixty
        within env GENELIFT_TEST_ADAPTER="$name" GENELIFT_REQUIRE_GPU=1 CARGO_MANIFEST_DIR="$root" RUST_TEST_THREADS=4 \
            "$newest" > "$here/$test.log" 2>&1
        status=$?
        said=$(sed -n 's/^test result: [^.]*\. \(.*\)$/\1/p' "$here/$test.log")
        check "test $test" $status "${said:-$(grep -c '\.\.\. ok$' "$here/$test.log") passed, then: $(tail -n 1 "$here/$test.log")}"
    done
}

# agree NAME STATUS MOST COUNT: COUNT pairs of numbers on standard input, none further apart than MOST of the largest; STATUS of what made them.
# Standard input is a file: in a pipe the outcome would be lost.
agree() {
    if [ "$2" -ne 0 ]; then check "$1" "$2" "$(complaint "$here/parity.log")"; return; fi
    worst=$(awk -v count="$4" '
        function size(x) { return x < 0 ? -x : x }
        BEGIN { number = "^-?[0-9.]+(e[-+]?[0-9]+)?$" }
        NF != 2 || $1 !~ number || $2 !~ number { wrong = 1 }
        { if (size($1 - $2) > apart) apart = size($1 - $2); if (size($1) > largest) largest = size($1) }
        END { if (wrong || NR != count || !largest) print "none"; else print apart / largest }')
    awk -v worst="$worst" -v most="$3" 'BEGIN { exit !(worst != "none" && worst + 0 <= most + 0) }'
    check "$1" $? "$4 numbers, worst difference, of the largest, $worst, at most $3"
}

train() { # NAME DEVICE PRECISION
    within "$binary" -q train "$store" -o "$work/$1.safetensors" --device "$2" --precision "$3" --hidden $hidden --batch 64 --epochs 2 \
        --history "$work/$1.tsv" --force >> "$here/parity.log" 2>&1
}

attribute() { # NAME DEVICE PRECISION: scores by gene
    within "$binary" -q attribute "$work/cpu-$3.safetensors" "$store" -o "$work/$1.scores" --device "$2" --precision "$3" --samples 32 --force \
        >> "$here/parity.log" 2>&1
}

# as_on_cpu PRECISION MOST-OF-A-LOSS MOST-OF-A-SCORE [MORE]: training and DeepLIFT beside the CPU's, which are made once
as_on_cpu() {
    { [ -e "$work/cpu-$1.safetensors" ] || train "cpu-$1" cpu "$1"; } && train "gpu-$1" "$device" "$1"
    status=$?
    for who in cpu gpu; do # column 2 of the histories: the loss
        [ $status -ne 0 ] || tail -n +2 "$work/$who-$1.tsv" | cut -f 2 > "$work/$who.losses"
    done
    [ $status -ne 0 ] || paste "$work/cpu.losses" "$work/gpu.losses" > "$work/pairs"
    agree "training in $1 as on the CPU${4:-}" $status "$2" 2 < "$work/pairs"
    { [ -e "$work/cpu-$1.scores" ] || attribute "cpu-$1" cpu "$1"; } && attribute "gpu-$1" "$device" "$1"
    status=$?
    for who in cpu gpu; do
        [ $status -ne 0 ] || tail -n +2 "$work/$who-$1.scores" | cut -f 2,3 | sort > "$work/$who.sorted"
    done
    [ $status -ne 0 ] || join "$work/cpu.sorted" "$work/gpu.sorted" | cut -d ' ' -f 2,3 > "$work/pairs"
    agree "DeepLIFT in $1 as on the CPU${4:-}" $status "$3" $genes < "$work/pairs"
}

# Losses in f16 are told apart from f32's by a thousandth (docs/performance.md), scores in f16 by 2e-3 of the largest (tests/deeplift.rs).
parity() {
    store="$work/matrix.gex"
    : > "$work/pairs"
    within "$binary" -q simulate -o "$store" --samples $samples --genes $genes > "$here/parity.log" 2>&1
    as_on_cpu f32 1e-4 1e-4
    train again "$device" f32 && cmp "$work/gpu-f32.safetensors" "$work/again.safetensors" >> "$here/parity.log" 2>&1
    check "two trainings, the same bytes" $? ""
    as_on_cpu f16 1e-3 2e-3
    calibrate
    if [ -e "$GENELIFT_CALIBRATION" ]; then # other tiles, and perhaps cooperative matrices
        as_on_cpu f32 1e-4 1e-4 ", calibrated"
        as_on_cpu f16 1e-3 2e-3 ", calibrated"
    else
        check "as on the CPU, calibrated" "not measured" "there is no calibration"
    fi
}

calibrate() {
    within "$binary" -q bench --calibrate --device "$device" --genes $genes --hidden $hidden --batch $batches > "$here/calibration.txt" 2>&1
    status=$?
    said=$(grep '^best\|^f16' "$here/calibration.txt" | tr -s ' ')
    grep -q '"cooperative": true' "$GENELIFT_CALIBRATION" 2> /dev/null && said="$said; f16 goes by cooperative matrices"
    check "calibration" $status "${said:-$(complaint "$here/calibration.txt")}"
}

bench() { # CALIBRATION [MORE]
    for precision in f32 f16; do
        stages=train,deeplift
        [ $precision = f32 ] && stages=train,deeplift,predictor,permutation,k-means
        # shellcheck disable=SC2086 # a list of options
        run "genelift-$precision${2:-}" env GENELIFT_CALIBRATION="$1" "$binary" -q bench --json --device "$device" --precision $precision \
            --stage $stages --genes $genes --hidden $hidden --batch $batches $sizes $side
    done
}

speed() {
    bench "$work/none.json"
    if [ -e "$GENELIFT_CALIBRATION" ]; then
        bench "$GENELIFT_CALIBRATION" -calibrated
    else
        check "benchmark calibrated" "not measured" "there is no calibration; part 2 makes it"
    fi
    steps
}

# Median time of every kernel call of a step, from traces.
steps() {
    "$python" -c '' 2> /dev/null || { check "steps" "not measured" "no $python"; return; }
    for precision in f32 f16; do
        log="$here/steps-$precision.log" table="$here/steps-$precision.md"
        # shellcheck disable=SC2086 # a list of options
        within "$binary" -q bench --device "$device" --precision $precision --stage train --genes $genes --hidden $hidden --batch $batches $sizes \
            --side 256 --profile "$work/$precision.trace" > /dev/null 2> "$log" &&
            step_table "$work/$precision.trace" $precision > "$table" 2>> "$log"
        status=$?
        if [ $status -eq 0 ]; then
            said="calls of a step: $(($(grep -c '^| ' "$table") - 2))"
        else
            rm -f "$table"
            said=$(complaint "$log")
            grep -q 'offers no timestamps' "$log" && status="not measured"
        fi
        check "steps $precision" "$status" "$said"
    done
}

step_table() { # TRACE PRECISION
    "$python" - "$1" "$2" << 'EOF'
import json, statistics, sys
spans = {}
trace = json.load(open(sys.argv[1]))
for event in trace if isinstance(trace, list) else trace["traceEvents"]:
    if "dur" in event:
        spans.setdefault(event["name"], []).append(event["dur"])
if not spans:
    sys.exit("error: no call is in the trace")
print(f"| {sys.argv[2]}: call | times | median, us | least, us |\n| --- | --- | --- | --- |")
for name, times in spans.items():
    print(f"| {name} | {len(times)} | {statistics.median(times):.1f} | {min(times):.1f} |")
EOF
}

# python_has NAME CODE WHY-NOT: whether Python runs it; else NAME is not measured
python_has() {
    within "$python" -c "$2" 2> /dev/null
    status=$?
    case $status in
        0) return 0 ;;
        124) check "$1" 124 "" ;;
        *) check "$1" "not measured" "$3" ;;
    esac
    return 1
}

peers() {
    # one quick training tells whether burn is in the binary, which has no such option without it
    within "$binary" -q bench --against burn --device "$device" --stage train --genes 40 --samples 16 --hidden 4 --batch 8 --rounds 1 --side 8 \
        --attributed 2 --landmarks 2 --selected-from 4 > "$here/burn.log" 2>&1
    status=$?
    # shellcheck disable=SC2086 # a list of options
    case $status in
        0) run "genelift-beside-burn" "$binary" -q bench --json --against burn --device "$device" --stage train --genes $genes \
            --hidden $hidden --batch $batches $sizes $side ;;
        2) check "burn" "not measured" "$(complaint "$here/burn.log")" ;;
        *) check "burn" $status "$(complaint "$here/burn.log")" ;;
    esac
    python_has PyTorch 'import torch, sys; sys.exit(not torch.cuda.is_available())' "$python has no torch with CUDA" || return
    for compile in "" --compile; do
        for precision in fp32 tf32 bf16; do
            run "pytorch-$precision${compile#-}" "$python" "$root/scripts/bench_pytorch.py" --device cuda \
                --precision $precision $compile --genes $genes --hidden $hidden --batch $batches --samples 8192 --rounds 7
        done
    done
    PYTHONPATH=$(ls "$root"/wheels/*.whl 2>/dev/null | tr '\n' ':')${PYTHONPATH:-}
    export PYTHONPATH
    python_has captum 'import captum' "$python has none" || return
    run captum "$python" "$root/scripts/bench_captum.py" --device cuda --genes $genes --hidden "${hidden%,*}"
}

for part in ${parts:-1 2 3 4}; do
    here="$logs/part$part"
    rm -rf "$here" && mkdir "$here" && : > "$here/checks.tsv" || die 1 "$here cannot be emptied"
    deadline=$(($(date +%s) + seconds))
    case $part in
        1) tests ;;
        2) parity ;;
        3) speed ;;
        4) peers ;;
    esac
done
echo "$out/results.md" >&2
[ $failed -eq 0 ] || exit 1
[ $late -eq 0 ] || exit 3
