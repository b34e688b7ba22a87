#!/usr/bin/env python3
"""Whether the crate as `cargo package` packs it holds what it needs and says what is so: files that others name, one version everywhere, no
address that does not exist, a section of the changelog for every tag. `--build DIR` also unpacks it in DIR and builds it there, `--compile DIR` compiles
without making a program; what was built before is used where CARGO_TARGET_DIR says.

    python3 scripts/check_package.py [--build DIR | --compile DIR]
"""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEEDED = ["README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE-MIT", "LICENSE-APACHE", "THIRD_PARTY_LICENSES.md", "Cargo.lock", "build.rs", "src/main.rs",
          "shaders/matmul.wgsl", "examples/brca.toml", "examples/library.rs", "docs/start.md"]
LIMIT = 10 << 20  # crates.io's
LARGE = ["examples/brca/expression.csv.gz"]  # the only file of the repository above a mebibyte: whatever comes besides came by mistake


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def wrong():
    for name in output("git", "ls-files").split("\n") if (ROOT / ".git").exists() else []:
        if name and name not in LARGE and (ROOT / name).is_file() and (ROOT / name).stat().st_size > 1 << 20:
            yield f"{name} has more than a mebibyte and is in the repository"
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    packed = output("cargo", "package", "--list", "--allow-dirty", "--offline").split("\n")
    for name in NEEDED:
        if name not in packed:
            yield f"cargo package leaves {name} out"
    for name in packed:
        if name.startswith(("tests/", "fuzz/", "scripts/", ".")) and name != ".cargo_vcs_info.json":
            yield f"cargo package takes {name}, which nobody needs there"
    # What the sources and the pages of the package name in it.
    for page in ("README.md", "CHANGELOG.md"):
        for link in re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            if "://" in link:
                continue
            if not (ROOT / link).exists():
                yield f"{page}: {link} is not there"
            elif (ROOT / link).is_file() and link not in packed:
                yield f"{page} names {link}, which is not in the package"
    for target in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("src/**/*.rs"))):
        if not any(name.endswith(target.replace("../", "")) for name in packed):
            yield f"the sources include {target}, which is not in the package"
    for key in ("repository", "homepage", "documentation"):
        if key in manifest:
            yield f"Cargo.toml: {key} = {manifest[key]!r}: check by hand that this is there, then take the line out of this script"
    version, citation = manifest["version"], (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    if f"\nversion: {version}\n" not in citation:
        yield f"CITATION.cff does not say version {version}"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if "\n## [Unreleased]\n" not in changelog:
        yield "CHANGELOG.md has no section [Unreleased]"
    for tag in output("git", "tag", "--list", "v*").split() if (ROOT / ".git").exists() else []:
        if not re.search(rf"^## \[{re.escape(tag[1:])}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M):
            yield f"CHANGELOG.md has no section of the tag {tag}: ## [{tag[1:]}] - DATE"


def build(how, folder):
    """Packs, unpacks far from the repository, and builds."""
    folder = pathlib.Path(folder).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", folder / "target"))
    subprocess.run(["cargo", "package", "--no-verify", "--allow-dirty", "--offline", "--target-dir", str(target)], cwd=ROOT, check=True)
    crate = max(target.glob("package/*.crate"), key=lambda path: path.stat().st_mtime)
    if crate.stat().st_size > LIMIT:
        sys.exit(f"{crate.name} has {crate.stat().st_size >> 20} MiB; crates.io takes 10")
    with tarfile.open(crate) as packed:
        packed.extractall(folder, filter="data")
    unpacked = folder / crate.name.removesuffix(".crate")
    command = ["cargo", how, "--release", "--locked", "--offline", "--target-dir", str(target)]
    subprocess.run(command, cwd=unpacked, check=True)
    if how == "build":
        print(subprocess.run([target / "release/genelift", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout, end="")
    print(f"{crate.name}: {crate.stat().st_size / (1 << 20):.1f} MiB, cargo {how} passes")


def main():
    found = list(wrong())
    if found:
        sys.exit("\n".join(found))
    print("the package holds what it needs")
    if sys.argv[1:2] in (["--build"], ["--compile"]):
        build("build" if sys.argv[1] == "--build" else "check", sys.argv[2])


if __name__ == "__main__":
    main()
