//! A configuration as `run.json` keeps it: what the file says, with what the command line says beside it.

use std::path::Path;

use toml::Table;

use super::config::Config;
use crate::error::{Error, Result};

impl Config {
    /// The configuration that a run's folder recorded; names of files in it are as they were.
    ///
    /// # Errors
    /// As [`Config::read`], where it was another version's.
    pub fn of_record(folder: &Path, said: &serde_json::Value) -> Result<Config> {
        let mut plain = said.clone();
        // TOML's integers are signed, a seed is not
        let seed = plain.as_object_mut().and_then(|said| said.remove("seed"));
        let place = folder.join(super::record::NAME);
        let table = Table::try_from(plain)
            .map_err(|e| Error::input(&place, format!("its configuration is none of a run: {e}")))?;
        let mut config = Config::of(&place, table)?;
        config.output = folder.to_path_buf();
        config.seed = seed.and_then(|seed| seed.as_u64()).unwrap_or(config.seed);
        config.said = said.clone();
        Ok(config)
    }

    /// Takes what the command line says beside the file.
    pub fn overrule(&mut self, key: &str, value: serde_json::Value) {
        match key.split_once('.') {
            None => self.said[key] = value,
            Some((table, key)) => {
                if !self.said[table].is_object() {
                    self.said[table] = serde_json::json!({});
                }
                self.said[table][key] = value;
            }
        }
    }
}
