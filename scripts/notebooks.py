#!/usr/bin/env python3
"""Runs the notebooks of examples/notebooks in a real kernel and keeps what they show, or checks that what they keep is what they show.

    python3 scripts/notebooks.py [--check] [--wheel FILE] [NOTEBOOK.ipynb ...]

Without `--check` the outputs are written into the notebooks. With it nothing is written: every notebook is run anew and each output's text is compared with
what is kept, line by line, as scripts/check_docs.py compares: a number with a decimal point may differ by 2 % or by 2 in its last place, all other text is
compared as it is. Of a picture it is asked that there is one. A progress bar's line is of the clock and left out.

Needs a wheel (target/wheels, which scripts/wheel.sh fills) and Python with venv; all else comes from PyPI, pinned, into target/notebooks.
"""

import argparse
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_docs import same_line  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "examples/notebooks"
ENVIRONMENT = ROOT / "target/notebooks"
PACKAGES = ["numpy==2.2.6", "pandas==2.3.3", "scipy==1.15.3", "anndata==0.11.4", "matplotlib==3.10.8", "nbclient==0.11.0", "nbformat==5.11.1",
            "ipykernel==7.4.0"]
# A reader on a forge waits for all of it.
LIMIT = 300_000  # bytes of a notebook
SECONDS = 300  # of a cell
# IPython compiles a cell under a name that holds the number of the process.
CELL = re.compile(r"\S*ipykernel_\d+/\d+\.py:\d+")


def prepared(wheel):
    """A Python with the pinned packages and this wheel, made anew only when either has changed."""
    python, stamp = ENVIRONMENT / "bin/python", ENVIRONMENT / "packages.json"
    wanted = json.dumps([sys.version, PACKAGES])
    if not stamp.is_file() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
        stamp.write_text(wanted)
    # The same name and version can be another wheel.
    install = ["install", "-q", "--disable-pip-version-check", "--force-reinstall", "--no-deps", wheel]
    subprocess.run([python, "-m", "pip", *install], check=True)
    return python


def run(path):
    """The notebook with what its cells show now. It runs in a folder beside the examples, as a reader's does, that is not the repository's."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch, "examples/notebooks")
        folder.mkdir(parents=True)
        folder.with_name("brca").symlink_to(ROOT / "examples/brca")
        pathlib.Path(scratch, "docs").symlink_to(ROOT / "docs")
        client = NotebookClient(
            notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, record_timing=False, coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],  # it warns of TCP, which is this machine's own here
        )
        client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"], cell["metadata"] = f"cell-{number}", {}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = CELL.sub("cell.py", output.text)
    return notebook


def outputs(cell):
    """What of a cell's outputs is compared: (kind, lines)."""
    found = []
    for output in cell.get("outputs", []):
        if is_bar(output):
            continue
        if output["output_type"] == "stream":
            found.append((output["name"], output["text"].rstrip().split("\n")))
        for kind, content in sorted(output.get("data", {}).items()):
            found.append((kind, content.rstrip().split("\n") if kind.startswith("text/") else []))
    return found


def differences(kept, new):
    """Where a notebook keeps what it does not show."""
    for number, (old, anew) in enumerate(zip(kept["cells"], new["cells"], strict=True)):
        before, after = outputs(old), outputs(anew)
        if [kind for kind, _ in before] != [kind for kind, _ in after]:
            yield f"cell {number} keeps {[kind for kind, _ in before]} and shows {[kind for kind, _ in after]}"
            continue
        for (kind, lines), (_, shown) in zip(before, after):
            if len(lines) != len(shown) or not all(same_line(line.rstrip(), now) for line, now in zip(lines, shown)):
                yield f"cell {number} keeps as {kind}\n" + "\n".join(lines) + "\nand shows\n" + "\n".join(shown)


def bars(notebook):
    """Bars that do not end as they should: as one line of what the call took."""
    for number, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/plain", ""))
            if is_bar(output) and not re.fullmatch(r"[a-z]+: [\d,]+\.\d s", text):
                yield f"cell {number}: a bar ends as {text!r}"
            if "\r" in output.get("text", ""):
                yield f"cell {number}: a line that was written over is left in the output"


def is_bar(output):
    return output.get("metadata", {}).get("genelift") == "progress"


def tampered(notebook):
    """Copies of a notebook that lie, whose difference the comparison must see: a digit before a decimal point changed, and an output gone."""
    lie, gone = copy.deepcopy(notebook), copy.deepcopy(notebook)
    texts = [
        (place, kind)
        for cell in lie["cells"] for output in cell.get("outputs", []) if not is_bar(output)
        for place, kinds in ((output, ["text"]), (output.get("data", {}), ["text/html", "text/plain"]))
        for kind in kinds if re.search(r"\d\.\d", place.get(kind, ""))
    ]
    place, kind = texts[-1]
    place[kind] = re.sub(r"(\d)\.(\d)", lambda found: f"{(int(found[1]) + 5) % 10}.{found[2]}", place[kind], count=1)
    next(cell for cell in gone["cells"] if outputs(cell))["outputs"] = []
    return lie, gone


def wrong(path, check):
    import nbformat
    from nbclient.exceptions import CellExecutionError

    kept = nbformat.read(path, as_version=4)
    started = time.monotonic()
    try:
        new = run(path)
    except CellExecutionError as failed:
        yield f"a cell fails\n{failed}"
        return
    took = time.monotonic() - started
    yield from bars(new)
    if check:
        yield from differences(kept, new)
        for lie in tampered(kept):
            if not list(differences(lie, kept)):
                yield "the comparison does not see a changed number or an output that is gone"
    else:
        nbformat.write(new, path)
    size = path.stat().st_size
    if size > LIMIT:
        yield f"{size:,} bytes; at most {LIMIT:,}"
    print(f"{took:6.1f} s  {path.relative_to(ROOT)}, {size // 1000} kB", flush=True)


def inside(arguments):
    paths = [path.resolve() for path in arguments.notebooks] or sorted(NOTEBOOKS.glob("*.ipynb"))
    found = [f"{path.name}: {what}" for path in paths for what in wrong(path, arguments.check)]
    if found:
        sys.exit("\n".join(found))
    if arguments.check:
        print(f"{len(paths)} notebooks show what they keep")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; compare with what is kept")
    parser.add_argument("--wheel", type=pathlib.Path, help="instead of the one in target/wheels")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    wheels = [arguments.wheel] if arguments.wheel else sorted(ROOT.glob("target/wheels/genelift-*.whl"))
    if len(wheels) != 1 or not wheels[0].is_file():
        sys.exit("notebooks: there is not one wheel in target/wheels; scripts/wheel.sh builds it, --wheel names another")
    python = prepared(wheels[0].resolve())
    # A kernel of this environment, whatever others the user has.
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}", "JUPYTER_PLATFORM_DIRS": "1"}
    environment.pop("MPLBACKEND", None)  # the notebook's own
    words = ["--check"] * arguments.check + [str(path.resolve()) for path in arguments.notebooks]
    sys.exit(subprocess.run([python, __file__, "--inside", *words], env=environment).returncode)


if __name__ == "__main__":
    main()
