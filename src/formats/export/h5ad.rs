//! h5ad as AnnData 0.8 and later write it (<https://anndata.readthedocs.io/en/stable/fileformat-prose.html>): X dense, `obs`
//! and `var` with every column.

use std::io::{Result, Write};

use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder, GroupBuilder};

use super::Done;
use super::hdf5::{self, Typed, linkable, text, typed};
use super::{Beside, Embedded};
use crate::genes::Table;
use crate::store::Store;

pub(super) fn write(store: &Store, beside: &Beside, out: &mut dyn Write, done: &Done) -> Result<()> {
    let mut file = FileBuilder::new();
    file.set_attr("encoding-type", text("anndata"));
    file.set_attr("encoding-version", text("0.1.0"));
    encoded(hdf5::placeholder(file.create_dataset("X")), "array");
    for (name, table, more) in [("obs", store.samples(), &beside.obs), ("var", store.genes(), &beside.var)] {
        let mut group = file.create_group(name);
        let mut table = table.clone();
        table.columns.extend(more.iter().cloned());
        frame(&mut group, &linkable(&table, &table.key));
        file.add_group(group.finish());
    }
    for name in ["layers", "obsm", "obsp", "uns", "varm", "varp"] {
        let mut group = file.create_group(name);
        group.set_attr("encoding-type", text("dict"));
        group.set_attr("encoding-version", text("0.1.0"));
        for Embedded { name, width, values } in beside.obsm.iter().filter(|_| name == "obsm") {
            let shape = [store.n_samples() as u64, *width as u64];
            encoded(group.create_dataset(name).with_f32_data(values).with_shape(&shape), "array");
        }
        file.add_group(group.finish());
    }
    hdf5::write(file, "X", store, out, done)
}

fn frame(group: &mut GroupBuilder, table: &Table) {
    group.set_attr("encoding-type", text("dataframe"));
    group.set_attr("encoding-version", text("0.2.0"));
    group.set_attr("_index", text(&table.key));
    let names: Vec<String> = table.columns.iter().map(|(name, _)| name.clone()).collect();
    group.set_attr("column-order", AttrValue::VarLenStringArray(names));
    strings(group.create_dataset(&table.key), &table.ids);
    for (name, fields) in &table.columns {
        let dataset = group.create_dataset(name);
        match typed(fields) {
            Typed::Integers(values) => encoded(dataset.with_i64_data(&values), "array"),
            Typed::Floats(values) => encoded(dataset.with_f64_data(&values), "array"),
            Typed::Text => strings(dataset, fields),
        }
    }
}

fn strings(dataset: &mut DatasetBuilder, fields: &[String]) {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    encoded(dataset.with_vlen_strings(&fields), "string-array");
}

fn encoded(dataset: &mut DatasetBuilder, kind: &str) {
    dataset.set_attr("encoding-type", text(kind)).set_attr("encoding-version", text("0.2.0"));
}
