//! Ids: UUIDv7, written as 26 characters of base32 without i, l, o and u, as they stand in resource names.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The value of each byte as a digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = 255;

/// The id of a resource. Ordered by the time it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Uuid);

impl Id {
    /// A new id for something made at `now` (microseconds since 1970). The twelve bits after the milliseconds are a fraction of
    /// one (RFC 9562, 6.2, method 3), so that what one client makes one after the other is in that order; 62 bits are random.
    pub fn new(now: i64) -> Self {
        let millis = u64::try_from(now / 1000).unwrap_or(0);
        let fraction = u16::try_from(now.rem_euclid(1000) * 4096 / 1000).unwrap_or(0);
        let mut after = rand::random::<[u8; 10]>();
        after[..2].copy_from_slice(&fraction.to_be_bytes());
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &after).into_uuid())
    }

    /// The id with this value.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The same id as a UUID with hyphens.
    pub fn uuid(&self) -> String {
        self.0.hyphenated().to_string()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0.as_u128();
        let mut text = [0; 26];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(value & 31) as usize];
            value >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let bytes = text.as_bytes();
        // 26 characters hold 130 bits: the first may not exceed 7.
        if bytes.len() != 26 || bytes[0] > b'7' {
            return Err(NotAnId);
        }
        let value = bytes
            .iter()
            .try_fold(0u128, |value, byte| match DIGITS[usize::from(*byte)] {
                NO_DIGIT => Err(NotAnId),
                digit => Ok((value << 5) | u128::from(digit)),
            })?;
        Ok(Self(Uuid::from_u128(value)))
    }
}

/// A resource name, `labs/{id}` or `labs/{id}/designations/{id}`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// `labs`, where the resource stands below another.
    pub parent_collection: Option<&'a str>,
    /// The id of the parent.
    pub parent: Option<&'a str>,
    /// `designations`.
    pub collection: &'a str,
    /// The resource's own id.
    pub id: &'a str,
}

impl<'a> Name<'a> {
    /// Takes a resource name apart; `None` where it is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split('/');
        let (collection, id) = (parts.next()?, parts.next()?);
        id.parse::<Id>().ok()?;
        match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => Some(Self {
                parent_collection: None,
                parent: None,
                collection,
                id,
            }),
            (Some(below), Some(own), None) => {
                own.parse::<Id>().ok()?;
                Some(Self {
                    parent_collection: Some(collection),
                    parent: Some(id),
                    collection: below,
                    id: own,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back(value in any::<u128>()) {
            let id = Id(Uuid::from_u128(value));
            prop_assert_eq!(id.to_string().parse::<Id>(), Ok(id));
        }
    }

    #[test]
    fn ids_sort_by_time_as_text() {
        let (early, late) = (Id::new(1_700_000_000_000_000), Id::new(1_700_000_000_002_000));
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.0.get_version_num(), 7);
    }

    #[test]
    fn ids_of_one_millisecond_sort_by_its_microseconds_and_none_is_another() {
        let start = 1_700_000_000_000_000;
        let ids: Vec<_> = (start..start + 3000).map(|now| Id::new(now).to_string()).collect();
        assert!(ids.is_sorted());
        let mut at_once: Vec<_> = (0..1000).map(|_| Id::new(start).to_string()).collect();
        at_once.sort_unstable();
        at_once.dedup();
        assert_eq!(at_once.len(), 1000);
    }

    #[test]
    fn a_name_of_the_wrong_shape_is_none() {
        let id = Id::new(0).to_string();
        assert!(Name::parse(&format!("labs/{id}")).is_some());
        assert!(Name::parse(&format!("labs/{id}/designations/{id}")).is_some());
        for wrong in [
            "",
            "labs",
            "labs/",
            "labs/x",
            &format!("labs/{id}/designations"),
            &format!("labs/{id}/a/{id}/b"),
        ] {
            assert!(Name::parse(wrong).is_none(), "{wrong}");
        }
    }
}
