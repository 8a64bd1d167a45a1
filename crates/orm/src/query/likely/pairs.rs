//! The pairs of a group of candidates, one after the other. A pair costs a look into two lists, and a member that fits no other nothing
//! but its turn: of 5,000 records of one name in 5,000 cities nobody compares each with each.

use std::collections::HashMap;

/// What stands beside the shared name of a member, such as a city, and its id.
pub(crate) type Member = (String, String);

/// The pairs of a group whose members are in the order of their ids.
#[derive(Debug)]
pub(crate) struct Pairs<'a> {
    members: &'a [Member],
    /// The places of the members that have one thing beside their name.
    beside: HashMap<&'a str, Vec<usize>>,
    /// One of which nothing is known fits any other.
    unknown_fits: bool,
    place: usize,
    /// Where the next partner of the member at `place` is looked for.
    from: usize,
}

impl<'a> Pairs<'a> {
    /// The pairs behind one.
    pub fn behind(members: &'a [Member], (last, last_other): (&str, &str), unknown_fits: bool) -> Self {
        let mut beside: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, (of, _)) in members.iter().enumerate() {
            beside.entry(of.as_str()).or_default().push(place);
        }
        let place = members.partition_point(|(_, id)| id.as_str() < last);
        let is_last = members.get(place).is_some_and(|(_, id)| id == last);
        let from = members.partition_point(|(_, id)| is_last && id.as_str() <= last_other);
        Self {
            members,
            beside,
            unknown_fits,
            place,
            from: from.max(place + 1),
        }
    }

    /// The place of the first that fits, from `from` on.
    fn partner(&self, of: &str) -> Option<usize> {
        if self.unknown_fits && of.is_empty() {
            return Some(self.from).filter(|from| *from < self.members.len());
        }
        let first = |of: &str| {
            let places = self.beside.get(of)?;
            places.get(places.partition_point(|place| *place < self.from)).copied()
        };
        let unknown = if self.unknown_fits { first("") } else { None };
        match (first(of), unknown) {
            (Some(same), Some(unknown)) => Some(same.min(unknown)),
            (same, unknown) => same.or(unknown),
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((of, id)) = self.members.get(self.place) {
            if let Some(partner) = self.partner(of)
                && let Some((_, other)) = self.members.get(partner)
            {
                self.from = partner + 1;
                return Some((id, other));
            }
            self.place += 1;
            self.from = self.place + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    /// Each with each.
    fn plainly(members: &[Member], (last, last_other): (&str, &str), unknown_fits: bool) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (place, (beside, id)) in members.iter().enumerate() {
            for (other_beside, other) in members.iter().skip(place + 1) {
                let unknown = unknown_fits && (beside.is_empty() || other_beside.is_empty());
                let is_behind = id.as_str() > last || (id == last && other.as_str() > last_other);
                if (beside == other_beside || unknown) && is_behind {
                    pairs.push((id.clone(), other.clone()));
                }
            }
        }
        pairs
    }

    fn all(pairs: Pairs<'_>) -> Vec<(String, String)> {
        pairs.map(|(one, other)| (one.to_owned(), other.to_owned())).collect()
    }

    proptest! {
        #[test]
        fn the_pairs_are_those_of_each_with_each(
            besides in proptest::collection::vec(0..5usize, 0..20),
            last in (0..22usize, 0..22usize),
            unknown_fits: bool,
        ) {
            let beside = |of: usize| if of == 0 { String::new() } else { format!("city {of}") };
            // Only even ids are there: a list may stand behind one that has gone.
            let members: Vec<Member> =
                besides.iter().enumerate().map(|(place, of)| (beside(*of), format!("{:04}", place * 2))).collect();
            let (one, other) = (format!("{:04}", last.0), format!("{:04}", last.1));
            let behind = (one.as_str(), other.as_str());
            prop_assert_eq!(
                all(Pairs::behind(&members, behind, unknown_fits)),
                plainly(&members, behind, unknown_fits)
            );
        }
    }

    #[test]
    fn a_large_group_without_pairs_takes_no_time() {
        let members: Vec<Member> = (0..5000).map(|n| (format!("city {n}"), format!("{n:04}"))).collect();
        let time = |work: &dyn Fn() -> usize| {
            let began = Instant::now();
            assert_eq!(work(), 0);
            began.elapsed()
        };
        let quick = time(&|| all(Pairs::behind(&members, ("", ""), true)).len());
        let plain = time(&|| plainly(&members, ("", ""), true).len());
        assert!(quick * 5 < plain, "{quick:?}, and each with each {plain:?}");
    }
}
