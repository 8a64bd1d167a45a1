//! Bytes that are nearly right: seeds that are, with a few changes in them. What reads such bytes has to take them or
//! to refuse them.
//!
//! `MINGCE_FUZZ` says how many each target gets (else as many as it says itself, or what ten seconds allow),
//! `MINGCE_FUZZ_SEED` repeats a run.

use std::cell::Cell;
use std::env;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

/// How long a target has in the test command, and how long one input may take: a hundred times what the slowest does.
const AT_MOST: Duration = Duration::from_secs(10);
const SLOW: Duration = Duration::from_secs(10);

/// Nothing is repeated to more bytes than this.
const MOST: usize = 64 << 10;

/// Places are counted round, so that they are in inputs of any length.
const FAR: usize = 1_000_000;

/// What became of the inputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct FuzzSummary {
    /// How many were taken.
    pub taken: u32,
    /// How many were refused.
    pub refused: u32,
}

impl FuzzSummary {
    /// Fails where the changes were such that the test had only one side of it to look at.
    pub fn expect_both(self) {
        let few = self.taken + self.refused < 200;
        assert!(few || (self.taken > 0 && self.refused > 0), "{self:?}");
    }
}

/// Runs a test on each seed, which it has to take, and on so many inputs that are nearly seeds. The test is given the
/// place of the seed and the bytes, says whether they were taken, and panics where they were not dealt with as they
/// should be. `words` are what changes put in beside single bytes. An input that fails is made smaller and told with
/// the numbers that repeat it.
pub fn fuzz(cases: u32, seeds: &[Vec<u8>], words: &[&[u8]], test: impl Fn(usize, &[u8]) -> bool) -> FuzzSummary {
    for (place, bytes) in seeds.iter().enumerate() {
        assert!(test(place, bytes), "seed {place} is refused: {}", shown(bytes));
    }
    let asked: Option<u32> = env::var("MINGCE_FUZZ").ok().map(|text| text.parse().unwrap());
    let by_time = || u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    let seed = env::var("MINGCE_FUZZ_SEED").map_or_else(|_| by_time(), |text| text.parse().unwrap());
    let config = Config {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 5_000,
        max_shrink_time: 20_000,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    let begun = Instant::now();
    let (told, tried) = (Cell::new(FuzzSummary::default()), Cell::new(0_u32));
    // A test that panics does not come back: what is tried from then on makes its input smaller.
    let (inside, failed) = (Cell::new(false), Cell::new(false));
    let strategy = (0..seeds.len(), vec(change(), 1..=4));
    let result = TestRunner::new(config).run(&strategy, |(place, changes)| {
        failed.set(failed.get() || inside.get());
        if !failed.get() {
            if asked.is_none() && begun.elapsed() > AT_MOST {
                return Ok(());
            }
            tried.set(tried.get() + 1);
        }
        let bytes = changed(seeds, place, words, &changes);
        inside.set(true);
        let started = Instant::now();
        let taken = test(place, &bytes);
        let took = started.elapsed();
        assert!(took < SLOW, "it took {took:?}");
        inside.set(false);
        let mut now = told.get();
        now.taken += u32::from(taken);
        now.refused += u32::from(!taken);
        told.set(now);
        Ok(())
    });
    match result {
        Ok(()) => told.get(),
        Err(TestError::Fail(reason, (place, changes))) => panic!(
            "MINGCE_FUZZ_SEED={seed} MINGCE_FUZZ={}: {reason}\nseed {place}, changed by {changes:?}, is\n{}",
            tried.get(),
            shown(&changed(seeds, place, words, &changes))
        ),
        Err(TestError::Abort(reason)) => panic!("MINGCE_FUZZ_SEED={seed}: {reason}"),
    }
}

/// Bytes for people, and not all of very many.
fn shown(bytes: &[u8]) -> String {
    let all = match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    all.chars().take(4_000).collect()
}

/// Where a part may begin and end.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Anywhere,
    /// At a number, or at what stands between two.
    Numbers,
    Words,
    /// Lines of a text, tags of XML.
    Lines,
}

impl Cut {
    fn is_edge(self, bytes: &[u8], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        match self {
            Cut::Anywhere => true,
            Cut::Numbers => before.is_none() || digit(before) != digit(bytes.get(at)),
            Cut::Words => matches!(before, None | Some(b' ')),
            Cut::Lines => matches!(before, None | Some(b'\n')) || bytes.get(at) == Some(&b'<'),
        }
    }
}

/// A part of an input.
#[derive(Debug, Clone, Copy)]
struct Part {
    at: usize,
    count: usize,
    cut: Cut,
}

impl Part {
    fn of(self, bytes: &[u8]) -> Range<usize> {
        let at = self.at % (bytes.len() + 1);
        let end = (at + self.count).min(bytes.len());
        let from = (0..=at).rev().find(|at| self.cut.is_edge(bytes, *at));
        let to = (end..bytes.len()).find(|at| self.cut.is_edge(bytes, *at));
        from.unwrap_or(0)..to.unwrap_or(bytes.len())
    }
}

/// What is done to an input. The numbers are places.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    /// One of the words in the place of a part.
    Put(Part, usize),
    Truncate(usize),
    Delete(Part),
    /// A part stands there so many times more.
    Repeat(Part, usize),
    Swap(Part, Part),
    /// A part of one of the seeds is put in.
    Splice(usize, usize, Part),
}

fn part() -> impl Strategy<Value = Part> {
    let count = prop_oneof![3 => 0..=4_usize, 2 => 5..=64_usize, 1 => 65..=1_000_usize];
    let cut = prop_oneof![
        3 => Just(Cut::Anywhere),
        2 => Just(Cut::Numbers),
        1 => Just(Cut::Words),
        1 => Just(Cut::Lines),
    ];
    (0..FAR, count, cut).prop_map(|(at, count, cut)| Part { at, count, cut })
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0..FAR;
    prop_oneof![
        1 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => (at(), any::<u8>()).prop_map(|(at, new)| Change::Set(at, new)),
        1 => (at(), vec(any::<u8>(), 1..=8)).prop_map(|(at, new)| Change::Insert(at, new)),
        2 => (part(), at()).prop_map(|(part, word)| Change::Put(part, word)),
        1 => at().prop_map(Change::Truncate),
        1 => part().prop_map(Change::Delete),
        1 => (part(), 1..=20_usize).prop_map(|(part, times)| Change::Repeat(part, times)),
        1 => (part(), part()).prop_map(|(one, other)| Change::Swap(one, other)),
        1 => (at(), at(), part()).prop_map(|(at, seed, part)| Change::Splice(at, seed, part)),
    ]
}

fn changed(seeds: &[Vec<u8>], place: usize, words: &[&[u8]], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seeds[place].clone();
    for change in changes {
        change.apply(&mut bytes, seeds, words);
    }
    bytes
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]]) {
        let length = bytes.len();
        // Of a byte, and of a gap between two.
        let byte = |at: &usize| *at % length.max(1);
        let gap = |at: &usize| *at % (length + 1);
        match self {
            Change::Flip(at, bit) => {
                if let Some(old) = bytes.get_mut(byte(at)) {
                    *old ^= 1_u8 << *bit;
                }
            }
            Change::Set(at, new) => {
                if let Some(old) = bytes.get_mut(byte(at)) {
                    *old = *new;
                }
            }
            Change::Insert(at, new) => put(bytes, gap(at)..gap(at), new),
            Change::Put(part, word) => {
                let range = part.of(bytes);
                if let Some(word) = words.get(*word % words.len().max(1)) {
                    put(bytes, range, word);
                }
            }
            Change::Truncate(at) => bytes.truncate(gap(at)),
            Change::Delete(part) => {
                let range = part.of(bytes);
                put(bytes, range, &[]);
            }
            Change::Repeat(part, times) => {
                let range = part.of(bytes);
                if range.len() * *times <= MOST {
                    let more = bytes[range.clone()].repeat(*times);
                    put(bytes, range.end..range.end, &more);
                }
            }
            Change::Swap(one, other) => {
                let mut both = [one.of(bytes), other.of(bytes)];
                both.sort_by_key(|range| range.start);
                let [one, other] = both;
                if one.end <= other.start {
                    let (between, behind) = (one.end..other.start, other.end..length);
                    let pieces = [0..one.start, other, between, one, behind];
                    *bytes = pieces.map(|piece| &bytes[piece]).concat();
                }
            }
            Change::Splice(at, seed, part) => {
                let other = &seeds[*seed % seeds.len()];
                put(bytes, gap(at)..gap(at), &other[part.of(other)]);
            }
        }
    }
}

/// Puts new bytes in the place of a range.
fn put(bytes: &mut Vec<u8>, range: Range<usize>, new: &[u8]) {
    let behind = bytes.split_off(range.end);
    bytes.truncate(range.start);
    bytes.extend_from_slice(new);
    bytes.extend(behind);
}
