"""What comes out is byte for byte what the command writes from the same data."""

import anndata
import numpy as np
import pandas as pd
import pytest
from conftest import CPU, SMALL, command

import genelift


def said(options):
    words = []
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return words


def test_the_five_lines_on_an_anndata_give_the_commands_files(adata, store, tmp_path):
    model = genelift.train(adata, **SMALL)
    scores = genelift.attribute(model, adata, **CPU)
    landmarks = genelift.select(adata, 30, **CPU)
    predictor = genelift.fit(adata, landmarks, **CPU)
    completed = genelift.predict(predictor, adata[:20, landmarks.genes], **CPU)

    def path(name):
        return tmp_path / name

    command("train", store.path, "-o", path("model"), *said(SMALL))
    command("attribute", path("model"), store.path, "-o", path("scores"), *said(CPU))
    command("select", "--store", store.path, "-n", 30, "-o", path("landmarks"), *said(CPU))
    command("fit", store.path, "--landmarks", path("landmarks"), "-o", path("predictor"), *said(CPU))
    for result, name in ((model, "model"), (scores, "scores"), (landmarks, "landmarks"), (predictor, "predictor")):
        assert result.read_bytes() == path(name).read_bytes(), name
    # what they were made from has the same checksum: names, columns and values are all the same
    made = genelift.Scores(path("scores")).about["made-from"]
    assert [one["sha256"] for one in scores.about["made-from"]] == [one["sha256"] for one in made]

    part = genelift.Store(store.path).to_pandas().iloc[:20][landmarks.genes]
    part.to_csv(path("part.csv"))
    command("import", path("part.csv"), "-o", path("part.gex"))
    command("predict", path("predictor"), path("part.gex"), "-o", path("completed.gex"), *said(CPU))
    np.testing.assert_array_equal(completed.X, genelift.Store(path("completed.gex")).matrix)
    assert (completed.var["origin"] == "measured").sum() == 30

    assert adata.var["landmark"].sum() == 30
    best = adata.var["landmark_rank"].idxmin()
    assert best == landmarks.genes[0] and adata.var["landmark"].dtype == bool
    assert adata.var["genelift_score"].idxmax() == scores.genes[0]
    assert set(adata.uns["genelift"]) == {"train", "attribute", "select", "fit"}
    adata.write_h5ad(path("marked.h5ad"))
    again = anndata.read_h5ad(path("marked.h5ad"))
    assert again.var["landmark"].sum() == 30 and "train" in again.uns["genelift"]


def test_the_landmarks_of_an_anndata_are_taken_from_its_var(adata):
    landmarks = genelift.select(adata, 12, **CPU)
    marked = genelift.fit(adata, method="linear", held_out=0, **CPU)
    given = genelift.fit(adata, landmarks, method="linear", held_out=0, **CPU)
    assert marked.read_bytes() == given.read_bytes()
    del adata.var["landmark"]
    with pytest.raises(genelift.UsageError, match='var\\["landmark"\\]'):
        genelift.fit(adata, **CPU)


def test_the_highest_scores_mark_an_anndata_too(adata):
    model = genelift.train(adata, **SMALL)
    scores = genelift.attribute(model, adata, **CPU)
    top = genelift.select(adata, 5, strategy="top", scores=scores)
    assert top.genes == scores.genes[:5] == genelift.select(scores, 5).genes
    assert set(adata.var_names[adata.var["landmark"]]) == set(top.genes)


def test_an_embedding_is_that_of_the_command(adata, store, tmp_path):
    model = genelift.train(adata, output=tmp_path / "model.safetensors", **SMALL)
    table = genelift.embed(model, adata, label=["pam50"], output=tmp_path / "mine.tsv", **CPU)
    words = ("--label", "pam50", "--device", "cpu", "-o", tmp_path / "theirs.tsv")
    command("embed", model.path, store.path, *words)
    assert (tmp_path / "mine.tsv").read_bytes() == (tmp_path / "theirs.tsv").read_bytes()
    assert adata.obsm["X_genelift"].shape == (769, 8) and adata.obsm["X_genelift"].dtype == np.float32
    assert list(table.columns[:2]) == ["pam50", "neuron_1"]


def test_folders_of_tables_are_those_of_the_command(adata, store, tmp_path):
    command("split", store.path, "-o", tmp_path / "parts")
    train, test = (genelift.Store(tmp_path / "parts" / f"{part}.gex") for part in ("train", "test"))
    panel = genelift.select(train, 20, **CPU)
    panel.save(tmp_path / "panel.tsv")
    options = {"method": "linear", "random_draws": 3, "device": "cpu"}
    mine = genelift.compare(train.to_anndata(), test.to_anndata(), {"mine": panel}, **options)
    command("compare", "--train", train.path, "--test", test.path, "--landmarks", f"mine={tmp_path / 'panel.tsv'}",
            "-o", tmp_path / "compared", *said(options))  # fmt: skip
    assert mine.tables and "mine" in mine.text
    for name in mine.tables:
        theirs = (tmp_path / "compared" / f"{name}.tsv").read_text().replace(str(test.path), "<test>")
        assert (mine.path / f"{name}.tsv").read_text() == theirs, name

    clusters = genelift.cluster(adata, label=["pam50"], landmarks=panel, samples=150)
    command("cluster", store.path, "-o", tmp_path / "clusters", "--landmarks", tmp_path / "panel.tsv",
            "--label", "pam50", "--samples", 150)  # fmt: skip
    for name in clusters.tables:
        assert (clusters.path / f"{name}.tsv").read_bytes() == (tmp_path / "clusters" / f"{name}.tsv").read_bytes(), name

    sets = genelift.enrich(panel, adata, output=tmp_path / "mine.tsv", panels=50)
    command("enrich", tmp_path / "panel.tsv", "--store", store.path, "-o", tmp_path / "theirs.tsv", "--panels", 50)
    assert (tmp_path / "mine.tsv").read_bytes() == (tmp_path / "theirs.tsv").read_bytes() and len(sets) > 10

    predictor = genelift.fit(train, panel, method="linear", **CPU)
    told = genelift.explain([panel.genes[0]], train, test=test, landmarks=panel, predictor=predictor, **CPU)
    assert told[0]["name"].startswith(panel.genes[0].split("_")[0]) and told[0]["lines"]

    model = genelift.train(train, **SMALL)
    assert genelift.evaluate(model, test, **CPU).text.startswith("77 samples")
    assert genelift.reconstruct(model, test, **CPU).shape == (77, 2000)


def test_the_page_of_a_run(tmp_path):
    """A run from files to a page by the module, and what it left in the module's hands."""
    run = tmp_path / "run"
    with pytest.raises(genelift.DataError, match="run"):
        genelift.report(run, tmp_path / "page.html")
    matrix, samples, study = (tmp_path / name for name in ("made-up.tsv", "made-up.samples.tsv", "study.toml"))
    genelift.command("simulate", "--samples", "120", "--genes", "60", "--studies", "6", "-o", matrix)
    genelift.command("init", matrix, samples, "-o", study)
    settings = ["train.epochs=3", "train.hidden=[20,5,20]", "select.n=10", "compare.random-draws=3", "device=cpu", f"output={run}"]
    told = genelift.command("run", study, *(word for setting in settings for word in ("--set", setting)))
    assert "Verdict" in told

    page = genelift.report(run, tmp_path / "page.html")
    command("report", run, "-o", tmp_path / "theirs.html")
    assert page.read_bytes() == (tmp_path / "theirs.html").read_bytes()
    text = page.read_text(encoding="utf-8")
    landmarks = pd.read_csv(run / "landmarks.tsv", sep="\t")
    assert text.startswith("<!doctype html>") and all(gene in text for gene in landmarks["gene_id"])
    with pytest.raises(genelift.OutputExistsError):
        genelift.report(run, page)

    model = genelift.Model(run / "model.safetensors")
    assert model.hidden == [20, 5, 20] and len(model.genes) == 60
    (about,) = genelift.explain([landmarks["gene_id"][0]], run=run)
    assert about["name"] == landmarks["gene_id"][0] and about["lines"]
    assert list(genelift.Landmarks(run / "landmarks.tsv")) == landmarks["gene_id"].tolist()


def test_numbers_that_are_missing_are_nan_and_names_stay_names(tmp_path):
    from genelift._store import read_table

    table = tmp_path / "table.tsv"
    table.write_text("gene_id\tfigure\twords\nNA\t0.1234567890123456\tNA\nTP53\tNA\tno\n")
    read = read_table(table)
    assert read["gene_id"].tolist() == ["NA", "TP53"] and read["words"].tolist() == ["NA", "no"]
    assert read["figure"].dtype == float and read["figure"][0] == 0.1234567890123456 and np.isnan(read["figure"][1])


def test_the_command_is_the_command(tmp_path):
    version, _ = command("--version")
    assert version == genelift.command("--version") and genelift.__version__ in version
    command("train", tmp_path / "none.gex", "-o", tmp_path / "model", expect=1)
    _, told = command("train", "--epoch", 3, expect=2)
    assert "--epochs" in told
