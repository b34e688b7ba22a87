"""Which changes of the code do the tests catch?

Draws changes ("mutants") of the numerical parts by a seed, or takes the named ones of `scripts/mutants_named.json`, compiles all
of them into one copy of the program, each behind a switch, and runs the fitting tests once for every mutant:

    python3 scripts/mutants.py --release --seed 1,2 --number 60
    python3 scripts/mutants.py --release --named

A mutant is caught if a test fails, crashes or exceeds its time; what does not compile is left out and counted on its own. The
copy lies in a temporary folder and is built in the target folder of this checkout, whose dependencies it shares.

Drawn are: comparisons and arithmetic turned, && and ||, ! left out, numbers + 1 or − 1, statements removed, and functions that
give a default back at once. Left out are tests, constants outside of functions, const functions and those that return `impl …`. Adapters are hidden from the tests: what is changed runs on
the CPU, and Mesa's llvmpipe takes minutes. `--keep DIR` keeps what was built, for further runs of the same changes and tests.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# folder: (filters of the unit tests, test files), the quick ones first
TESTS = {
    "src/nn": (["nn::", "infer::mlp"], ["gradients", "training"]),
    "src/attribution": (["attribution::"], ["deeplift"]),
    "src/select": (["select::", "stability::"], ["selection", "selection_by_genes", "concrete"]),
    "src/infer": (["infer::"], ["predictors"]),
    "src/evaluate": (["evaluate::"], ["statistics", "predictors", "held_out"]),
    "src/compare": (["compare::"], ["compare", "held_out"]),
    "src/device/cpu": (["device::", "nn::", "kmeans::"], ["gradients", "kernels", "concrete"]),
    "src/prepare": (["prepare::"], []),
    "src/store": (["store::atomic"], []),
    "src/genes": (["store::atomic"], []),
    "src/pipeline": (["stability::"], []),
}
DRAWN = ["src/nn", "src/attribution", "src/select", "src/infer", "src/evaluate", "src/compare", "src/device/cpu"]

OPERATORS = {
    "<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"], "==": ["!="], "!=": ["=="],
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"],
    "&&": ["||"], "||": ["&&"], "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="],
}  # fmt: skip

DEFAULTS = [
    (r"bool$", ["true", "false"]),
    (r"(usize|u8|u16|u32|u64|i32|i64)$", ["0", "1"]),
    (r"f(32|64)$", ["0.0", "1.0"]),
    (r"Vec<.*>$", ["Vec::new()"]),
    (r"Option<.*>$", ["None"]),
    (r"Result<\(\)>$", ["Ok(())"]),
    (r"Result<Vec<.*>>$", ["Ok(Vec::new())"]),
    (r"Result<f64>$", ["Ok(0.0)"]),
    (r"String$", ["String::new()"]),
    (r"^$", [""]),
]

SWITCH = """
/// Which change is on.
#[doc(hidden)]
pub mod mutant {
    /// Whether it is this one.
    pub fn is(number: u32) -> bool {
        static ON: std::sync::LazyLock<u32> =
            std::sync::LazyLock::new(|| std::env::var("GENELIFT_MUTANT").map_or(0, |v| v.parse().unwrap_or(0)));
        *ON == number
    }
}
"""


def masked(text):
    """The text with comments, strings and characters blanked, so that what is left is code at the same places."""
    pattern = r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\.[^\']*|[^\'\\\n])\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def code_ends(mask):
    """Where the tests of a file begin."""
    found = re.search(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod \w+ \{", mask)
    return found.start() if found else len(mask)


def closing(mask, start):
    depth = 0
    for i in range(start, len(mask)):
        depth += {"{": 1, "}": -1}.get(mask[i], 0)
        if depth == 0:
            return i + 1
    raise ValueError("unbalanced")


def bodies(mask):
    """(start, end of the body, return type) of the outermost functions of a file that can be switched."""
    out, last, end = [], 0, code_ends(mask)
    for match in re.finditer(r"\bfn \w+", mask):
        if match.start() < last or match.start() >= end:
            continue
        depth, i = 0, match.end()
        while not (depth == 0 and mask[i] in "{;"):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(mask[i], 0)
            i += 1
        if mask[i] == ";":
            continue
        last = closing(mask, i)
        head = mask[match.start() : i]
        before = mask[mask.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "const" in before or re.search(r"->.*\bimpl\b", head, re.S) or "macro_rules" in mask[i:last]:
            continue
        returned = re.search(r"\)\s*->\s*(.*?)\s*(where\b.*)?$", head, re.S)
        out.append((i, last, returned.group(1).strip() if returned else ""))
    return out


def changes_of_body(text, mask, start, end, returned):
    """(start, end, new text, what it is) of all changes of a function."""
    out = []
    for m in re.finditer(r"(?<= )(<=|>=|==|!=|&&|\|\||[+\-*/]=|[<>+\-*/%])(?= |\n)", mask[start:end]):
        for new in OPERATORS[m.group()]:
            out.append((start + m.start(), start + m.end(), new, f"{m.group()} → {new}"))
    for m in re.finditer(r"(?<![\w.])\d+(\.\d+)?(?![\w.]|\.\d)", mask[start:end]):
        step = "1.0" if m.group(1) else "1"
        for sign in "+-":
            new = f"({m.group()} {sign} {step})"
            out.append((start + m.start(), start + m.end(), new, f"{m.group()} → {new}"))
    for m in re.finditer(r"(?<![\w!])!(?=[a-z(])", mask[start:end]):
        out.append((start + m.start(), start + m.end(), "", "! left out"))
    place, before = start, "{"
    for line in mask[start:end].splitlines(keepends=True):
        bare = line.strip()
        whole = all(bare.count(a) == bare.count(b) for a, b in ["()", "[]", "{}"])
        begins = before[-1:] in "{;}" and not re.match(r"(let|return|use|const|static|break|continue|fn|#)\b|[}#]", bare)
        if bare.endswith(";") and whole and begins:
            out.append((place, place + len(line.rstrip("\n")), "", f"removed: {text[place : place + len(line)].strip()}"))
        before = bare or before
        place += len(line)
    for pattern, values in DEFAULTS:
        if re.search(pattern, returned):
            out += [(start + 1, end - 1, f" {v} ", f"the function gives {v or 'up'} at once") for v in values]
            break
    return out


class File:
    """A source file with the changes of it."""

    def __init__(self, path):
        self.path = path
        self.text = (ROOT / path).read_text()
        self.mask = masked(self.text)
        self.bodies = bodies(self.mask)

    def candidates(self):
        for start, end, returned in self.bodies:
            for change in changes_of_body(self.text, self.mask, start, end, returned):
                yield {"file": self.path, "line": self.text.count("\n", 0, change[0]) + 1, "change": change}

    def switched(self, mutants):
        """The text with the changes behind switches, and the lines that each is on."""
        of_body = defaultdict(list)
        for mutant in mutants:
            start, end = mutant["change"][:2]
            body = next(((s, e) for s, e, _ in self.bodies if s <= start and end <= e), None)
            if body is None:
                sys.exit(f"{self.path}:{mutant['line']}: not in a function that can be switched")
            of_body[body].append(mutant)
        out, last, lines = "", 0, {}
        for (start, end), inside in sorted(of_body.items()):
            out += self.text[last:start] + "{ "
            for mutant in inside:
                a, b, new, _ = mutant["change"]
                # on lines of its own, by which errors are told apart
                out += f"\nif crate::mutant::is({mutant['number']}) "
                first = out.count("\n") + 1
                out += self.text[start:a] + new + self.text[b:end]
                lines[mutant["number"]] = (first, out.count("\n") + 1)
                out += "\nelse "
            out += "\n" + self.text[start:end] + " }"
            last = end
        return out + self.text[last:], lines


def drawn(seed, number):
    paths = sorted(str(p.relative_to(ROOT)) for d in DRAWN for p in (ROOT / d).rglob("*.rs") if not p.stem.endswith("tests"))
    everything = [c for path in paths for c in File(path).candidates()]
    print(f"{len(everything)} changes of {len(paths)} files; {number} are drawn by seed {seed}", flush=True)
    return [{**mutant, "group": f"seed {seed}"} for mutant in random.Random(seed).sample(everything, number)]


def named():
    out = []
    for entry in json.loads((ROOT / "scripts/mutants_named.json").read_text()):
        text = (ROOT / entry["file"]).read_text()
        if text.count(entry["old"]) != 1:
            sys.exit(f"{entry['name']}: {entry['file']} holds the old text {text.count(entry['old'])} times")
        at = text.index(entry["old"])
        change = (at, at + len(entry["old"]), entry["new"], entry["name"])
        out.append({"file": entry["file"], "line": text.count("\n", 0, at) + 1, "change": change, "group": "named"})
    return out


def build(copy, target, tests, profile):
    """(the test binaries by name, errors as (file, line, text))."""
    what = [flag for test in tests for flag in (["--lib"] if test == "lib" else ["--test", test])]
    command = ["cargo", "test", "--no-run", "--message-format=json", "--target-dir", str(target), *profile, *what]
    done = subprocess.run(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    binaries, errors = {}, []
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["profile"]["test"]:
            lib = "lib" in message["target"]["kind"]
            binaries["lib" if lib else message["target"]["name"]] = message["executable"]
        elif message.get("reason") == "compiler-message" and message["message"]["level"] == "error":
            spans = [s for s in message["message"]["spans"] if s["is_primary"]] or message["message"]["spans"]
            errors += [(s["file_name"], s["line_start"], message["message"]["message"]) for s in spans]
    if done.returncode and not errors:
        sys.exit(done.stderr[-3000:])
    return binaries, errors


def build_all(copy, mutants, tests, options):
    """Builds what can be built; returns (binaries, mutants that are in them, those that do not compile)."""
    left, broken = list(mutants), []
    paths = {m["file"] for m in mutants}
    while True:
        lines = {}
        for path in paths:
            text, lines[path] = File(path).switched([m for m in left if m["file"] == path])
            (copy / path).write_text(text)
        binaries, errors = build(copy, options.target, tests, options.profile)
        if not errors:
            return binaries, left, broken
        bad = {n for f, l, _ in errors for n, (a, b) in lines.get(f, {}).items() if a <= l <= b}
        if not bad:
            sys.exit(f"the copy does not compile: {errors[:3]}")
        broken += [m for m in left if m["number"] in bad]
        left = [m for m in left if m["number"] not in bad]
        for mutant in (m for m in mutants if m["number"] in bad):
            print(f"no build  {told(mutant)}", flush=True)


def contents(mutants):
    """A hash of all that is built, and of the changes."""
    paths = [p for d in ("src", "tests") for p in sorted((ROOT / d).rglob("*")) if p.is_file()]
    told = [(m["file"], m["change"]) for m in mutants]
    data = b"".join(str(p).encode() + p.read_bytes() for p in [*paths, ROOT / "Cargo.toml", ROOT / "Cargo.lock"])
    return hashlib.sha256(data + json.dumps(told).encode()).hexdigest()


def built(folder, mutants, tests, options):
    """As `build_all`, with the binaries in `folder`, which are not built again where they are of the same."""
    note, key = folder / "built.json", contents(mutants)
    known = json.loads(note.read_text()) if note.exists() else {}
    if known.get("key") != key:
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("target", ".git"), symlinks=True)
        with open(copy / "src/lib.rs", "a") as lib:
            lib.write(SWITCH)
        binaries, _, broken = build_all(copy, mutants, tests, options)
        # a build in this checkout would write to the same names
        for name, path in binaries.items():
            shutil.copy(path, folder / name)
        known = {"key": key, "binaries": list(binaries), "broken": [m["number"] for m in broken]}
        note.write_text(json.dumps(known))
        # what tests read lies in the copy
    broken = [m for m in mutants if m["number"] in known["broken"]]
    return {name: folder / name for name in known["binaries"]}, [m for m in mutants if m not in broken]


def suite(mutant):
    folder = max((d for d in TESTS if mutant["file"].startswith(d + "/")), key=len)
    filters, files = TESTS[folder]
    return [("lib", tuple(filters))] + [(name, ()) for name in files]


def run(binaries, step, number, limit, skip=()):
    """Whether the tests pass, why not, and the seconds."""
    name, filters = step
    without = [word for test in skip for word in ("--skip", test)]
    hidden = {name: "/dev/null" for name in ("VK_ICD_FILENAMES", "VK_DRIVER_FILES")}
    environment = {**os.environ, **hidden, "GENELIFT_MUTANT": str(number), "CARGO_MANIFEST_DIR": str(ROOT)}
    started = time.monotonic()
    try:
        done = subprocess.run(
            [binaries[name], *filters, *without], cwd=ROOT, env=environment, timeout=limit, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, "time", time.monotonic() - started
    failed = re.findall(r"^test (\S+) \.\.\. FAILED", done.stdout, re.M)
    why = f"{name}: {', '.join(failed) or 'crashed'}"
    return done.returncode == 0, why, time.monotonic() - started


def told(mutant):
    return f"{mutant['number']} {mutant['file']}:{mutant['line']}: {mutant['change'][3]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="", help="one or several, as in 1,2")
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--named", action="store_true", help="the named changes, all of which must be caught")
    parser.add_argument("--unit", action="store_true", help="unit tests only, which is quick")
    parser.add_argument("--only", help="of those drawn, the ones of these numbers, as in 3,17")
    parser.add_argument("--list", action="store_true", help="only say what is drawn")
    parser.add_argument("--until", type=float, default=1e9, help="seconds after which no further mutant is begun")
    parser.add_argument("--longest", type=float, default=1200, help="seconds that the tests of a file may take")
    parser.add_argument("--release", dest="profile", action="store_const", const=["--release"], default=[])
    parser.add_argument("--keep", type=Path, help="a folder in which what was built stays")
    parser.add_argument("--target", type=Path, default=ROOT / "target")
    options = parser.parse_args()
    began = time.monotonic()
    mutants = named() if options.named else []
    for seed in options.seed.split(",") if options.seed else []:
        mutants += drawn(int(seed), options.number)
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
    if options.list:
        print("\n".join(map(told, mutants)))
        return
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    steps = {step for m in mutants for step in suite(m) if not options.unit or step[0] == "lib"}
    with tempfile.TemporaryDirectory() as folder:
        binaries, left = built(options.keep or Path(folder), mutants, sorted({name for name, _ in steps}), options)
        took = time.monotonic() - began
        print(f"built in {took:.0f} s", flush=True)
        limits, skips, seconds = {}, {}, {}
        for step in sorted(steps):
            passed, why, seconds[step] = run(binaries, step, 0, options.longest)
            print(f"unchanged: {step[0]} {' '.join(step[1])}: {seconds[step]:.1f} s{'' if passed else ', ' + why}", flush=True)
            # what fails anyway says nothing of a change, and what takes too long is not waited for
            skips[step] = [] if passed else why.partition(": ")[2].split(", ")
            if passed or (why != "time" and "crashed" not in skips[step]):
                limits[step] = 60 + 6 * seconds[step]
        skipped = 0
        running = time.monotonic()
        only = options.only.split(",") if options.only else None
        for mutant in left:
            if only and str(mutant["number"]) not in only:
                continue
            if time.monotonic() - began > options.until:
                skipped += 1
                continue
            mutant["verdict"] = ""
            for step in sorted((s for s in suite(mutant) if s in limits), key=seconds.get):
                passed, why, _ = run(binaries, step, mutant["number"], limits[step], skips[step])
                if not passed:
                    mutant["verdict"] = why
                    break
            verdict = mutant["verdict"]
            print(f"{'caught  ' if verdict else 'SURVIVED'}  {told(mutant)}  [{verdict or '–'}]", flush=True)
        each = (time.monotonic() - running) / max(1, len(left) - skipped)
    print(f"\n{took:.0f} s to build all, {each:.1f} s a mutant; {skipped} not run")
    for group in dict.fromkeys(m["group"] for m in mutants):
        print(f"{group}: {counted([m for m in mutants if m['group'] == group])}")
    whole = all(m.get("verdict") for m in mutants if m["group"] == "named")
    sys.exit(not whole)


def counted(mutants):
    verdicts = [m["verdict"] for m in mutants if "verdict" in m]
    caught = [v for v in verdicts if v]
    return (
        f"{len(caught)} of {len(verdicts)} caught ({100 * len(caught) / max(1, len(verdicts)):.0f} %), "
        f"{caught.count('time')} of them by their time; {len(mutants) - len(verdicts)} did not build or were not run"
    )


if __name__ == "__main__":
    main()
