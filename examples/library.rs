//! The flow for a program that has its matrix in memory: train, attribute, select, compare. Nothing is stored.
//!
//! `cargo run --release --example library`

use genelift::attribution::{AttributeSettings, ScoreTable, attribute};
use genelift::compare::{Plan, Tests, Told, compare, describe};
use genelift::genes::Table;
use genelift::infer::{FitSettings, Method};
use genelift::nn::{settings::TrainSettings, train::Training, train::train};
use genelift::prepare::split::{Draw, parts};
use genelift::progress::silent;
use genelift::select::{self, Strategy};
use genelift::store::Store;
use genelift::{Result, device};

/// From a `Vec<f32>` with names to a table of what two lists of eight genes predict.
pub fn flow() -> Result<String> {
    let (values, samples, genes) = measured();
    let all = Store::in_memory("mine", values, samples, genes)?;
    let parts = parts(&all, &[0.7, 0.3], Draw::Samples, 1)?;
    let (learn, held_out) = (&parts[0], &parts[1..]);
    let mut cpu = device::open("cpu", None, &silent)?;
    let settings = TrainSettings { hidden: vec![16, 4, 16], epochs: 20, ..TrainSettings::standard() };
    let model = train(&mut *cpu, &Training::of(learn, settings), &silent)?.model;
    cpu.reset();
    let deeplift = AttributeSettings::standard();
    let scores = attribute(&mut *cpu, &model, learn, &deeplift, false, &silent)?.scores;
    let top = select::top(&ScoreTable::rank(learn.genes(), &scores), 8, &[], &[])?;
    let diverse = select::choose(Strategy::Diverse, learn, 8, &mut *cpu, &silent)?;
    let lists = [("top", &top.genes.ids[..]), ("diverse", &diverse.genes.ids)];
    let plan = Plan::of_lists(learn, held_out, &lists, 3, &silent)?;
    let ridge = FitSettings { method: Method::Linear, ..FitSettings::default() };
    let tested = compare(&mut *cpu, learn, held_out, &plan, &ridge, &silent)?;
    let tests = Tests::of(&plan, &tested, 2000, 1);
    Ok(describe(&Told::of(&plan, &tested, &tests)))
}

#[allow(dead_code)] // the test calls `flow`
fn main() -> Result<()> {
    print!("{}", flow()?);
    Ok(())
}

/// A matrix of 120 samples × 60 genes, row by row, made up from four hidden factors, and what its rows and columns are called.
fn measured() -> (Vec<f32>, Table, Table) {
    let factor = |sample: usize, k: usize| ((sample * (2 * k + 3)) as f32 * 0.37).sin();
    let value = |sample: usize, gene: usize| {
        let signal: f32 = (0..4).map(|k| factor(sample, k) * ((gene * (k + 1)) as f32 * 0.71).cos()).sum();
        7.0 + signal + ((sample * 977 + gene * 131) as f32).sin() * 43_758.547 % 1.0
    };
    let values = (0..120 * 60).map(|i| value(i / 60, i % 60)).collect();
    (values, Table::numbered("sample_id", "patient", 120), Table::numbered("gene_id", "GENE", 60))
}
