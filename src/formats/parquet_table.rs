//! A table of results → a Parquet file: a column of whole numbers, of numbers or of text for each of its columns, with nothing where
//! the table has a blank or `NA` among numbers.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use crate::error::{Error, Result};
use crate::genes::{Column, Sheet};
use crate::store::atomic;

type Outcome<T> = std::result::Result<T, ParquetError>;

/// A column by the narrowest type that holds every field.
enum Values {
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Text(Vec<ByteArray>),
}

impl Values {
    fn of(column: &Column) -> Values {
        let is_missing = |field: &str| field.is_empty() || field == "NA";
        let fields = || column.fields.iter().map(String::as_str);
        if fields().all(is_missing) {
            return Values::Text(fields().map(ByteArray::from).collect());
        }
        // 007 is a name
        let integer = |field: &str| field.parse::<i64>().ok().filter(|x| x.to_string() == field);
        let number = |field: &str| {
            let plain = field.trim_start_matches('-');
            let named = plain.len() > 1 && plain.starts_with('0') && !plain.starts_with("0.");
            field.parse::<f64>().ok().filter(|_| !named)
        };
        fn all<'f, T>(
            mut fields: impl Iterator<Item = &'f str>,
            missing: impl Fn(&str) -> bool,
            parse: impl Fn(&str) -> Option<T>,
        ) -> Option<Vec<Option<T>>> {
            fields.try_fold(Vec::new(), |mut all, field| {
                all.push(if missing(field) { None } else { Some(parse(field)?) });
                Some(all)
            })
        }
        if let Some(values) = all(fields(), is_missing, integer) {
            return Values::Integers(values);
        }
        match all(fields(), is_missing, number) {
            Some(values) => Values::Numbers(values),
            None => Values::Text(fields().map(ByteArray::from).collect()),
        }
    }

    fn field(&self, name: &str) -> Outcome<Arc<Type>> {
        let (physical, repetition) = match self {
            Values::Integers(_) => (Physical::INT64, Repetition::OPTIONAL),
            Values::Numbers(_) => (Physical::DOUBLE, Repetition::OPTIONAL),
            Values::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED),
        };
        let field = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        let text = matches!(self, Values::Text(_)).then_some(LogicalType::String);
        field.with_logical_type(text).build().map(Arc::new)
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<File>) -> Outcome<()> {
        match self {
            Values::Integers(values) => put_some::<Int64Type>(group, values),
            Values::Numbers(values) => put_some::<DoubleType>(group, values),
            Values::Text(values) => put::<ByteArrayType>(group, values, None),
        }
    }
}

fn put_some<T: DataType>(group: &mut SerializedRowGroupWriter<File>, values: &[Option<T::T>]) -> Outcome<()> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<T::T> = values.iter().flatten().cloned().collect();
    put::<T>(group, &there, Some(&levels))
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<File>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Outcome<()> {
    let missing = || ParquetError::General("there are more columns than the schema has".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Writes the table of `sheet` to `path`.
///
/// # Errors
/// [`Error::Data`] for two columns of one name; [`Error::Exists`] without `force`; what the system refuses.
pub(super) fn write(sheet: &Sheet, path: &Path, force: bool) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    if let Some(column) = sheet.columns.iter().find(|column| !seen.insert(column.name.as_str())) {
        let from = sheet.path.display();
        return Err(Error::Data(format!("{from}: column {:?} occurs twice; rename one", column.name)));
    }
    let failed = |e: ParquetError| Error::Io {
        path: path.to_path_buf(),
        action: "writing",
        source: std::io::Error::other(e),
    };
    let columns: Vec<Values> = sheet.columns.iter().map(Values::of).collect();
    let fields = sheet.columns.iter().zip(&columns).map(|(column, values)| values.field(&column.name));
    let fields = fields.collect::<Outcome<_>>().map_err(failed)?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    atomic::write_path(path, force, |temporary| {
        let file = File::create(temporary).map_err(Error::io(path, "creating"))?;
        let mut writer =
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let mut group = writer.next_row_group().map_err(failed)?;
        columns.iter().try_for_each(|values| values.write(&mut group)).map_err(failed)?;
        group.close().map_err(failed)?;
        writer.close().map_err(failed)?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_narrowest_type() {
        let of = |fields: &[&str]| {
            let fields = fields.iter().map(ToString::to_string).collect();
            match Values::of(&Column { name: "x".into(), fields }) {
                Values::Integers(values) => format!("{values:?}"),
                Values::Numbers(values) => format!("{values:?}"),
                Values::Text(values) => format!("{} texts", values.len()),
            }
        };
        assert_eq!(of(&["1", "NA", "-3"]), "[Some(1), None, Some(-3)]");
        assert_eq!(of(&["1", "", "2.5e-3"]), "[Some(1.0), None, Some(0.0025)]");
        for texts in [["007", "1"], ["a", "1"], ["", "NA"], ["00.5", "1"], ["1", "x"]] {
            assert_eq!(of(&texts), "2 texts", "{texts:?}");
        }
    }
}
