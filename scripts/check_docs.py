#!/usr/bin/env python3
"""Runs what the documentation shows and compares what it prints, so that a page cannot say what the program does not. Python's standard
library and bash alone.

    python3 scripts/check_docs.py [--genelift target/release/genelift] [--show] [PAGE.md ...]

A block marked `console` is run: its lines that begin with `$ ` (a backslash at the end goes on), one after the other, page by page in a scratch
folder of the page's own that has `examples/` and `docs/`. What stands below a command must be what it prints, standard error among it; where nothing
stands below, it has only to succeed. Blocks marked `sh` are not run: they need data or time that a check does not have.

* `...` or `…` on a line of its own stands for any lines, `[..]` within a line for any text: seconds, rates, paths.
* A number with a decimal point may differ by 2 % or by 2 in its last place: another processor adds in another order. All other text is compared as it is.
* A command that ends with a line `error: …` is to fail.
* `<!-- after PAGE.md -->` begins with what the blocks of that page left (paths from the root of the repository).
* A comment that begins with `<!-- console` holds commands that are run and not shown.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"\d+\.\d+")
ANY_LINES = ("...", "…")


def blocks(page):
    """Commands of a page with the lines below each: (line number, command, lines)."""
    inside, found = None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        if inside is None:
            if re.fullmatch(r"\s*```console", line):
                inside = "block"
            elif line.startswith("<!-- console"):
                inside = "comment"
            continue
        if line.strip() == ("```" if inside == "block" else "-->"):
            inside = None
        elif line.startswith("$ "):
            found.append((number, [line[2:]], []))
        elif found and found[-1][1][-1].endswith("\\") and not found[-1][2]:
            found[-1][1].append(line)
        elif found:
            found[-1][2].append(line)
    if inside is not None:
        sys.exit(f"{page}: a block has no end")
    return [(number, "\n".join(command), lines) for number, command, lines in found]


def after(page):
    told = re.search(r"<!-- after (\S+) -->", page.read_text(encoding="utf-8"))
    return ROOT / told.group(1) if told else None


def same_line(expected, found):
    """Whether a line is as told: `[..]` any text, decimals within the tolerance, the rest as it is."""
    pattern, numbers = "", []
    for part in re.split(r"(\[\.\.\])", expected):
        if part == "[..]":
            pattern += ".*"
            continue
        last = 0
        for number in NUMBER.finditer(part):
            pattern += re.escape(part[last : number.start()]) + r"(\d+\.\d+)"
            numbers.append(number.group())
            last = number.end()
        pattern += re.escape(part[last:])
    match = re.fullmatch(pattern.replace(r"\ ", r" +"), found.rstrip())
    return match is not None and all(close(*pair) for pair in zip(numbers, match.groups()))


def close(expected, found):
    last_place = 10.0 ** -len(expected.split(".")[1])
    difference = abs(float(expected) - float(found))
    return difference <= max(0.02 * abs(float(expected)), 2.000001 * last_place)


def same(expected, found):
    """Whether lines are as told, where `...` is any number of them."""
    if not expected:
        return not found
    if expected[0].strip() in ANY_LINES:
        return any(same(expected[1:], found[skipped:]) for skipped in range(len(found) + 1))
    return bool(found) and same_line(expected[0].rstrip(), found[0]) and same(expected[1:], found[1:])


def run(command, folder, program):
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(
        ["bash", "-e", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )


class Checker:
    def __init__(self, program, scratch, show):
        self.program, self.scratch, self.show = program, pathlib.Path(scratch), show
        self.folders, self.wrong, self.commands = {}, 0, 0

    def page(self, page):
        """Runs a page once; hands back the folder that it left."""
        if page in self.folders:
            return self.folders[page]
        before = after(page)
        left = self.page(before) if before else None
        folder = self.scratch / str(len(self.folders))
        if left:
            shutil.copytree(left, folder, symlinks=True)
        else:
            folder.mkdir()
            for name in ("examples", "docs"):
                (folder / name).symlink_to(ROOT / name)
        self.folders[page] = folder
        started, name = time.monotonic(), page.relative_to(ROOT)
        for number, command, lines in blocks(page):
            self.commands += 1
            done = run(command, folder, self.program)
            self.judge(f"{name}:{number}", command, lines, done)
        print(f"{time.monotonic() - started:6.1f} s  {name}", flush=True)
        return folder

    def judge(self, place, command, lines, done):
        while lines and not lines[-1].strip():
            lines.pop()
        found = done.stdout.rstrip("\n").split("\n") if done.stdout.strip() else []
        fails = any(line.startswith("error: ") for line in lines)
        if self.show:
            print(f"{place}\n$ {command}\n{done.stdout}")
        if (done.returncode == 0) != fails and (not lines or same(lines, found)):
            return
        self.wrong += 1
        print(f"{place}: $ {command}\nends with {done.returncode} and prints\n{done.stdout}", file=sys.stderr)
        if lines:
            print("where the page has\n" + "\n".join(lines) + "\n", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--genelift", type=pathlib.Path, default=ROOT / "target/release/genelift")
    parser.add_argument("--show", action="store_true", help="print all that was printed")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    pages = [page.resolve() for page in arguments.pages]
    pages = pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    program = arguments.genelift.resolve()
    if not program.is_file():
        sys.exit(f"{program} is not there; cargo build --release makes it, --genelift names another")
    with tempfile.TemporaryDirectory() as scratch:
        checker = Checker(program, scratch, arguments.show)
        for page in pages:
            if blocks(page):
                checker.page(page)
        if not checker.commands:
            sys.exit("no page has a console block")
        if checker.wrong:
            sys.exit(f"{checker.wrong} of {checker.commands} commands of the documentation do not do what it says")
        print(f"{checker.commands} commands of the documentation do what it says")


if __name__ == "__main__":
    main()
