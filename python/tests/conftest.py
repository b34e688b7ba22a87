"""What the tests share: the shipped example as a store, and the command as it is installed."""

import os
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import genelift

EXAMPLE = Path(os.environ.get("GENELIFT_EXAMPLE", Path(__file__).parents[2] / "examples" / "brca"))
COMMAND = Path(sysconfig.get_path("scripts")) / "genelift"
CPU = {"device": "cpu"}
SMALL = {"hidden": [32, 8, 32], "epochs": 3, "device": "cpu"}


def command(*words, expect=0):
    """Runs the installed command; its standard output and standard error."""
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The example, 769 × 2,000, as the command imports it."""
    path = tmp_path_factory.mktemp("example") / "data.gex"
    command("import", EXAMPLE / "expression.csv.gz", "--labels", EXAMPLE / "pam50.csv", "-o", path)
    return genelift.Store(path)


@pytest.fixture
def adata(store):
    """The example as an AnnData."""
    return store.to_anndata()


@pytest.fixture
def small():
    """60 × 40 values of three factors and noise."""
    rng = np.random.default_rng(7)
    factors = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 40))
    return (5 + factors + 0.3 * rng.normal(size=(60, 40))).astype(np.float32)
