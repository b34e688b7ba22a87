"""genelift finds the genes that say most about all the others.

Five lines on an AnnData, a pandas DataFrame, a NumPy array, a SciPy sparse matrix (samples × genes) or the path of a store::

    model = genelift.train(adata)
    genelift.attribute(model, adata)                     # adata.var["genelift_score"]
    landmarks = genelift.select(adata, 200)              # adata.var["landmark"], adata.var["landmark_rank"]
    predictor = genelift.fit(adata, landmarks)
    completed = genelift.predict(predictor, measured)    # profiles of all genes

Every function does what the command of its name does, by the same code: keyword arguments are the command's long options with
underscores (``learning_rate=1e-3`` is ``--learning-rate 1e-3``, ``no_shuffle=True`` is ``--no-shuffle``), defaults are the
command's, and results are byte for byte its files. ``genelift.command("train", "--help")`` shows an option's help.

All of them take ``device``, ``seed``, ``threads``, ``memory``, ``device_memory`` where the command does; ``layer``, the layer of an
AnnData to read in place of X (``"raw"`` too); and ``progress``: True for a bar, False for none, a function that is called with each
:class:`Event`; a bar where somebody watches if it is not given. Notes go to the logger ``genelift``, warnings are
:class:`GeneliftWarning`, errors :class:`Error`. Ctrl-C ends a call.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

# What a module holds is imported when it is first asked for: the command, which is in here too, needs none of it.
_WHERE = {
    "_functions": ("attribute", "cluster", "command", "compare", "embed", "enrich", "evaluate", "explain", "fit",
                   "predict", "reconstruct", "report", "select", "train"),
    "_results": ("Landmarks", "Model", "Predictor", "Scores", "Tables"),
    "_store": ("Store",),
    "_progress": ("Event",),
    "_errors": ("Error", "UsageError", "UnknownOptionError", "DataError", "OutputExistsError", "FileError", "DeviceError",
                "DivergedError", "InterruptedCall", "GeneliftWarning"),
    "_estimators": ("GeneCompleter", "LandmarkSelector", "SigmoidAutoencoder"),
}  # fmt: skip
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = sorted(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # to whom a name that is not there would be one

    def __getattr__(name: str):
        if name == "__version__":
            from ._genelift import __version__

            return __version__
        if name not in _MODULES:
            raise AttributeError(f"module 'genelift' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"genelift.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if TYPE_CHECKING:
    __version__: str
    from ._errors import (
        DataError as DataError,
        DeviceError as DeviceError,
        DivergedError as DivergedError,
        Error as Error,
        FileError as FileError,
        GeneliftWarning as GeneliftWarning,
        InterruptedCall as InterruptedCall,
        OutputExistsError as OutputExistsError,
        UnknownOptionError as UnknownOptionError,
        UsageError as UsageError,
    )
    from ._estimators import (
        GeneCompleter as GeneCompleter,
        LandmarkSelector as LandmarkSelector,
        SigmoidAutoencoder as SigmoidAutoencoder,
    )
    from ._functions import (
        attribute as attribute,
        cluster as cluster,
        command as command,
        compare as compare,
        embed as embed,
        enrich as enrich,
        evaluate as evaluate,
        explain as explain,
        fit as fit,
        predict as predict,
        reconstruct as reconstruct,
        report as report,
        select as select,
        train as train,
    )
    from ._progress import Event as Event
    from ._results import (
        Landmarks as Landmarks,
        Model as Model,
        Predictor as Predictor,
        Scores as Scores,
        Tables as Tables,
    )
    from ._store import Store as Store

    __version__: str
