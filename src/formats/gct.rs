//! GCT 1.2 and 1.3 (<https://clue.io/connectopedia/gct_format>): genes × samples as text. In 1.3 columns of words stand
//! before the numbers, which describe genes, and lines of words above them, which describe samples; −666 is missing.

use std::path::Path;

use super::annotations::{Told, check_names};
use super::fields::{Layout, split};
use super::lines::Lines;
use super::quoting::Order;
use super::text::{Ending, TextBlocks};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};

pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(b"#1.2") || start.starts_with(b"#1.3")
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let mut lines = Lines::open(path, settings)?;
    let refuse = |message: String| Err(Error::input(path, message));
    let version = lines.expect("its first line")?;
    let described = version.trim().starts_with("#1.3");
    let counts = lines.expect("its second line, the numbers of rows and columns")?;
    let wanted = if described { 4 } else { 2 };
    let numbers: Option<Vec<usize>> = counts.split_whitespace().map(|n| n.parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() == wanted) else {
        return refuse(format!("line 2 is {counts:?}; {wanted} whole numbers are needed"));
    };
    let (rows, samples) = (numbers[0], numbers[1]);
    let (mut words, notes) = if described { (numbers[2], numbers[3]) } else { (1, 0) };
    let third = lines.peek_filled()?.unwrap_or_default();
    // GTEx's files of one tissue have a column of row numbers before the names.
    let numbered = !described && third.to_ascii_lowercase().starts_with(b"id\tname\tdescription\t");
    words += usize::from(numbered);
    let first = words.checked_add(1).and_then(|first| Some((first, first.checked_add(samples)?)));

    // Lines padded with tabs, as spreadsheets write them, are cut.
    let row = |line: &str, what: &str| -> Result<(usize, Vec<String>)> {
        let mut fields =
            split(line.as_bytes(), b'\t').map_err(|e| Error::input(path, format!("{what}: {e}")))?;
        let (found, Some((first, fields_needed))) = (fields.len(), first) else {
            return Err(Error::input(path, format!("line 2 is {counts:?}; no line is that long")));
        };
        let trailing = found > fields_needed && fields[fields_needed..].iter().all(String::is_empty);
        if found < fields_needed || found > fields_needed && !trailing {
            let message = format!(
                "{what} has {found} fields where line 2 calls for {fields_needed}: a name, {words} of description, \
                 {samples} samples"
            );
            return Err(Error::input(path, message));
        }
        fields.truncate(fields_needed);
        Ok((first, fields))
    };
    let header = lines.expect("its line of column names")?;
    let (first, mut header) = row(&header, "line 3")?;
    let columns = header.split_off(first);
    let (id, names) = (usize::from(numbered), [&header[..], &columns].concat());
    let (roles, kept) = arrange(path, &names, id, first, &settings.told)?;
    let mut about = Vec::new();
    for note in 0..notes {
        let line = lines.expect("its lines about samples")?;
        let (_, fields) = row(&line, &format!("line {}", note + 4))?;
        let known = |at: &usize| if fields[*at] == "-666" { String::new() } else { fields[*at].clone() };
        let fields = kept.iter().map(known).collect();
        about.push((line.split('\t').next().unwrap_or_default().trim_matches('"').to_string(), fields));
    }
    if columns.is_empty() {
        return refuse("the matrix is empty: it has no columns".into());
    }
    let named = |places: &[usize]| places.iter().map(|at| names[*at].clone()).collect::<Vec<_>>();
    let picked = [&[id][..], &roles, &kept].concat();
    let order = (!picked.iter().copied().eq(0..names.len())).then_some(Order { fields: names.len(), picked });
    let layout = Layout { delimiter: b'\t', skip: roles.len(), columns: named(&kept), trailing: true, order };
    let blocks = TextBlocks::new(lines, layout, Ending::Rows(rows))
        .with_headers(named(&roles))
        .leaving_out(&settings.told.drop_rows);
    let mut file = blocks.into_file("gct", names[id].clone());
    file.columns.columns = about;
    if numbered {
        file.notes.push(format!("{}: column \"id\" numbers the rows and is left out", path.display()));
    }
    Ok(MatrixFile { natural: Some(Orientation::GenesBySamples), sentinel: Some(-666.0), ..file })
}

/// Which fields describe the rows and which are values, when the samples begin at `first` and the names stand at `id`.
fn arrange(
    path: &Path,
    names: &[String],
    id: usize,
    first: usize,
    told: &Told,
) -> Result<(Vec<usize>, Vec<usize>)> {
    check_names(path, &names.iter().map(String::as_str).collect::<Vec<_>>(), told)?;
    let is = |list: &[String], at: usize| list.contains(&names[at]);
    let (words, values): (Vec<usize>, Vec<usize>) = (id + 1..names.len())
        .filter(|at| !is(&told.drop_columns, *at))
        .partition(|at| *at < first || is(&told.annotation_columns, *at));
    match values.is_empty() {
        true => Err(Error::input(path, "no column of values is left")),
        false => Ok((words, values)),
    }
}
