#!/usr/bin/env python3
"""Writes THIRD_PARTY_LICENSES.md: every crate that is in what users get (default features, all platforms), under which licence it is
taken, and the text of it as the crate has it. `--check` compares what is there instead. Python's standard library and cargo; the
crates' sources must be on the machine, as after a build (`cargo fetch --locked`).

    python3 scripts/licenses.py [--check]
"""

import difflib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD_PARTY_LICENSES.md"
# Where a crate gives a choice, the first of these that it names.
PREFERRED = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "BSD-1-Clause", "ISC", "Zlib", "0BSD", "Unlicense", "CC0-1.0", "BSL-1.0", "MIT-0"]
# What makes a file the text of a licence, by its name and by its words.
NAMED = {
    "MIT": (r"MIT", r"Permission is hereby granted"),
    "MIT-0": (r"MIT-?0", r"Permission is hereby granted"),
    "Apache-2.0": (r"APACHE", r"Apache License"),
    "BSD-3-Clause": (r"BSD", r"Redistribution and use"),
    "BSD-2-Clause": (r"BSD", r"Redistribution and use"),
    "BSD-1-Clause": (r"BSD", r"Redistribution and use"),
    "ISC": (r"ISC", r"Permission to use, copy, modify"),
    "Zlib": (r"ZLIB", r"without any express or implied"),
    "0BSD": (r"0BSD|BSD", r"Permission to use, copy, modify"),
    "Unlicense": (r"UNLICENSE", r"public domain"),
    "CC0-1.0": (r"CC0", r"CC0|public domain"),
    "BSL-1.0": (r"BOOST|BSL", r"Boost Software License"),
    "Unicode-3.0": (r"UNICODE", r"UNICODE"),
    "CDLA-Permissive-2.0": (r"CDLA|LICENSE", r"CDLA|Community Data License"),
    "OFL-1.1": (r"OFL", r"SIL OPEN FONT|SIL Open Font"),
    "MPL-2.0": (r"MPL|LICENSE", r"Mozilla Public License"),
}


def crates():
    """The crates that are linked or used to build, without those of tests, of every member of the workspace."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, waiting = set(), list(metadata["workspace_members"])
    while waiting:
        crate = waiting.pop()
        if crate in seen:
            continue
        seen.add(crate)
        for dependency in nodes[crate]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    members = set(metadata["workspace_members"])
    return sorted((packages[crate] for crate in seen - members), key=lambda p: (p["name"], p["version"]))


def taken(expression):
    """The licences under which a crate is taken: of each alternative the preferred one, of those that hold together all."""
    parts = re.split(r"\s+AND\s+(?![^()]*\))", expression.replace("/", " OR "))
    chosen = []
    for part in parts:
        choices = [word.strip("() ") for word in re.split(r"\s+(?:OR|AND)\s+|\s+WITH\s+\S+", part) if word.strip("() ")]
        chosen += [next((name for name in PREFERRED if name in choices), choices[0])]
    return chosen


def text_of(package, licence):
    """The crate's own text of a licence; blank where it has none."""
    folder = pathlib.Path(package["manifest_path"]).parent
    name, words = NAMED.get(licence, (re.escape(licence), "."))
    files = sorted(p for p in folder.iterdir() if p.is_file() and re.match(r"(?i)(un)?licen[cs]e|copying|notice", p.name))
    own = [p for p in files if re.search(name, p.name, re.I)] or files
    for path in own:
        text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()
        if re.search(words, text):
            return "\n".join(line.rstrip() for line in text.split("\n"))
    return ""


def page():
    all_crates = crates()
    by_licence, texts, without = {}, {}, []
    for package in all_crates:
        label = f"{package['name']} {package['version']}"
        for licence in taken(package["license"] or "unknown"):
            by_licence.setdefault(licence, []).append(label)
            text = text_of(package, licence)
            if text:
                texts.setdefault((licence, text), []).append(label)
            else:
                without.append((licence, label, ", ".join(package["authors"])))
    lines = [
        "# Licences of what is in genelift",
        "",
        "Made by `scripts/licenses.py` from the sources of the crates; CI keeps it so. genelift itself is under MIT or Apache-2.0, at your choice.",
        "What it bundles beside crates says where it is from: `src/genes/panels/`, `src/enrich/collections/ORIGIN.md`, `examples/brca/ORIGIN.md`.",
        "",
        f"The default features on all platforms use {len(all_crates)} crates. Of a choice of licences the first of {', '.join(PREFERRED[:3])} is taken.",
        "",
        "| licence | crates |",
        "| --- | --- |",
    ]
    for licence, labels in sorted(by_licence.items(), key=lambda entry: -len(entry[1])):
        lines.append(f"| {licence} | {', '.join(labels)} |")
    if without:
        lines += ["", "These crates name the licence and bring no file of its text:", ""]
        lines += [f"* {label}: {licence}" + (f" ({authors})" if authors else "") for licence, label, authors in without]
    order = sorted(texts.items(), key=lambda entry: (entry[0][0], entry[1][0].lower()))
    for (licence, text), labels in order:
        lines += ["", f"## {licence}: {', '.join(labels)}", "", "```text", text.replace("```", "'''"), "```"]
    return "\n".join(lines) + "\n"


def main():
    made = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8")
        print(f"{PAGE.name}: {len(made) // 1024} KiB")
        return
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if made != written:
        difference = list(difflib.unified_diff(written.split("\n"), made.split("\n"), "written", "made", lineterm="", n=0))
        print("\n".join(line[:200] for line in difference[:20]))
        sys.exit(f"{PAGE.name} is not what the crates say; write it anew: python3 scripts/licenses.py")
    print(f"{PAGE.name} is what the crates say")


if __name__ == "__main__":
    main()
