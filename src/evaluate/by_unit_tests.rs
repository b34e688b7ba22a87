use super::*;
use crate::testing::reference;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// `scripts/reference_differences.py` leaves samples out one by one, with NumPy.
#[test]
fn what_samples_and_groups_add_is_numpys() {
    let reference = reference("statistics/differences.json");
    let unit = &reference["unit"];
    let rows = |key: &str| -> Vec<Vec<f32>> {
        unit[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| numbers(row).iter().map(|x| *x as f32).collect())
            .collect()
    };
    let (x, y) = (rows("x"), rows("y"));
    let group: Vec<usize> = numbers(&unit["group"]).iter().map(|g| *g as usize).collect();
    let mut pairs = Pairs::new(x[0].len());
    x.iter().zip(&y).for_each(|(x, y)| pairs.add(x, y).unwrap());
    let fit = vec![0; x.len()];
    let per_variance = [numbers(&unit["per_variance"])];
    let rows = Rows { fit: &fit, per_variance: &per_variance, group: &group, groups: 4 };
    let found = by_unit(&mut pairs, rows).unwrap();
    let near = |what: &str, got: Option<f64>, want: &Value| match (got, want.as_f64()) {
        (None, None) => {}
        (Some(got), Some(want)) if (got - want).abs() < 1e-6 * want.abs().max(1.0) => {}
        (got, want) => panic!("{what}: {got:?}, expected {want:?}"),
    };
    for (i, sample) in found.samples.iter().enumerate() {
        near("nmse", sample.nmse, &unit["nmse"][i]);
        near("mae", sample.mae, &unit["mae"][i]);
        near("pcc", sample.pcc, &unit["pcc"][i]);
    }
    for (i, group) in found.groups.iter().enumerate() {
        let want = &unit["groups"][i];
        for (name, got) in [("nmse", group.nmse), ("mae", group.mae), ("pcc", group.pcc), ("r2", group.r2)] {
            near(&format!("group {i}, {name}"), got, &want[name]);
        }
    }
}
