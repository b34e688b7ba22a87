"""The functions: each is the command of its name on data of Python's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from ._call import Call, run
from ._data import NEW, chosen, is_anndata, is_frame, is_path
from ._errors import UsageError
from ._progress import Progress
from ._results import Landmarks, Model, Predictor, Scores, Table, Tables, epochs
from ._store import Store, read_table

if TYPE_CHECKING:
    import pandas as pd

    from ._data import Data

    PathLike = Union[str, os.PathLike[str]]
    #: A panel: landmarks, a file of names, a word of the command's such as l1000, or names.
    Panel = Union[Landmarks, PathLike, Sequence[str]]


def command(*arguments: PathLike, progress: Progress = None) -> str:
    """Runs any command of genelift inside this process and returns what it would print.

    >>> import genelift
    >>> genelift.command("--version").startswith("genelift ")
    True
    """
    return run([os.fspath(argument) for argument in arguments], None, progress)


def written(value: Any, name: str) -> str:
    """The path of what an earlier call left, which comes before the data."""
    if not is_path(value):
        kind = name.capitalize()
        raise TypeError(f"{name}: expected a genelift.{kind} or the path of one, found {type(value).__name__}; it comes first, then the data")
    return os.fspath(value)


def keep(data: Any, key: str, value: Any) -> None:
    """Notes in an AnnData what was done to it: JSON by the function's name, in ``uns["genelift"]``."""
    if is_anndata(data):
        data.uns["genelift"] = {**data.uns.get("genelift", {}), key: json.dumps(value)}


def by_gene(data: Any, layer: str | None, values: pd.Series) -> np.ndarray[Any, Any] | None:
    """Values by gene id in the order of an AnnData's genes; None where they are those of ``raw``, which has no room for them."""
    return values.reindex(data.var_names).to_numpy() if layer != "raw" else None


def train(
    data: Data,
    *,
    init: Model | PathLike | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Model:
    """Trains an autoencoder on ``data``, samples × genes: ``genelift train``.

    :param data: AnnData, NumPy array, pandas DataFrame, SciPy sparse matrix, :class:`Store` or path of one; no missing values.
    :param init: a model to start from.
    :param output: where to keep the model's file; a temporary one that goes with the object if not given. An interrupted training
        with an ``output`` goes on when it is called again.
    :param options: the command's: ``hidden``, ``epochs``, ``batch``, ``learning_rate``, ``preset``, ``validation`` (a fraction, or
        data), ``device``, ``seed`` and all others.
    :returns: the model; its ``history`` has a row for each epoch.
    :raises DataError: for values that are not finite, ids that occur twice, and what else the command refuses.
    :raises UsageError: for options that contradict each other.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> model = genelift.train(x, hidden=[8, 3, 8], epochs=2, device="cpu")
    >>> model
    Model(12 genes, hidden [8, 3, 8])
    >>> len(model.history), model.tensors["layers.0.weight"].shape
    (2, (8, 12))
    """
    call = Call("train", options, layer, progress)
    call.words.append(call.data(data, "data"))
    path, owner = call.output(output, Model.NAME)
    call.add("--init", init)
    call.run()
    model = Model(path, owner)
    model.history = epochs([figures for of, figures in call.figures if of == "epoch"])
    keep(data, "train", {key: value for key, value in model.config.items() if not isinstance(value, (dict, list))})
    return model


def attribute(
    model: Model | PathLike,
    data: Data,
    *,
    per_node: bool = False,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Scores:
    """Scores every gene by DeepLIFT: ``genelift attribute``.

    An AnnData gets ``var["genelift_score"]``.

    :param per_node: also the scores of each bottleneck neuron, as ``per_node`` of the result: neurons × genes of the model.
    :param options: ``reference``, ``target``, ``aggregate``, ``samples``, …
    :returns: the scores, best first.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> model = genelift.train(x, hidden=[8, 3, 8], epochs=2, device="cpu")
    >>> scores = genelift.attribute(model, x, per_node=True, device="cpu")
    >>> len(scores), scores.per_node.shape
    (12, (3, 12))
    """
    call = Call("attribute", options, layer, progress)
    call.words += [written(model, "model"), call.data(data, "data")]
    path, owner = call.output(output, Scores.NAME)
    nodes = call.folder() / "nodes.npy"
    if per_node:
        call.add("--per-node", nodes)
    call.run()
    scores = Scores(path, owner)
    if per_node:
        scores.per_node = np.load(nodes)
    if is_anndata(data) and (values := by_gene(data, layer, scores.scores)) is not None:
        data.var["genelift_score"] = values
        keep(data, "attribute", scores.about["about"])
    return scores


def select(
    data: Data | Scores,
    n: int | None = None,
    *,
    scores: Scores | PathLike | None = None,
    model: Model | PathLike | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Landmarks:
    """Picks landmarks: ``genelift select``.

    An AnnData gets ``var["landmark"]`` (bool) and ``var["landmark_rank"]`` (from 1; NaN of all other genes).

    :param data: the training samples, or :class:`Scores` (or the path of their table), whose highest are taken then.
    :param n: how many; with ``until`` the most.
    :param scores: for ``strategy="top"``, so that an AnnData given as ``data`` gets the columns.
    :param options: ``strategy``, ``include`` and ``exclude`` (names of genes, or a file of them), ``until``, …

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> landmarks = genelift.select(x, 4, include=["gene_7"], device="cpu")
    >>> len(landmarks), landmarks.genes[0]
    (4, 'gene_7')
    """
    call = Call("select", options, layer, progress)
    if isinstance(data, Scores) or (is_path(data) and Path(os.fspath(data)).is_file()):
        if scores is not None:
            raise UsageError("scores are given twice: as data, and as scores")
        call.words.append(os.fspath(data))
    elif scores is not None:
        call.words.append(os.fspath(scores))
    else:
        call.add("--store", call.data(data, "data"))
    call.add("-n", None if n is None else str(n), "--model", model)
    path, owner = call.output(output, Landmarks.NAME)
    call.run()
    landmarks = Landmarks(path, owner)
    if is_anndata(data) and layer != "raw":
        ranks = landmarks.table.set_index("gene_id")["rank"].reindex(data.var_names)
        data.var["landmark"] = ranks.notna().to_numpy()
        data.var["landmark_rank"] = ranks.to_numpy(dtype=float)
        keep(data, "select", landmarks.about["about"])
    return landmarks


def panel_of(data: Any) -> list[str]:
    """The landmarks that an AnnData was marked with, by rank."""
    if not is_anndata(data) or "landmark" not in data.var:
        raise UsageError('give landmarks, or an AnnData on which genelift.select has marked them in var["landmark"]')
    marked = data.var[data.var["landmark"].astype(bool)]
    by_rank = marked.sort_values("landmark_rank") if "landmark_rank" in marked else marked
    return [str(name) for name in by_rank.index]


def fit(
    data: Data,
    landmarks: Panel | None = None,
    *,
    targets: Panel | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Predictor:
    """Fits a predictor of the other genes from landmarks: ``genelift fit``.

    :param landmarks: the genes that will be measured; those in ``var["landmark"]`` of an AnnData if not given.
    :param targets: the genes to infer; all others if not given.
    :param options: ``method`` (kernel, linear, mlp, knn, best), ``held_out``, …

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> genelift.fit(x, ["gene_1", "gene_5"], method="linear", device="cpu")
    Predictor(linear, 2 landmarks, 10 targets)
    """
    call = Call("fit", options, layer, progress)
    call.words.append(call.data(data, "data"))
    call.add("--landmarks", call.names(panel_of(data) if landmarks is None else landmarks))
    call.add("--targets", None if targets is None else call.names(targets))
    path, owner = call.output(output, Predictor.NAME)
    call.run()
    predictor = Predictor(path, owner)
    keep(data, "fit", {"method": predictor.method, "landmarks": len(predictor.landmarks)})
    return predictor


def predict(
    predictor: Predictor | PathLike,
    data: Data,
    *,
    intervals: bool = False,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Any:
    """Completes profiles: infers the targets from measured landmarks: ``genelift predict``.

    :param data: samples × genes with the landmarks, in any order, among any other genes.
    :param intervals: also a table of each inferred gene's R² in samples held out, its interval and whether it is reliable.
    :param output: a store to write.
    :param options: ``missing``, ``level``, ``replace``, …
    :returns: of an AnnData an AnnData with the genes as given and the inferred ones, told apart by ``var["origin"]``; of a store
        that is kept at ``output`` a :class:`Store`; else a DataFrame, samples × genes, float32. With ``intervals`` that and the table.

    >>> import numpy as np, genelift
    >>> x = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    >>> predictor = genelift.fit(x, ["gene_1", "gene_2"], method="linear", device="cpu")
    >>> genelift.predict(predictor, x[:5, :2], device="cpu").shape
    (5, 12)
    """
    call = Call("predict", options, layer, progress)
    call.words += [written(predictor, "predictor"), call.data(data, "data", NEW)]
    path, owner = call.output(output, "completed.gex")
    table = call.folder() / "intervals.tsv"
    if intervals:
        call.add("--intervals", table)
    call.run()
    completed = profiles(Store(path, check=False), data, output is not None, layer)
    del owner
    return (completed, read_table(table, "gene_id") if table.is_file() else None) if intervals else completed


def profiles(store: Store, data: Any, kept: bool, layer: str | None) -> Any:
    """A store in the kind of what it was made from."""
    if is_anndata(data):
        from anndata import AnnData

        obs = data.obs.copy()
        var = store.genes.copy()
        known = chosen(data, layer)[1]
        for column in known.columns:
            var[column] = known[column].reindex(var.index)
        return AnnData(np.array(store.matrix), obs=obs, var=var)
    if kept:
        return store
    completed = store.to_pandas()
    if is_frame(data):
        completed.index = data.index
        completed.columns.name = data.columns.name
    return completed


def reconstruct(
    model: Model | PathLike,
    data: Data,
    *,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Any:
    """The autoencoder's output, in the data's units: ``genelift reconstruct``. Returned as :func:`predict` returns profiles."""
    call = Call("reconstruct", options, layer, progress)
    call.words += [written(model, "model"), call.data(data, "data", NEW)]
    path, _owner = call.output(output, "reconstructed.gex")
    call.run()
    return profiles(Store(path, check=False), data, output is not None, layer)


def embed(
    model: Model | PathLike,
    data: Data,
    *,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> pd.DataFrame:
    """Activations of the bottleneck: ``genelift embed``. An AnnData gets ``obsm["X_genelift"]``, samples × neurons, float32.

    :param options: ``label``: sample columns to put beside them.
    :returns: a row for each sample, a column for each neuron.
    """
    call = Call("embed", options, layer, progress)
    call.words += [written(model, "model"), call.data(data, "data", NEW)]
    path, _owner = call.output(output, "embedding.tsv")
    call.run()
    table = read_table(path, "sample_id")
    neurons = [name for name in table.columns if name.startswith("neuron_")]
    table = table.astype(dict.fromkeys(neurons, np.float32))
    if is_anndata(data):
        data.obsm["X_genelift"] = table[neurons].to_numpy()
    return table


def evaluate(
    model: Model | PathLike,
    data: Data,
    *,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Tables:
    """Measures the autoencoder on samples, beside the training median: ``genelift evaluate``."""
    call = Call("evaluate", options, layer, progress)
    call.words += [written(model, "model"), call.data(data, "data", NEW)]
    return folder(call, output)


def folder(call: Call, output: PathLike | None) -> Tables:
    """Runs a command that writes a folder of tables."""
    path, owner = call.output(output, Tables.NAME)
    text = call.run()
    tables = Tables(path, owner)
    tables.text = text
    return tables


def compare(
    train: Data | Sequence[Data],
    test: Data | Sequence[Data],
    landmarks: Mapping[str, Panel] | None = None,
    *,
    subsets: Mapping[str, Panel] | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Tables:
    """Compares sets of landmarks, beside random draws, by what they predict on held-out samples: ``genelift compare``.

    :param train: what to fit on; several as many splits, each with the test at its place.
    :param test: other samples, or several sets of them.
    :param landmarks: panels by name: landmarks, names of genes, files, or ``"l1000"``.
    :param subsets: lists without a rank, of which random subsets of ``size`` are drawn.
    :param options: ``size``, ``method``, ``random_draws``, ``group_by``, …
    :returns: the tables; ``text`` is what the command prints.
    """
    call = Call("compare", options, layer, progress)
    for name, data in (("train", train), ("test", test)):
        several = list(data) if isinstance(data, (list, tuple)) else [data]
        for i, one in enumerate(several):
            numbered = name if len(several) == 1 else f"{name}-{i + 1}"
            call.add(f"--{name}", call.data(one, numbered, NEW if name == "test" else "sample"))
    for option, sets in (("--landmarks", landmarks), ("--subsets", subsets)):
        if sets is not None and not isinstance(sets, Mapping):
            raise TypeError(f'{option[2:]}: expected panels by name, such as {{"mine": landmarks}}, found {type(sets).__name__}')
        for name, panel in (sets or {}).items():
            call.add(option, f"{name}={call.names(panel)}")
    return folder(call, output)


def cluster(
    data: Data,
    *,
    model: Model | PathLike | None = None,
    landmarks: Panel | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> Tables:
    """Clusters samples by the bottleneck, components, landmarks and genes: ``genelift cluster``.

    :param options: ``label`` and ``study`` (columns of obs), ``clusters``, ``neighbours``, …
    """
    call = Call("cluster", options, layer, progress)
    call.words.append(call.data(data, "data"))
    call.add("--model", model, "--landmarks", None if landmarks is None else call.names(landmarks))
    return folder(call, output)


def enrich(
    landmarks: Panel,
    data: Data,
    *,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> pd.DataFrame:
    """Which gene sets landmarks have more or fewer genes of than chance gives: ``genelift enrich``.

    :param data: what the landmarks were chosen from.
    :param options: ``collection`` (a GMT file), ``universe``, ``exclude``, ``panels``, …
    :returns: a row for each set that was tested.
    """
    call = Call("enrich", options, layer, progress)
    call.words.append(call.names(landmarks))
    call.add("--store", call.data(data, "data"))
    path, _owner = call.output(output, "enrichment.tsv")
    call.run()
    return read_table(path)


def explain(
    what: str | Sequence[str] | Table,
    data: Data | None = None,
    *,
    test: Data | None = None,
    landmarks: Panel | None = None,
    predictor: Predictor | PathLike | None = None,
    model: Model | PathLike | None = None,
    run: PathLike | None = None,
    output: PathLike | None = None,
    layer: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """What genes, landmarks or neurons (``"neuron:3"``) do: ``genelift explain``.

    :param data: the training samples; with ``run``, the folder of a run, not needed.
    :returns: of each what is told of it, as the command's ``--json`` has it.
    """
    call = Call("explain", options, layer, progress)
    several = [what] if is_path(what) else list(what)
    call.words += [os.fspath(one) for one in several]
    for option, one in (("--store", data), ("--test", test)):
        call.add(option, None if one is None else call.data(one, option.strip("-"), NEW if option == "--test" else "sample"))
    call.add("--landmarks", None if landmarks is None else call.names(landmarks), "--predictor", predictor)
    call.add("--model", model, "--run", run)
    if output is not None:
        call.output(output, Tables.NAME)
    call.words.append("--json")
    return json.loads(call.run())["told"]


def report(folder: PathLike, output: PathLike, *, progress: Progress = None, **options: Any) -> Path:
    """Writes the page of a run's folder: ``genelift report``. One HTML file that loads nothing."""
    call = Call("report", options, None, progress)
    call.words.append(os.fspath(folder))
    path, _ = call.output(output, "report.html")
    call.run()
    return path
