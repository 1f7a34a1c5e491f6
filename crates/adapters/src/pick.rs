//! Which of several names, telecoms or addresses a partner's single field means (`adapters.md` 5.4). The same
//! choice serves reading and writing: a write changes the element that a read shows.

use crate::tree::{Object, objects, text};

#[cfg(test)]
mod tests;

/// The position in `name` that a door shows: the first use in `order` that some current name has. A name
/// without `use` ranks where `""` stands; one whose use is not listed comes last; `old`, `maiden`, `anonymous`
/// and names whose period has ended never count. `today` is `YYYY-MM-DD`.
pub fn name(resource: &Object, order: &[&str], today: &str) -> Option<usize> {
    best(resource, "name", today, |name| {
        let kind = text(name, "use").unwrap_or_default();
        match kind {
            "old" | "maiden" | "anonymous" => None,
            _ => Some(
                order
                    .iter()
                    .position(|known| *known == kind)
                    .unwrap_or(order.len()),
            ),
        }
    })
}

/// The position in `telecom` of the e-mail address: not old, period not ended, lowest rank, then order.
pub fn email(resource: &Object, today: &str) -> Option<usize> {
    best(resource, "telecom", today, |point| {
        let wanted = text(point, "system") == Some("email") && text(point, "use") != Some("old");
        wanted.then(|| rank(point))
    })
}

/// The position in `telecom` of the telephone: mobile before home, work and the rest; an `sms` point counts
/// as a mobile after the phones; then rank, then order.
pub fn phone(resource: &Object, today: &str) -> Option<usize> {
    best(resource, "telecom", today, |point| {
        let sms = match text(point, "system") {
            Some("phone") => false,
            Some("sms") => true,
            _ => return None,
        };
        let class = match text(point, "use") {
            Some("old") => return None,
            Some("mobile") => 0,
            _ if sms => 0,
            Some("home") => 1,
            Some("work") => 2,
            _ => 3,
        };
        Some((class, sms, rank(point)))
    })
}

/// The position in `address` of the address: home, then one without use, then any other that is not old.
pub fn address(resource: &Object, today: &str) -> Option<usize> {
    best(resource, "address", today, |address| match text(address, "use") {
        Some("old") => None,
        Some("home") => Some(0),
        None => Some(1),
        Some(_) => Some(2),
    })
}

/// `rank`, 1 being the most preferred; none comes last.
fn rank(point: &Object) -> u64 {
    point
        .get("rank")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(u64::MAX)
}

fn best<K: Ord>(
    resource: &Object,
    property: &str,
    today: &str,
    key: impl Fn(&Object) -> Option<K>,
) -> Option<usize> {
    let list = resource.get(property)?.as_array()?;
    list.iter()
        .enumerate()
        .filter_map(|(position, item)| Some((position, item.as_object()?)))
        .filter(|(_, item)| is_current(item, today))
        .filter_map(|(position, item)| Some((key(item)?, position)))
        .min()
        .map(|(_, position)| position)
}

/// Whether a period has not ended before `today`. A partial end (`2024-05`) lasts to its end.
pub fn is_current(element: &Object, today: &str) -> bool {
    let end = element
        .get("period")
        .and_then(serde_json::Value::as_object)
        .and_then(|period| text(period, "end"));
    let Some(end) = end else { return true };
    // Dates compare as text as far as both reach.
    let reach = end.len().min(today.len()).min("YYYY-MM-DD".len());
    match (end.get(..reach), today.get(..reach)) {
        (Some(end), Some(today)) => end >= today,
        _ => true,
    }
}

/// Whether some contact with this role is there; the first one's position.
pub fn contact(resource: &Object, is_wanted: impl Fn(&Object) -> bool) -> Option<usize> {
    let list = resource.get("contact")?.as_array()?;
    list.iter()
        .position(|contact| contact.as_object().is_some_and(&is_wanted))
}

/// Whether a contact has a relationship of this system and code.
pub fn has_relationship(contact: &Object, system: &str, code: &str) -> bool {
    objects(contact, "relationship").any(|concept| {
        objects(concept, "coding")
            .any(|coding| text(coding, "system") == Some(system) && text(coding, "code") == Some(code))
    })
}
