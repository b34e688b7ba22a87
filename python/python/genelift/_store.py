"""Stores as NumPy and pandas see them."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._genelift import Lent

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def read_table(path: str | os.PathLike[str], index: str | None = None) -> pd.DataFrame:
    """A table that genelift wrote, all digits kept. Names such as NA stay names; among numbers NA is a missing one."""
    import pandas as pd

    with open(path, encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split("\t")
    names = {name: str for name in header if name in ("gene_id", "sample_id", "symbol", "entrez", "ensembl", "set")}
    table = pd.read_csv(
        path, sep="\t", dtype=names, keep_default_na=False, na_values=[""], float_precision="round_trip"
    )
    for name in names:
        table[name] = table[name].fillna("")
    for name in table.columns.difference(list(names)):
        column = table[name]
        if column.dtype == object and (missing := column == "NA").any():
            try:
                # Python's own reading, which keeps all digits as the reader does.
                table[name] = column.mask(missing, float("nan")).astype(float)
            except ValueError:
                pass  # text, whose NA is a word
    return table.set_index(index) if index else table


class Store:
    """A store: a matrix, samples × genes, that is mapped into memory and never changed.

    ``check=True`` reads all of it and compares it with its checksums.

    :raises DataError: for a folder that is no store, and for one that is damaged.

    >>> import tempfile, genelift
    >>> folder = tempfile.mkdtemp()
    >>> _ = genelift.command("simulate", "--samples", "5", "--genes", "7", "-o", f"{folder}/made.gex")
    >>> store = genelift.Store(f"{folder}/made.gex")
    >>> store.shape, store.matrix.dtype.name, list(store.genes.index[:2])
    ((5, 7), 'float32', ['g_1', 'g_2'])
    """

    def __init__(self, path: str | os.PathLike[str], check: bool = True) -> None:
        self.path = Path(path)
        if check or not (self.path / "store.json").is_file():
            Lent.store("store", self.path)

    def __repr__(self) -> str:
        samples, genes = self.shape
        return f"Store({str(self.path)!r}): {samples} samples × {genes} genes"

    def __fspath__(self) -> str:
        return str(self.path)

    @cached_property
    def info(self) -> dict[str, Any]:
        """What ``store.json`` says: shape, where the values come from, what was done to them, checksums."""
        return json.loads((self.path / "store.json").read_text(encoding="utf-8"))

    @property
    def shape(self) -> tuple[int, int]:
        """Samples, genes."""
        samples, genes = self.info["shape"]
        return samples, genes

    @cached_property
    def matrix(self) -> Any:
        """The values, samples × genes, float32 or float16, as they lie in the file: read-only, nothing is copied. Of a sparse store a
        ``scipy.sparse.csr_matrix`` over its files; SciPy computes nothing with float16 (``.astype(np.float32)``)."""
        import numpy as np

        if self.is_sparse:
            from scipy.sparse import csr_matrix

            parts = (np.load(self.path / f"{name}.npy", mmap_mode="r") for name in ("data", "indices", "indptr"))
            return csr_matrix(tuple(parts), shape=self.shape, copy=False)
        return np.load(self.path / "matrix.npy", mmap_mode="r")

    @property
    def is_sparse(self) -> bool:
        """Whether the files hold only the values that are not zero (``genelift import --layout sparse``)."""
        return self.info.get("pairs") is not None

    def _values(self) -> Any:
        """The values in memory, in their layout."""
        import numpy as np

        return self.matrix.astype(np.float32) if self.is_sparse else np.array(self.matrix)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row for each sample, by its id; text."""
        return self._names("samples.tsv", "sample_id")

    @cached_property
    def genes(self) -> pd.DataFrame:
        """A row for each gene, by its id; text."""
        return self._names("genes.tsv", "gene_id")

    def _names(self, file: str, key: str) -> pd.DataFrame:
        import pandas as pd

        return pd.read_csv(self.path / file, sep="\t", dtype=str, keep_default_na=False).set_index(key)

    def to_pandas(self) -> pd.DataFrame:
        """The values with the ids of samples and genes, in memory."""
        import pandas as pd

        values = self._values()
        return pd.DataFrame(values.toarray() if self.is_sparse else values, index=self.samples.index, columns=self.genes.index)

    def to_anndata(self) -> Any:
        """An AnnData with the values, the samples' table as obs and the genes' as var, in memory."""
        from anndata import AnnData

        return AnnData(self._values(), obs=self.samples.copy(), var=self.genes.copy())
