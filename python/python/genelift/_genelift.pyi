from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, final

import numpy as np

_Names = tuple[list[str], list[tuple[str, list[str]]]] | None

__all__ = ["Lent", "Writer", "__version__", "call", "main"]

__version__: str

def call(arguments: list[str], threads: int | None, listener: Callable[..., None]) -> str: ...
def main(arguments: list[str]) -> int: ...

@final
class Lent:
    @staticmethod
    def array(name: str, array: np.ndarray[Any, Any], samples: _Names, genes: _Names) -> Lent: ...
    @staticmethod
    def store(name: str, path: str | PathLike[str]) -> Lent: ...
    @property
    def path(self) -> Path: ...

@final
class Writer:
    def __new__(cls, path: str | PathLike[str], genes: int) -> Writer: ...
    def push(self, block: np.ndarray[Any, Any]) -> None: ...
    def finish(self, samples: _Names, genes: _Names, shape: tuple[int, int]) -> None: ...
