//! A field as it was before a change, whoever has changed it since: a three-way merge of encoded values.

use mingce_proto::names::lists;

use crate::error::Result;
use crate::model::collection::Collection;
use crate::model::message_fields;

/// A field as it was before a change, in its encoded form; `None` where it was changed again since, and is no list.
pub(crate) fn back<C: Collection>(now: &[u8], (before, after): (&[u8], &[u8]), number: u32) -> Result<Option<Vec<u8>>> {
    let [now, before, after] = [now, before, after].map(|message| message_fields::parts(message, number));
    let (now, before, after) = (now?, before?, after?);
    if now == after {
        return Ok(Some(before.concat()));
    }
    if !lists(C::MESSAGE).contains(&number) {
        return Ok(None);
    }
    Ok(Some(list_back(now, &before, &after).concat()))
}

/// A list that was changed again since: without what the change had added, and with what it had taken out, each behind what stood before
/// it, where that is there still.
fn list_back<'a>(mut now: Vec<&'a [u8]>, before: &[&'a [u8]], after: &[&[u8]]) -> Vec<&'a [u8]> {
    for added in without(after, before) {
        if let Some(place) = now.iter().position(|part| *part == added) {
            now.remove(place);
        }
    }
    for (place, part) in before.iter().enumerate() {
        if after.contains(part) || now.contains(part) {
            continue;
        }
        let earlier = before.iter().take(place).rev();
        let behind = earlier
            .filter_map(|other| now.iter().position(|part| part == other))
            .next();
        now.insert(behind.map_or(0, |at| at + 1), part);
    }
    now
}

/// The parts that another list has not, each as often as it has more of them.
pub(crate) fn without<'a>(all: &[&'a [u8]], other: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut other = other.to_vec();
    let mut rest = all.to_vec();
    rest.retain(|part| match other.iter().position(|known| known == part) {
        Some(place) => {
            other.remove(place);
            false
        }
        None => true,
    });
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_of_a_list_comes_back_to_its_place_whoever_changed_the_list_since() {
        let parts = |text: &'static str| -> Vec<&'static [u8]> { text.as_bytes().chunks(1).collect() };
        for (before, after, now, back) in [
            // Taken out, and one added at either end since.
            ("abc", "ac", "acx", "abcx"),
            ("abc", "ac", "xac", "xabc"),
            // Its neighbour is gone, or stands elsewhere.
            ("abc", "ac", "cx", "bcx"),
            ("abc", "ac", "cax", "cabx"),
            ("abcd", "ad", "axd", "abcxd"),
            // Added by the change, and taken out or there twice since.
            ("ab", "abm", "amxb", "axb"),
            ("ab", "abm", "abx", "abx"),
            // Put back by somebody.
            ("abc", "ac", "axbc", "axbc"),
        ] {
            let (before, after) = (parts(before), parts(after));
            let found = list_back(parts(now), &before, &after).concat();
            assert_eq!(String::from_utf8(found).unwrap(), back, "{now}");
        }
    }
}
