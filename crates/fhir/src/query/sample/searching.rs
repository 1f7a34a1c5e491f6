//! Whole searches: conditions, chains, `_has` and an order.

use super::{DEFINITIONS, Definition, Dice, SearchParam, parameter, query_string};
use crate::resource::ResourceType;

/// A query string that [`crate::query::parse::search`] accepts under strict handling: [`query_string`], of which some
/// conditions are put to another resource, and often an order.
pub fn search_string(seed: u64, kind: ResourceType) -> String {
    let mut dice = Dice::new(seed, 5);
    let mut parameters = Vec::new();
    if dice.chance(60) {
        parameters.push(query_string(seed, kind));
    }
    if dice.chance(40) {
        parameters.push(chain(&mut dice, kind));
    }
    if dice.chance(60) {
        parameters.push(format!("_sort={}", sort(&mut dice, &[kind])));
    }
    if dice.chance(30) {
        parameters.extend((0..1 + dice.below(3)).map(|_| include(&mut dice, kind)));
    }
    parameters.join("&")
}

fn include(dice: &mut Dice, kind: ResourceType) -> String {
    const ITERATING: &[&str] = &[
        "_include:iterate=Patient:link",
        "_include:iterate=Patient:general-practitioner",
        "_include:iterate=*",
        "_revinclude:iterate=Patient:link",
        "_revinclude:iterate=Patient:general-practitioner:Practitioner",
        "_revinclude:iterate=*",
    ];
    let plain: &[&str] = match kind {
        ResourceType::Patient => &["_include=Patient:link", "_include=*", "_revinclude=Patient:link"],
        ResourceType::Practitioner => &["_revinclude=Patient:general-practitioner", "_revinclude=*"],
    };
    let from = if dice.chance(50) { plain } else { ITERATING };
    dice.pick(from).to_owned()
}

/// A query string that [`crate::query::parse::search_system`] accepts under strict handling.
pub fn system_string(seed: u64) -> String {
    let mut dice = Dice::new(seed, 6);
    let mut parameters = Vec::new();
    let shared = of(&ResourceType::ALL);
    for _ in 0..dice.below(3) {
        let row = shared.get(dice.below(shared.len()));
        parameters.extend(row.map(|row| parameter(&mut dice, row)));
    }
    if dice.chance(60) {
        parameters.push(format!("_sort={}", sort(&mut dice, &ResourceType::ALL)));
    }
    parameters.join("&")
}

/// The parameters that all of these types have.
fn of(kinds: &[ResourceType]) -> Vec<&'static Definition> {
    DEFINITIONS
        .iter()
        .filter(|row| kinds.iter().all(|kind| row.on.contains(kind)))
        .collect()
}

fn chain(dice: &mut Dice, kind: ResourceType) -> String {
    let condition = |dice: &mut Dice, kind: ResourceType| {
        let rows = of(&[kind]);
        let row = rows.get(dice.below(rows.len())).copied();
        row.map(|row| parameter(dice, row)).unwrap_or_default()
    };
    match (kind, dice.below(9)) {
        // Two or three steps, by either way of each.
        (ResourceType::Patient, 6) => format!("link.{}", step(dice, ResourceType::Patient)),
        (ResourceType::Patient, 7) => format!("link:Patient.link.{}", step(dice, ResourceType::Patient)),
        (ResourceType::Patient, 8) => format!("_has:Patient:link:{}", step(dice, ResourceType::Patient)),
        (ResourceType::Practitioner, 5..) => format!(
            "_has:Patient:general-practitioner:{}",
            step(dice, ResourceType::Patient)
        ),
        (ResourceType::Patient, 0) => format!(
            "general-practitioner.{}",
            condition(dice, ResourceType::Practitioner)
        ),
        (ResourceType::Patient, 1 | 2) => format!(
            "general-practitioner:Practitioner.{}",
            condition(dice, ResourceType::Practitioner)
        ),
        (ResourceType::Patient, 3) => format!("link:Patient.{}", condition(dice, ResourceType::Patient)),
        (ResourceType::Patient, 4) => format!("link.{}", condition(dice, ResourceType::Patient)),
        (ResourceType::Patient, _) => {
            format!("_has:Patient:link:{}", condition(dice, ResourceType::Patient))
        }
        (ResourceType::Practitioner, _) => format!(
            "_has:Patient:general-practitioner:{}",
            condition(dice, ResourceType::Patient)
        ),
    }
}

/// One more step.
fn step(dice: &mut Dice, kind: ResourceType) -> String {
    let conditions = of(&[ResourceType::Practitioner]);
    match (kind, dice.below(4)) {
        (ResourceType::Patient, 0) => {
            let row = conditions.get(dice.below(conditions.len())).copied();
            let condition = row.map(|row| parameter(dice, row)).unwrap_or_default();
            format!("general-practitioner.{condition}")
        }
        (ResourceType::Patient, 1) => format!("_has:Patient:link:{}", query_part(dice)),
        (ResourceType::Patient, 2) => format!("link:Patient.{}", query_part(dice)),
        _ => format!("link.{}", query_part(dice)),
    }
}

/// A condition on a Patient.
fn query_part(dice: &mut Dice) -> String {
    let rows = of(&[ResourceType::Patient]);
    let row = rows.get(dice.below(rows.len())).copied();
    row.map(|row| parameter(dice, row)).unwrap_or_default()
}

fn sort(dice: &mut Dice, kinds: &[ResourceType]) -> String {
    let mut keys: Vec<(SearchParam, String)> = Vec::new();
    let rows: Vec<&Definition> = of(kinds)
        .into_iter()
        .filter(|row| row.param.has_order())
        .collect();
    for _ in 0..1 + dice.below(3) {
        let Some(row) = rows.get(dice.below(rows.len())) else {
            continue;
        };
        if keys.iter().all(|(param, _)| *param != row.param) {
            let way = dice.pick(&["", "-"]);
            keys.push((row.param, format!("{way}{}", row.name)));
        }
    }
    let names: Vec<String> = keys.into_iter().map(|(_, name)| name).collect();
    names.join(",")
}
