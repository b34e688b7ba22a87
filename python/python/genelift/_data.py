"""Matrices of Python as commands see them: lent where they lie if they are float32 in C order, else converted block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeGuard, Union

import numpy as np

from ._errors import DataError, UsageError
from ._folder import Folder
from ._genelift import Lent, Writer
from ._store import Store

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    #: What functions take as data, samples × genes.
    Data = Union["AnnData", pd.DataFrame, np.ndarray[Any, Any], Store, str, os.PathLike[str], Any]

#: Ids, and further columns with their headers.
Names = Optional[tuple[list[str], list[tuple[str, list[str]]]]]

#: Values that are converted at a time.
BLOCK = 4 << 20
#: A converted matrix of more bytes is a file in the temporary directory (TMPDIR), where the system may write it out.
IN_MEMORY = 64 << 20


def is_anndata(data: Any) -> TypeGuard[Any]:
    """Whether this is an AnnData, without importing the package where nobody has."""
    return any(base.__name__ == "AnnData" for base in type(data).__mro__)


def is_frame(data: Any) -> TypeGuard[Any]:
    """Whether this is a pandas DataFrame."""
    return type(data).__module__.startswith("pandas.") and type(data).__name__ == "DataFrame"


def is_path(data: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether this names a file, a store, or what the command has a word for."""
    return isinstance(data, (str, os.PathLike))


def is_data(value: Any) -> bool:
    """Whether this is a matrix."""
    return is_anndata(value) or is_frame(value) or (hasattr(value, "shape") and len(value.shape) == 2)


#: What samples without names are called that something is applied to.
NEW = "profile"


def lend(data: Any, name: str, layer: str | None, unnamed: str = "sample") -> tuple[str, list[Any]]:
    """What a command finds the data by, and what has to be kept until it is done.

    Samples without names are called by ``unnamed`` and their number. New data take another word than those that something was
    learned from, or they would be taken for the same samples.
    """
    if is_path(data):
        if layer is not None:
            raise UsageError("layer: only an AnnData has layers; a store has been made from one of them")
        return os.fspath(data), []
    if is_anndata(data):
        matrix, var = chosen(data, layer)
        return lend_matrix(matrix, name, names(data.obs), names(var))
    if layer is not None:
        raise UsageError(f"layer: only an AnnData has layers, and this is {described(data)}")
    if is_frame(data):
        return lend_matrix(values(data, name), name, index(data.index, unnamed), index(data.columns))
    if not hasattr(data, "shape") or not hasattr(data, "dtype"):
        raise TypeError(
            f"{name}: expected an AnnData, a NumPy array, a pandas DataFrame, a SciPy sparse matrix (samples × genes), a "
            f"genelift.Store or a path, found {described(data)}"
        )
    return lend_matrix(data, name, index(range(data.shape[0]), unnamed) if len(data.shape) else None, None)


def described(data: Any) -> str:
    """What something is, for a message."""
    return f"{type(data).__module__}.{type(data).__name__}".removeprefix("builtins.")


def chosen(adata: Any, layer: str | None) -> tuple[Any, Any]:
    """The matrix of an AnnData, and the table of its genes."""
    if layer is None:
        if adata.X is None:
            raise DataError(f"the AnnData has no X; layer takes one of: {', '.join(adata.layers)}")
        return adata.X, adata.var
    if layer == "raw" and adata.raw is not None:
        return adata.raw.X, adata.raw.var
    if layer not in adata.layers:
        raise UsageError(f"layer {layer!r}: the AnnData has {', '.join(adata.layers) or 'no layers'}")
    return adata.layers[layer], adata.var


def text(column: Any) -> list[str]:
    """A column as text, as a file of it is read: nothing for what is missing, whole numbers without a point."""
    import pandas as pd

    def one(value: Any) -> str:
        if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
            return ""
        if isinstance(value, (bool, np.bool_)):
            return "true" if value else "false"
        if isinstance(value, (float, np.floating)):
            return np.format_float_positional(value, trim="-")
        return str(value).strip()

    return [one(value) for value in column.array]


#: Columns of var that genelift itself writes: what it has found says nothing of what a gene is.
OWN = frozenset({"genelift_score", "landmark", "landmark_rank"})


def names(table: Any) -> Names:
    """Ids and columns of obs or var."""
    columns = [(str(name), text(table[name])) for name in table.columns if name not in OWN]
    return [str(name) for name in table.index], columns


def index(labels: Any, unnamed: str = "sample") -> Names:
    """Ids of one side of a DataFrame; None where it only counts, as an import numbers it, or numbers after another word."""
    import pandas as pd

    if not isinstance(labels, (pd.RangeIndex, range)):
        return [str(label) for label in labels], []
    return None if unnamed == "sample" else ([f"{unnamed}_{i + 1}" for i in range(len(labels))], [])


def values(frame: pd.DataFrame, name: str) -> Any:
    """The values of a DataFrame: as they lie if all columns are of one type, else column by column when they are read."""
    wrong = [column for column, kind in frame.dtypes.items() if not is_number(kind)]
    if wrong:
        raise DataError(
            f"{name}: column {wrong[0]!r} holds {frame.dtypes[wrong[0]]}, not numbers; put what describes samples into the "
            "index or into AnnData.obs, and leave the genes as columns"
        )
    return frame.to_numpy() if len(set(frame.dtypes)) == 1 else Mixed(frame)


def is_number(kind: Any) -> bool:
    return getattr(kind, "kind", "O") in "biuf"


class Mixed:
    """A DataFrame of several types of numbers, by blocks of rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.shape, self.dtype = frame, frame.shape, np.dtype(np.float64)

    def __getitem__(self, rows: slice) -> Any:
        return self.frame.iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)


def lend_matrix(matrix: Any, name: str, samples: Names, genes: Names) -> tuple[str, list[Any]]:
    """Lends a matrix of any kind."""
    if len(matrix.shape) != 2:
        raise DataError(f"{name}: expected a matrix, samples × genes, found {len(matrix.shape)} dimensions")
    rows, columns = (int(n) for n in matrix.shape)
    if rows == 0 or columns == 0:
        raise DataError(f"{name}: a matrix of {rows} samples × {columns} genes is empty")
    if not is_number(np.dtype(matrix.dtype) if is_plain(matrix.dtype) else matrix.dtype):
        raise DataError(f"{name}: expected a matrix of numbers, found type {matrix.dtype}")
    if lies_as_lent(matrix):
        lent = Lent.array(name, matrix, samples, genes)
        return os.fspath(lent.path), [lent]
    block = reader(matrix)
    step = max(1, BLOCK // columns)
    if 4 * rows * columns <= IN_MEMORY:
        held = np.empty((rows, columns), dtype=np.float32)
        for first in range(0, rows, step):
            held[first : first + step] = block(slice(first, min(rows, first + step)))
        lent = Lent.array(name, held, samples, genes)
        return os.fspath(lent.path), [lent]
    folder = Folder()
    path = folder.path / name
    writer = Writer(path, columns)
    for first in range(0, rows, step):
        writer.push(single(block(slice(first, min(rows, first + step)))))
    writer.finish(samples, genes, (rows, columns))
    lent = Lent.store(name, path)
    return os.fspath(lent.path), [lent, folder]


def is_plain(kind: Any) -> bool:
    try:
        np.dtype(kind)
    except TypeError:
        return False
    return True


def lies_as_lent(matrix: Any) -> bool:
    """Whether the values can be read where they are."""
    return (
        isinstance(matrix, np.ndarray)
        and not isinstance(matrix, np.ma.MaskedArray)
        and matrix.dtype == np.dtype("<f4")
        and matrix.flags.c_contiguous
        and matrix.flags.aligned
        and matrix.__array_interface__["strides"] is None
    )


def single(block: Any) -> np.ndarray[Any, Any]:
    """A block as float32 in C order. What is too large becomes infinite, which is refused with its place."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(block, dtype=np.float32)


def reader(matrix: Any) -> Callable[[slice], Any]:
    """Rows of a matrix as dense blocks. Sparse matrices by columns, in memory or in a file, are turned first, still sparse."""
    if hasattr(matrix, "to_memory") and getattr(matrix, "format", "csr") != "csr":
        matrix = matrix.to_memory()
    if hasattr(matrix, "tocsr") and getattr(matrix, "format", "csr") != "csr":
        matrix = matrix.tocsr()

    def block(rows: slice) -> Any:
        part = matrix[rows]
        if hasattr(part, "toarray"):
            part = part.toarray()
        if isinstance(part, np.ma.MaskedArray):
            part = np.ma.filled(part.astype(np.float64), np.nan)
        return single(np.asarray(part))

    return block


def list_of_names(value: Any, folder: Callable[[], Path]) -> str:
    """A file of the names of genes that were given as a list, in their order."""
    items: Sequence[Any] = list(value)
    lines = [str(item) for item in items]
    wrong = next((line for line in lines if not line.strip() or "\n" in line or "\t" in line), None)
    if wrong is not None or not lines:
        raise UsageError(f"a list of genes needs names without tabs or line ends, found {wrong!r}")
    path = folder() / f"names-{len(list(folder().iterdir()))}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
