"""What calls leave: files, held in a temporary directory as long as the object lives, or where ``output`` says."""

from __future__ import annotations

import html
import json
import os
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ._errors import OutputExistsError
from ._folder import Folder
from ._store import read_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Result:
    """A file, or a folder of files, that a command wrote.

    It pickles with its content, and goes wherever a path does (:func:`os.fspath`). Without an ``output`` what it holds is removed
    when the object goes: keep the object, not its ``path``, or :meth:`save` it.
    """

    #: What the file is called where nobody gives it a name.
    NAME: ClassVar[str] = ""

    def __init__(self, path: str | os.PathLike[str], owner: Any = None) -> None:
        self.path = Path(path)
        # A temporary directory, which goes when the last that was written there does.
        self._owner = owner

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._said()})"

    def _said(self) -> str:
        return repr(str(self.path))

    def _files(self) -> dict[str, Path]:
        """The files by their names in the result: of a file its own, and the description beside it."""
        if self.path.is_dir():
            inside = (file for file in sorted(self.path.rglob("*")) if file.is_file())
            return {str(Path(self.NAME) / file.relative_to(self.path)): file for file in inside}
        beside = {self.NAME: self.path, f"{self.NAME}.json": self.path.with_name(f"{self.path.name}.json")}
        return {name: file for name, file in beside.items() if file.is_file()}

    def read_bytes(self) -> bytes:
        """The bytes of the file."""
        return self.path.read_bytes()

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Path:
        """Copies what was written to ``path``: the very bytes that the command leaves there.

        :raises OutputExistsError: for a path that is taken, unless ``force``.
        """
        path = Path(path)
        if path.exists() and not force:
            raise OutputExistsError(f"{path} already exists; give another name or pass force=True to replace it")
        if self.path.is_dir():
            shutil.copytree(self.path, path, dirs_exist_ok=force)
            return path
        for name, file in self._files().items():
            shutil.copyfile(file, path.with_name(path.name + name.removeprefix(self.NAME)))
        return path

    def __getstate__(self) -> dict[str, bytes]:
        return {name: file.read_bytes() for name, file in self._files().items()}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        owner = Folder()
        for name, content in state.items():
            file = owner.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self.__init__(owner.path / self.NAME, owner)  # type: ignore[misc]


class Tensors(Result):
    """A safetensors file: tensors, and metadata as text."""

    @cached_property
    def _header(self) -> tuple[dict[str, Any], int]:
        with open(self.path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(length)), 8 + length

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself, as text."""
        return self._header[0].get("__metadata__", {})

    @property
    def config(self) -> dict[str, Any]:
        """What defines the numbers: settings, and the samples that it was made from by their hashes."""
        return json.loads(self.metadata["config"])

    @property
    def tensors(self) -> dict[str, np.ndarray[Any, Any]]:
        """The tensors by name, float32, mapped from the file: read-only, nothing is copied."""
        import numpy as np

        header, start = self._header
        kinds = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "U32": "<u4", "U8": "u1", "I64": "<i8"}
        found: dict[str, np.ndarray[Any, Any]] = {}
        for name, tensor in header.items():
            if name != "__metadata__":
                first = start + tensor["data_offsets"][0]
                shape = tuple(tensor["shape"])
                found[name] = np.memmap(self.path, kinds[tensor["dtype"]], "r", first, shape)
        return found


def epochs(told: list[dict[str, Any]]) -> pd.DataFrame:
    """The epochs of a training, in the columns of the command's ``--history``."""
    import pandas as pd

    columns = ["epoch", "train_loss", "penalty", "validation_loss", "train_mae", "validation_mae", "took", "samples_per_second"]
    table = pd.DataFrame([{column: epoch.get(column) for column in columns} for epoch in told], columns=columns)
    floats = dict.fromkeys(columns[1:], float)
    return table.astype({"epoch": int, **floats}).rename(columns={"took": "seconds"})


class Model(Tensors):
    """A trained autoencoder: ``layers.{i}.weight`` [out, in], ``layers.{i}.bias``, ``input.offset``, ``input.scale``, all float32."""

    NAME = "model.safetensors"

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row for each epoch of the call: losses, errors in the data's units (MAE), seconds. No row where the model was read from a
        file, which does not hold them.
        """
        return epochs([])

    @cached_property
    def genes(self) -> list[str]:
        """Ids of the genes, in the order of inputs and outputs."""
        return json.loads(self.metadata["genes"])

    @property
    def hidden(self) -> list[int]:
        """Widths of the hidden layers; the narrowest is the bottleneck."""
        biases = [name for name in self._header[0] if name.endswith(".bias")]
        widths = [self._header[0][f"layers.{i}.bias"]["shape"][0] for i in range(len(biases))]
        return widths[:-1]

    def _said(self) -> str:
        return f"{len(self.genes)} genes, hidden {self.hidden}"


class Table(Result):
    """A table of genes, and the description beside it."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """The table, best first."""
        return read_table(self.path)

    @property
    def genes(self) -> list[str]:
        """Ids of the genes, best first."""
        return self.table["gene_id"].tolist()

    @cached_property
    def about(self) -> dict[str, Any]:
        """What it was made from, the settings, and what there is to tell."""
        return json.loads(self.path.with_name(f"{self.path.name}.json").read_text(encoding="utf-8"))

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.genes)

    def _said(self) -> str:
        more = ", …" if len(self) > 5 else ""
        return f"{len(self)} genes: {', '.join(self.genes[:5])}{more}"


class Scores(Table):
    """A score for each gene by DeepLIFT, in ``table``: ``rank``, ``gene_id``, ``score``."""

    NAME = "scores.tsv"

    #: Scores of each bottleneck neuron, neurons × genes in the model's order, where they were asked for.
    per_node: np.ndarray[Any, Any] | None = None

    @property
    def scores(self) -> pd.Series:
        """The scores by gene id, best first."""
        return self.table.set_index("gene_id")["score"]


class Landmarks(Table):
    """Landmark genes, in ``table``: ``rank``, ``gene_id``, ``score`` and what else was asked for."""

    NAME = "landmarks.tsv"


class Predictor(Tensors):
    """Infers targets from landmarks."""

    NAME = "predictor.safetensors"

    @cached_property
    def landmarks(self) -> list[str]:
        """Ids of the genes that are measured."""
        return json.loads(self.metadata["landmarks"])["ids"]

    @cached_property
    def targets(self) -> list[str]:
        """Ids of the genes that are inferred."""
        return json.loads(self.metadata["targets"])["ids"]

    @property
    def method(self) -> str:
        """How."""
        return self.metadata["method"].strip('"')

    def _said(self) -> str:
        return f"{self.method}, {len(self.landmarks)} landmarks, {len(self.targets)} targets"


class Tables(Result):
    """A folder of tables."""

    NAME = "tables"

    #: What the command prints, and ``print`` of this too.
    text: str = ""

    def __str__(self) -> str:
        return self.text.rstrip("\n") or repr(self)

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the same text, whose lines are moved sideways where they are too long, and not wrapped."""
        if not self.text:
            return None
        return f'<pre style="white-space: pre; overflow-x: auto; margin: 0; padding: 0; font-size: 0.9em">{html.escape(self.text.rstrip(chr(10)))}</pre>'

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files without ``.tsv``, with their folder where there are several sizes."""
        files = sorted(self.path.rglob("*.tsv"))
        return {str(file.relative_to(self.path).with_suffix("")): read_table(file) for file in files}

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def _said(self) -> str:
        return ", ".join(self.tables)
