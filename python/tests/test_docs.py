"""What docstrings show is what happens; stubs and names fit what there is."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import genelift

MODULES = [name for _, name, _ in pkgutil.iter_modules(genelift.__path__) if not name.startswith("_genelift")]


@pytest.mark.parametrize("module", ["", *MODULES])
def test_examples_run(module):
    found = doctest.testmod(importlib.import_module(f"genelift.{module}".rstrip(".")))
    assert found.failed == 0


def test_everything_public_says_what_it_is():
    for name in genelift.__all__:
        value = getattr(genelift, name)
        assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        genelift.trian  # noqa: B018


def test_every_name_for_type_checkers_is_one():
    text = inspect.getsource(genelift).split("if TYPE_CHECKING:")[1]
    assert all(f" {name}," in text or f" {name}\n" in text for name in genelift.__all__)


def test_the_documentations_examples_have_types(tmp_path):
    """What the pages show, and what else a reader does with results, as a type checker of the reader's sees it."""
    pages = Path(__file__).parents[2]
    found = []
    for page in ("README.md", "docs/python.md", "python/README.md"):
        found += re.findall(r"```python\n(.*?)```", (pages / page).read_text(encoding="utf-8"), re.S)
    assert len(found) >= 2
    blocks = [f"def example_{i}(adata: anndata.AnnData, measured: anndata.AnnData) -> None:\n{textwrap.indent(block, '    ')}" for i, block in enumerate(found)]
    more = """
        def more(x: np.ndarray[Any, Any], frame: pd.DataFrame) -> None:
            model = genelift.train(x, hidden=[8, 3, 8], progress=lambda event: print(event.task))
            losses: pd.Series = model.history["train_loss"]
            genes: list[str] = genelift.select(frame, 3, include=["a"]).genes
            summary: pd.DataFrame = genelift.compare([frame], frame, {"a": genes, "b": "l1000"}, size=2)["summary"]
            genelift.GeneCompleter().fit(x, x).predict(x)
            genelift.Store("a.gex").to_pandas().iloc[0]
    """
    file = tmp_path / "examples.py"
    file.write_text("\n".join(["from typing import Any", "import anndata, genelift", "import numpy as np, pandas as pd", *blocks, textwrap.dedent(more)]))
    assert typed(["mypy", "--check-untyped-defs", "--ignore-missing-imports"], file, tmp_path) == (0, "Success: no issues found in 1 source file")
    file.write_text(file.read_text().replace(": pd.Series =", ": int =") + "\ngenelift.trian\n")
    code, told = typed(["mypy", "--ignore-missing-imports"], file, tmp_path)
    assert code == 1 and '"trian"' in told, "a name that is not there is seen"


def test_the_stub_is_what_the_library_has(tmp_path):
    told = typed(["mypy.stubtest", "--ignore-disjoint-bases"], "genelift._genelift", tmp_path)
    assert told == (0, "Success: no issues found in 1 module")


def typed(words, what, folder):
    done = subprocess.run([sys.executable, "-m", *words, str(what)], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout.strip()
