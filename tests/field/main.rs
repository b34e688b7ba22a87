//! Files and lists of the kinds that people of this field keep: each is read as what it is, or refused in words.

#[path = "../common/mod.rs"]
mod common;

mod containers;
mod identity;
mod layouts;
mod lists;
mod maps;
mod naming;
mod run;
mod sides;
mod slices;
mod tables;
mod unlike;
mod whole;
