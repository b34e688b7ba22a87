//! What spreadsheets make of symbols that look like dates.

use super::kind::{digits, is_entrez};

/// What a spreadsheet makes of symbols such as SEPT2 and MARCH1: `2-Sep`, `Sep-02`, `1-Mar-2021`, `2021-03-01`, `3/1/2021`.
pub fn is_date(name: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let parts: Vec<&str> = name.split(['-', '/', '.', ' ']).collect();
    let number = |part: &&&str| digits(part) && part.len() <= 4;
    let month = |part: &&str| {
        part.get(..3).is_some_and(|m| MONTHS.contains(&m.to_ascii_lowercase().as_str()))
            && part.bytes().all(|b| b.is_ascii_alphabetic())
    };
    let numbers = parts.iter().filter(number).count();
    let months = parts.iter().filter(|part| month(part)).count();
    let year = parts.iter().any(|part| part.len() == 4 && digits(part));
    numbers + months == parts.len() && (months == 1 && (1..=2).contains(&numbers) || numbers == 3 && year)
}

/// Whether a whole number is a day of a month by whose name symbols are or were called (MARCH1, SEPT2, OCT4, DEC1, APR1, FEB5),
/// counted from 1900 as spreadsheets keep dates: 44256 is 1 March 2021. Years 1990 to 2049; only a list of symbols makes a date of it.
pub fn is_serial_date(name: &str) -> bool {
    const MONTHS: [u64; 6] = [2, 3, 4, 9, 10, 12];
    // of 1 January 1990 and 2050
    let day = name.parse::<u64>().ok().filter(|_| is_entrez(name)).filter(|n| (32_874..54_789).contains(n));
    day.map(month_and_day).is_some_and(|(month, day)| MONTHS.contains(&month) && day <= 15)
}

/// Of a spreadsheet's day after February 1900 (<https://howardhinnant.github.io/date_algorithms.html>, `civil_from_days`).
fn month_and_day(serial: u64) -> (u64, u64) {
    // days since the 1 March of 1600 or 2000, where the calendar begins anew
    let day = (serial + 109_511) % 146_097;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_spreadsheets_are_seen() {
        for name in [
            "2-Sep",
            "1-Mar",
            "Sep-02",
            "1-Mar-2021",
            "2021-03-01",
            "3/1/2021",
            "01.03.2021",
            "2-sep-21",
            "Mar-1",
        ] {
            assert!(is_date(name), "{name}");
        }
        for name in ["TP53", "SEPT2", "HLA-A", "MARC1", "44256", "NKX2-1", "DEC1", "1-2", "A-2-3", ""] {
            assert!(!is_date(name), "{name}");
        }
    }

    #[test]
    fn dates_that_a_spreadsheet_keeps_as_numbers_are_seen() {
        // 1-Mar-2021, 2-Sep-2023, 4-Oct-1999, 1-Dec-2024, 15-Sep-2020, 29-Feb-2000 is past the fifteenth
        for (serial, date) in [
            (44256, (3, 1)),
            (45171, (9, 2)),
            (36437, (10, 4)),
            (45627, (12, 1)),
            (44089, (9, 15)),
            (36585, (2, 29)),
            (36586, (3, 1)),
        ] {
            assert_eq!((month_and_day(serial), serial), (date, serial));
            assert_eq!(is_serial_date(&serial.to_string()), date.1 <= 15, "{serial}");
        }
        for name in ["7157", "44400", "100130426", "044256", "", "44256.0", "-44256"] {
            assert!(!is_serial_date(name), "{name}");
        }
    }
}
