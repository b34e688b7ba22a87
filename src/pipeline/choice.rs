//! Options that are one of several words. The words are those that serde reads, so that the command line, the configuration
//! and the files of the core know one list, and the core knows no command line.

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

use super::nearest::nearest;

/// A parser of the words of an enum.
pub struct Choice<T> {
    words: Vec<&'static str>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Choice<T> {
    fn clone(&self) -> Self {
        Choice { words: self.words.clone(), of: PhantomData }
    }
}

/// All words of an enum.
pub fn choice<T: DeserializeOwned>() -> Choice<T> {
    choice_but::<T>(&[])
}

/// The words of an enum but for some that are not for users.
pub fn choice_but<T: DeserializeOwned>(hidden: &[&str]) -> Choice<T> {
    let words = words::<T>().iter().copied().filter(|word| !hidden.contains(word)).collect();
    Choice { words, of: PhantomData }
}

/// The enum of a word, in any case.
pub fn parse<T: DeserializeOwned>(word: &str) -> Option<T> {
    let deserializer: StrDeserializer<de::value::Error> = word.into_deserializer();
    T::deserialize(deserializer).ok()
}

/// The word of an enum's value.
pub fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> TypedValueParser for Choice<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let text = value.to_string_lossy();
        let known = self.words.iter().find(|word| word.eq_ignore_ascii_case(&text));
        known.and_then(|word| parse(word)).ok_or_else(|| {
            let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(argument) = argument {
                error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.into_owned()));
            if let Some(near) = nearest(&value.to_string_lossy(), self.words.iter().copied()) {
                error.insert(ContextKind::SuggestedValue, ContextValue::String(near.into()));
            }
            let words = self.words.iter().map(|word| word.to_string()).collect();
            error.insert(ContextKind::ValidValue, ContextValue::Strings(words));
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(|word| PossibleValue::new(*word))))
    }
}

/// The words that serde knows of an enum: it is asked to read one, and the question is answered with the list.
pub fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(Question) {
        Err(Answer(words)) => words,
        Ok(_) => &[],
    }
}

struct Question;

#[derive(Debug)]
struct Answer(&'static [&'static str]);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Answer(&[])
    }
}

impl<'de> Deserializer<'de> for Question {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(words))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::scaling::Scale;
    use crate::select::Strategy;

    #[test]
    fn the_words_are_serdes() {
        assert_eq!(words::<Scale>(), ["minmax", "zscore", "none"]);
        assert!(words::<Strategy>().contains(&"peel-off"));
        assert_eq!(parse::<Scale>("zscore"), Some(Scale::Zscore));
        assert_eq!(parse::<Scale>("other"), None);
        assert_eq!(word(Strategy::PeelOff), "peel-off");
    }
}
