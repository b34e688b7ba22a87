//! Numbers on the command line: one reader for every option that takes one, whose refusals say what is wanted in plain words.

use std::any::TypeId;
use std::str::FromStr;

use clap::Arg;

/// Gives an option that takes a number this reader, whichever of the types it has; others stay as they are, so what has a
/// reader of its own has a type of its own. `-1` is a value, not another option.
pub fn read_plainly(argument: Arg) -> Arg {
    let kind = argument.get_value_parser().type_id();
    let is = |of: TypeId| kind == of;
    let takes_value = argument.get_action().takes_values() && !argument.is_positional();
    let argument = argument.allow_negative_numbers(takes_value);
    if is(TypeId::of::<usize>()) {
        argument.value_parser(whole::<usize>)
    } else if is(TypeId::of::<u64>()) {
        argument.value_parser(whole::<u64>)
    } else if is(TypeId::of::<u32>()) {
        argument.value_parser(whole::<u32>)
    } else if is(TypeId::of::<f64>()) {
        argument.value_parser(real::<f64>)
    } else if is(TypeId::of::<f32>()) {
        argument.value_parser(real::<f32>)
    } else {
        argument
    }
}

/// A count.
fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | '\'' | ' ')).collect();
    Err(match text.trim().parse::<f64>() {
        Ok(number) if number < 0.0 => "must be a whole number, not a negative one".into(),
        Ok(number) if number.fract() != 0.0 => "must be a whole number".into(),
        // 2⁵³: from there on a floating-point number is no exact count
        Ok(number) if number < 9e15 && format!("{number}").parse::<T>().is_ok() => {
            format!("must be written in digits: {number}")
        }
        Ok(_) => "is too large".into(),
        Err(_) if digits.parse::<T>().is_ok() => format!("must be written in digits alone: {digits}"),
        Err(_) => "must be a whole number, such as 10".into(),
    })
}

/// A share, a rate, a weight: a finite number that single precision, which the work is done in, can hold.
fn real<T: FromStr>(text: &str) -> Result<T, String> {
    const LARGEST: f64 = f32::MAX as f64;
    match (text.parse::<f64>(), text.parse()) {
        (Ok(number), Ok(read)) if number.abs() <= LARGEST => return Ok(read),
        (Ok(number), _) if !number.is_finite() => return Err("must be a finite number".into()),
        (Ok(_), _) => return Err(format!("is out of range: it must be a number within ±{LARGEST:.1e}")),
        _ => {}
    }
    let point = text.replacen(',', ".", 1);
    let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    Err(match percent {
        Some(percent) => format!("must be a number: {} for {percent} %", percent / 100.0),
        None if point.parse::<f64>().is_ok() => format!("must have a decimal point: {point}"),
        None => "must be a number, such as 0.1".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_counts_are_told_in_plain_words() {
        let told = |text| whole::<usize>(text).expect_err(text);
        assert_eq!(whole::<usize>("32"), Ok(32));
        assert_eq!(told("-1"), "must be a whole number, not a negative one");
        assert_eq!(told("2.5"), "must be a whole number");
        assert_eq!(told("1e3"), "must be written in digits: 1000");
        assert_eq!(told("1_000"), "must be written in digits alone: 1000");
        assert_eq!(told("99999999999999999999999"), "is too large");
        for text in ["inf", "NaN"] {
            assert_eq!(told(text), "must be a whole number");
        }
        for text in ["", "word", "-", "ten"] {
            assert_eq!(told(text), "must be a whole number, such as 10");
        }
        assert_eq!(whole::<u32>("4294967296").expect_err("2³²"), "is too large");
    }

    #[test]
    fn wrong_rates_are_told_in_plain_words() {
        let told = |text| real::<f64>(text).expect_err(text);
        assert_eq!(real::<f64>("-0.5"), Ok(-0.5));
        assert_eq!(told("0,5"), "must have a decimal point: 0.5");
        assert_eq!(told("20%"), "must be a number: 0.2 for 20 %");
        for text in ["nan", "Inf", "-inf"] {
            assert_eq!(told(text), "must be a finite number");
        }
        assert_eq!(told("1e99"), "is out of range: it must be a number within ±3.4e38");
        for text in ["", "word", "1/2"] {
            assert_eq!(told(text), "must be a number, such as 0.1");
        }
    }
}
