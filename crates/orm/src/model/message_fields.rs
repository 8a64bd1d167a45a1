//! Messages in their encoded form, field by field: masks, changed fields and private parts work on any resource this
//! way, without a getter for each field. What is read here was written by prost.

use prost::bytes::Bytes;

use crate::error::{Error, Result};

/// Number and bytes (key included) of each field, in the order of the encoding.
fn split(message: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8])>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = first(rest);
        rest = match &field {
            Ok((_, bytes)) => &rest[bytes.len()..],
            Err(_) => &[],
        };
        Some(field)
    })
}

fn first(rest: &[u8]) -> Result<(u32, &[u8])> {
    let (key, head) = varint(rest)?;
    let body = match key & 7 {
        0 => varint(&rest[head..])?.1,
        1 => 8,
        2 => {
            let (length, digits) = varint(&rest[head..])?;
            usize::try_from(length)
                .ok()
                .and_then(|l| l.checked_add(digits))
                .ok_or_else(broken)?
        }
        5 => 4,
        _ => return Err(broken()),
    };
    let end = head
        .checked_add(body)
        .filter(|end| *end <= rest.len())
        .ok_or_else(broken)?;
    Ok((u32::try_from(key >> 3).map_err(|_| broken())?, &rest[..end]))
}

fn varint(bytes: &[u8]) -> Result<(u64, usize)> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (place * 7).min(63);
        if byte & 0x80 == 0 {
            return Ok((value, place + 1));
        }
    }
    Err(broken())
}

fn broken() -> Error {
    Error::internal("a stored message does not decode")
}

/// The message with only the fields that `keep` says.
pub(crate) fn retain(message: &[u8], keep: impl Fn(u32) -> bool) -> Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(message.len());
    append(&mut kept, message, keep)?;
    Ok(kept)
}

/// Appends the fields of a message that `keep` says.
pub(crate) fn append(to: &mut Vec<u8>, message: &[u8], keep: impl Fn(u32) -> bool) -> Result<()> {
    for field in split(message) {
        let (number, bytes) = field?;
        if keep(number) {
            to.extend_from_slice(bytes);
        }
    }
    Ok(())
}

/// The same; `None` where it has no others.
pub(crate) fn retain_if_changed(message: &[u8], keep: impl Fn(u32) -> bool) -> Result<Option<Vec<u8>>> {
    for field in split(message) {
        if !keep(field?.0) {
            return retain(message, keep).map(Some);
        }
    }
    Ok(None)
}

/// The fields that the message begins with and `leading` says, and what comes behind them.
pub(crate) fn split_leading(message: &[u8], leading: impl Fn(u32) -> bool) -> Result<(&[u8], &[u8])> {
    let mut from = 0;
    for field in split(message) {
        let (number, bytes) = field?;
        if !leading(number) {
            break;
        }
        from += bytes.len();
    }
    message.split_at_checked(from).ok_or_else(broken)
}

/// The name of an encoded resource: its first field.
pub(crate) fn name(resource: &[u8]) -> Result<&[u8]> {
    let [0x0a, rest @ ..] = resource else {
        return Err(broken());
    };
    let (length, digits) = varint(rest)?;
    let end = usize::try_from(length)
        .ok()
        .and_then(|l| l.checked_add(digits))
        .ok_or_else(broken)?;
    rest.get(digits..end).ok_or_else(broken)
}

/// The id of an encoded resource: the end of its name.
pub(crate) fn id(resource: &[u8]) -> Option<&[u8]> {
    name(resource).ok()?.rsplit(|byte| *byte == b'/').next()
}

/// The message without some fields; the same bytes where it has none of them.
pub(crate) fn without(message: Bytes, fields: &[u32]) -> Result<Bytes> {
    let has_one = |field: Result<(u32, &[u8])>| field.is_ok_and(|(number, _)| fields.contains(&number));
    if fields.is_empty() || !split(&message).any(has_one) {
        return Ok(message);
    }
    Ok(retain(&message, |number| !fields.contains(&number))?.into())
}

/// `old` with the fields that `taken` names as they are in `new`, also where they are empty there.
pub(crate) fn replace(old: &[u8], new: &[u8], taken: impl Fn(u32) -> bool) -> Result<Vec<u8>> {
    let mut merged = retain(old, |number| !taken(number))?;
    merged.extend(retain(new, &taken)?);
    Ok(merged)
}

/// The bytes of each field, in the order of their numbers; of a repeated field one after the other.
fn by_number(message: &[u8]) -> Result<Vec<(u32, &[u8])>> {
    let mut fields = split(message).collect::<Result<Vec<_>>>()?;
    fields.sort_by_key(|(number, _)| *number);
    Ok(fields)
}

/// The parts of a field, each with its key: one for each element of a list of messages or texts.
pub(crate) fn parts(message: &[u8], number: u32) -> Result<Vec<&[u8]>> {
    let all = split(message).filter(|field| !matches!(field, Ok((other, _)) if *other != number));
    all.map(|field| Ok(field?.1)).collect()
}

/// Numbers of the fields that a message sets.
pub(crate) fn present_fields(message: &[u8]) -> Result<Vec<u32>> {
    let mut numbers = split(message).map(|field| Ok(field?.0)).collect::<Result<Vec<_>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Numbers of the fields in which two messages differ.
pub(crate) fn changed(old: &[u8], new: &[u8]) -> Result<Vec<u32>> {
    if old == new {
        return Ok(Vec::new());
    }
    let (old, new) = (by_number(old)?, by_number(new)?);
    let (mut old, mut new) = (old.as_slice(), new.as_slice());
    let mut numbers = Vec::new();
    while let Some(number) = [old.first(), new.first()]
        .into_iter()
        .flatten()
        .map(|field| field.0)
        .min()
    {
        if of(&mut old, number) != of(&mut new, number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Takes the fields of a number off the front.
fn of<'a, 'b>(fields: &mut &'a [(u32, &'b [u8])], number: u32) -> &'a [(u32, &'b [u8])] {
    let count = fields.iter().take_while(|field| field.0 == number).count();
    let (taken, rest) = fields.split_at(count);
    *fields = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::registry::{Identifier, Name};
    use proptest::prelude::*;
    use prost::Message;

    fn name(text: &str, language: &str) -> Vec<u8> {
        Name {
            text: text.into(),
            language: language.into(),
            ..Name::default()
        }
        .encode_to_vec()
    }

    #[test]
    fn a_mask_takes_its_fields_and_no_other() -> Result<()> {
        let merged = replace(&name("北大", "zh"), &name("PKU", "en"), |number| number == 1)?;
        assert_eq!(
            Name::decode(merged.as_slice()).ok().map(|n| (n.text, n.language)),
            Some(("PKU".into(), "zh".into()))
        );
        let emptied = replace(&name("北大", "zh"), &name("PKU", ""), |number| number == 2)?;
        assert_eq!(
            Name::decode(emptied.as_slice()).ok().map(|n| n.language),
            Some(String::new())
        );
        assert_eq!(changed(&name("北大", "zh"), &merged)?, vec![1]);
        Ok(())
    }

    proptest! {
        #[test]
        fn splitting_keeps_every_byte(scheme in ".*", value in ".*") {
            let encoded = Identifier { scheme, value }.encode_to_vec();
            prop_assert_eq!(retain(&encoded, |_| true).unwrap(), encoded);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            split(&bytes).for_each(drop);
        }
    }
}

#[cfg(test)]
#[path = "message_fields_fuzz.rs"]
mod fuzz;
