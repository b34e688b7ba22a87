//! GCTX 1.0 (<https://clue.io/connectopedia/gctx_format>): one row a sample in the file, strings of fixed length, −666 for an
//! empty field.

use std::io::{Error, Result, Write};

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};

use super::Done;
use super::hdf5::{self, Typed, linkable, typed};
use crate::genes::Table;
use crate::store::Store;

pub(super) fn write(store: &Store, out: &mut dyn Write, done: &Done) -> Result<()> {
    let mut file = FileBuilder::new();
    file.set_attr("version", AttrValue::AsciiString("GCTX1.0".into()));
    let mut root = file.create_group("0");
    let mut data = root.create_group("DATA");
    let mut zero = data.create_group("0");
    hdf5::placeholder(zero.create_dataset("matrix"));
    data.add_group(zero.finish());
    root.add_group(data.finish());
    let mut meta = root.create_group("META");
    for (name, table) in [("ROW", store.genes()), ("COL", store.samples())] {
        let mut group = meta.create_group(name);
        columns(&mut group, &linkable(table, "id"))?;
        meta.add_group(group.finish());
    }
    root.add_group(meta.finish());
    file.add_group(root.finish());
    hdf5::write(file, "0/DATA/0/matrix", store, out, done)
}

fn columns(group: &mut GroupBuilder, table: &Table) -> Result<()> {
    strings(group, "id", &table.ids)?;
    for (name, fields) in &table.columns {
        match typed(fields) {
            Typed::Integers(values) => drop(group.create_dataset(name).with_i64_data(&values)),
            Typed::Floats(values) => drop(group.create_dataset(name).with_f64_data(&values)),
            Typed::Text => strings(group, name, fields)?,
        }
    }
    Ok(())
}

fn strings(group: &mut GroupBuilder, name: &str, fields: &[String]) -> Result<()> {
    let fields: Vec<&str> = fields.iter().map(|f| if f.is_empty() { "-666" } else { f }).collect();
    let dataset = group.create_dataset(name);
    // cmapPy reads strings of fixed length, those that are marked as UTF-8 as well as ASCII.
    match fields.iter().all(|f| f.is_ascii()) {
        true => dataset.with_ascii_strings(&fields),
        false => dataset.with_strings(&fields),
    }
    .map(drop)
    .map_err(Error::other)
}
