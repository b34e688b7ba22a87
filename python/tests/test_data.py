"""Data of every kind: the same values give the same bytes, and what cannot be used is refused in words."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from conftest import CPU, command

import genelift
from genelift import _data

OPTIONS = {"hidden": [8, 3, 8], "epochs": 2, "device": "cpu"}


def bytes_of(data, **options):
    return genelift.train(data, **{**OPTIONS, **options}).read_bytes()


@pytest.fixture
def named(small):
    """The same with names of samples and genes."""
    index = [f"sample_{i + 1}" for i in range(60)]
    return pd.DataFrame(small, index=index, columns=[f"gene_{i + 1}" for i in range(40)])


@pytest.fixture
def expected(small):
    return bytes_of(small)


def test_arrays_however_they_lie_give_the_same(small, expected):
    wide = np.zeros((60, 80), dtype=np.float32)
    wide[:, ::2] = small
    unaligned = np.frombuffer(b"x" + small.tobytes(), dtype=np.uint8)[1:].view("<f4").reshape(60, 40)
    for data in (small.astype(np.float64), np.asfortranarray(small), wide[:, ::2], small[::-1][::-1], unaligned,
                 small.astype(">f4"), np.ma.masked_array(small)):  # fmt: skip
        assert bytes_of(data) == expected


def test_frames_give_the_same(named, small, expected):
    assert bytes_of(named) == expected
    assert bytes_of(named.astype(np.float64)) == expected
    mixed = named.astype({"gene_3": np.float64})
    assert mixed.dtypes.nunique() == 2 and bytes_of(mixed) == expected
    assert bytes_of(pd.DataFrame(small)) == expected


def test_sparse_matrices_give_the_same_and_are_never_dense_at_once(small, monkeypatch):
    small[small < 5] = 0
    expected = bytes_of(small)
    for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array):
        assert bytes_of(kind(small)) == expected
    # as files, block by block
    monkeypatch.setattr(_data, "IN_MEMORY", 0)
    monkeypatch.setattr(_data, "BLOCK", 40 * 7)
    monkeypatch.setattr(sp.csr_matrix, "toarray", refuse_whole(sp.csr_matrix.toarray))
    for kind in (sp.csr_matrix, sp.csc_matrix):
        assert bytes_of(kind(small)) == expected
    assert bytes_of(small.astype(np.float64)) == expected


def refuse_whole(toarray):
    def checked(self, *args, **kwargs):
        assert self.shape[0] <= 7
        return toarray(self, *args, **kwargs)

    return checked


def test_integers_and_booleans(small):
    counts = np.round(small * 10).astype(np.int64)
    assert bytes_of(counts) == bytes_of(counts.astype(np.float32)) == bytes_of(counts.astype(np.int16))
    assert bytes_of(small > 5, loss="mse") == bytes_of((small > 5).astype(np.float32), loss="mse")


def test_anndata_its_layers_views_and_files(named, tmp_path, expected):
    adata = anndata.AnnData(named)
    adata.layers["half"] = named.to_numpy() / 2
    adata.raw = adata
    assert bytes_of(adata) == expected == bytes_of(adata, layer="raw")
    assert bytes_of(adata, layer="half") == bytes_of(named / 2)
    with pytest.raises(genelift.UsageError, match="layer 'none': the AnnData has half"):
        genelift.train(adata, layer="none")

    view, before = adata[10:50, ::2], dict(adata.uns["genelift"])
    part = named.iloc[10:50, ::2]
    assert bytes_of(view) == bytes_of(part.copy())
    assert adata.uns["genelift"] == before != view.uns["genelift"]  # which makes the view data of its own
    genelift.select(view, 4, **CPU)
    assert view.var["landmark"].sum() == 4 and "landmark" not in adata.var

    adata.write_h5ad(tmp_path / "dense.h5ad")
    assert bytes_of(anndata.read_h5ad(tmp_path / "dense.h5ad", backed="r")) == expected
    for kind in (sp.csr_matrix, sp.csc_matrix):
        adata.X = kind(named.to_numpy())
        path = tmp_path / f"{kind.__name__}.h5ad"
        adata.write_h5ad(path)
        assert bytes_of(anndata.read_h5ad(path, backed="r")) == expected


def test_names_and_columns_are_those_that_an_import_of_the_file_gives(named, tmp_path):
    adata = anndata.AnnData(named)
    adata.obs["batch"] = pd.Categorical(["a", "b"] * 30)
    adata.obs["age"] = np.arange(60) / 4
    adata.obs["alive"] = adata.obs["age"] > 7
    adata.var_names = [f"ENSG{i:011d}" for i in range(40)]
    adata.var["gene_symbols"] = [f"TP{i}" for i in range(40)]
    adata.var["length"] = np.arange(40)
    adata.write_h5ad(tmp_path / "named.h5ad")
    genelift.command("import", tmp_path / "named.h5ad", "-o", tmp_path / "named.gex")
    mine, theirs = (genelift.select(data, 5, **CPU) for data in (adata, tmp_path / "named.gex"))
    assert mine.about["made-from"][0]["sha256"] == theirs.about["made-from"][0]["sha256"]
    assert genelift.select(adata, 5, include=["TP7"], **CPU).genes[0] == "ENSG00000000007"


def test_what_is_missing_or_infinite_is_named(named):
    for value, word in ((np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf")):
        for kind in (np.float32, np.float64):
            holed = named.astype(kind)
            holed.loc["sample_4", "gene_7"] = value
            with pytest.raises(genelift.DataError, match=f'<data>: {word} of gene "gene_7" in sample "sample_4" is not a finite'):
                genelift.train(holed, **OPTIONS)
    masked = np.ma.masked_array(named.to_numpy(), mask=False)
    masked[3, 6] = np.ma.masked
    with pytest.raises(genelift.DataError, match="NaN of gene"):
        genelift.train(masked, **OPTIONS)


def test_names_that_occur_twice_are_named(named):
    with pytest.raises(genelift.DataError, match='gene id "gene_1" occurs twice \\(genes 1 and 2\\)'):
        genelift.train(named.rename(columns={"gene_2": "gene_1"}), **OPTIONS)
    with pytest.raises(genelift.DataError, match='sample id "sample_1" occurs twice'):
        genelift.train(named.rename(index={"sample_9": "sample_1"}), **OPTIONS)


def test_what_is_no_matrix_is_refused(named, small, tmp_path):
    with pytest.raises(genelift.DataError, match="column 'word' holds object, not numbers"):
        genelift.train(named.assign(word="x"), **OPTIONS)
    for data, text in ((small[0], "dimensions"), (small[:0], "empty"), (small.astype(complex), "complex")):
        with pytest.raises(genelift.DataError, match=text):
            genelift.train(data, **OPTIONS)
    with pytest.raises(TypeError, match="expected an AnnData"):
        genelift.train([[1.0, 2.0]], **OPTIONS)
    with pytest.raises(genelift.DataError, match="is not a store"):
        genelift.train(tmp_path / "none.gex", **OPTIONS)


def test_profiles_come_back_in_their_kind(named, small, tmp_path):
    predictor = genelift.fit(named, ["gene_1", "gene_4", "gene_9"], method="linear", **CPU)
    part = named.iloc[:5][["gene_9", "gene_4", "gene_1"]]
    frame = genelift.predict(predictor, part, **CPU)
    assert frame.shape == (5, 40) and frame.index.equals(part.index)
    pd.testing.assert_frame_equal(frame[part.columns], part, check_names=False)
    adata = genelift.predict(predictor, anndata.AnnData(part), **CPU)
    np.testing.assert_array_equal(adata.X, frame.to_numpy())
    kept = genelift.predict(predictor, part, output=tmp_path / "kept.gex", **CPU)
    assert isinstance(kept, genelift.Store) and isinstance(kept.matrix, np.memmap)
    np.testing.assert_array_equal(kept.matrix, adata.X)
    _, table = genelift.predict(predictor, named, intervals=True, replace=True, **CPU)
    assert len(table) == 37


def test_a_store_is_mapped_and_checked(store, tmp_path):
    assert store.shape == (769, 2000) and store.matrix.dtype == np.float32 and not store.matrix.flags.writeable
    assert store.genes.index[0] == store.to_pandas().columns[0] and "pam50" in store.samples
    assert store.to_anndata().shape == (769, 2000)
    genelift.command("simulate", "--samples", "5", "--genes", "7", "-o", tmp_path / "made.gex")
    file = tmp_path / "made.gex" / "matrix.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(genelift.DataError, match="do not match their checksum"):
        genelift.Store(tmp_path / "made.gex")


def test_an_array_may_be_changed_and_let_go_after_the_call(small):
    model = genelift.train(small, **OPTIONS)
    before = model.read_bytes()
    small[:] = 0
    assert model.read_bytes() == before


def test_a_sparse_store_is_scipys_and_gives_what_the_dense_one_gives(tmp_path):
    counts = np.random.default_rng(3).poisson(0.4, (50, 30)).astype(np.float32)
    counts[4] = 0
    frame = pd.DataFrame(counts, index=[f"cell{i}" for i in range(50)], columns=[f"gene{i}" for i in range(30)])
    frame.to_csv(tmp_path / "counts.tsv", sep="\t", index_label="cell")
    for layout in ("dense", "sparse"):
        command("import", tmp_path / "counts.tsv", "--layout", layout, "-o", tmp_path / f"{layout}.gex")
    dense, sparse = (genelift.Store(tmp_path / f"{layout}.gex") for layout in ("dense", "sparse"))
    assert (dense.is_sparse, sparse.is_sparse) == (False, True)
    assert isinstance(sparse.matrix, sp.csr_matrix)
    np.testing.assert_array_equal(sparse.matrix.toarray(), counts)
    pd.testing.assert_frame_equal(sparse.to_pandas(), dense.to_pandas())
    assert sp.issparse(sparse.to_anndata().X)
    chosen = [list(genelift.select(store, n=6).genes) for store in (dense, sparse)]
    assert chosen[0] == chosen[1]
