//! How much memory a message takes once it is decoded, added up from its bytes before anything is decoded: two bytes on the
//! wire can be an element of several hundred bytes. A message that takes far more than it has bytes is refused.

use crate::shapes::{DEEPEST, Field, Form, SHAPES, Shape};

/// How many times as much memory as it has bytes may be asked for to decode a message, …
pub const TIMES: usize = 16;
/// … and how much beside that, so that lists of short elements are let through. What is done with a message takes as much again.
pub const BESIDE: usize = 1 << 20;
/// Messages that take no more than this are not looked into, and are not counted among those of all calls.
pub const FREE: usize = 64 << 10;

/// How many paths a mask may have: far more than any resource has fields.
pub const MOST_PATHS: usize = 1000;
/// What the allocator adds to each piece of memory, at most.
const PIECE: usize = 16;
/// How large a text is by itself.
const TEXT: usize = size_of::<String>();

/// Why a message is not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is no message.
    Malformed(&'static str),
    /// It takes too much memory.
    TooComplex {
        /// The path of the field where it became too much.
        field: String,
        /// Which element of that field.
        place: usize,
        /// How many bytes of memory the message may take.
        most: usize,
    },
    /// A field has more elements than the contract allows.
    TooMany {
        /// Its path.
        field: String,
        /// How many it may have.
        most: usize,
    },
}

/// How many bytes of memory are asked for to decode a message of this type, about. Small messages and those of types that
/// cannot grow are not looked into, and answer their own length.
///
/// # Errors
/// Where they are more than [`TIMES`] times its own and [`BESIDE`], where a field has more elements than the contract allows, and
/// where it is no message.
pub fn weigh(message: &str, bytes: &[u8]) -> Result<usize, Refused> {
    let shapes = &*SHAPES;
    if bytes.len() <= shapes.light {
        return Ok(bytes.len());
    }
    let Some(&root) = shapes.places.get(message) else {
        return Ok(bytes.len());
    };
    let Some(shape) = shapes.all.get(root) else {
        return Ok(bytes.len());
    };
    if bytes.len() <= shape.light {
        return Ok(bytes.len());
    }
    Scale::new(&shapes.all, root, bytes).weigh()
}

/// A message within which the scale is.
#[derive(Debug, Clone, Copy)]
struct Level {
    shape: usize,
    /// Where its bytes end.
    end: usize,
    /// Where the counts of its repeated fields begin.
    counts: usize,
    /// The number of the field of the message around it that it stands in, and which element of it.
    field: usize,
    place: usize,
}

struct Scale<'a> {
    shapes: &'a [Shape],
    bytes: &'a [u8],
    at: usize,
    cost: usize,
    most: usize,
    strict: bool,
    levels: Vec<Level>,
    counts: Vec<usize>,
}

impl<'a> Scale<'a> {
    fn new(shapes: &'a [Shape], root: usize, bytes: &'a [u8]) -> Self {
        let mut scale = Self {
            shapes,
            bytes,
            at: 0,
            cost: shapes.get(root).map_or(0, |shape| shape.size),
            most: bytes.len() * TIMES + BESIDE,
            strict: shapes.get(root).is_some_and(|shape| !shape.streams),
            levels: Vec::with_capacity(8),
            counts: Vec::with_capacity(32),
        };
        scale.enter(root, bytes.len(), 0, 0);
        scale
    }

    fn enter(&mut self, shape: usize, end: usize, field: usize, place: usize) {
        let counts = self.counts.len();
        let slots = self.shapes.get(shape).map_or(0, |shape| shape.slots);
        self.counts.resize(counts + slots, 0);
        self.levels.push(Level {
            shape,
            end,
            counts,
            field,
            place,
        });
    }

    fn weigh(mut self) -> Result<usize, Refused> {
        while let Some(&level) = self.levels.last() {
            if self.at >= level.end {
                self.counts.truncate(level.counts);
                self.levels.pop();
                continue;
            }
            let key = self.number()?;
            let (number, kind) = (usize::try_from(key >> 3).unwrap_or(usize::MAX), key & 7);
            let field = self
                .shapes
                .get(level.shape)
                .and_then(|shape| shape.fields.get(number)?.as_ref());
            match kind {
                0 => {
                    self.number()?;
                    self.scalar(level, number, field)?;
                }
                1 | 5 => {
                    self.step(if kind == 1 { 8 } else { 4 }, level.end)?;
                    self.scalar(level, number, field)?;
                }
                2 => {
                    let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                    let begin = self.at;
                    self.step(length, level.end)?;
                    if let Some(field) = field {
                        self.delimited(level, number, field, begin)?;
                    }
                }
                3 => self.group()?,
                _ => return Err(Refused::Malformed("invalid wire type")),
            }
        }
        Ok(self.cost)
    }

    /// What has a length: a text, a message, or many numbers.
    fn delimited(&mut self, level: Level, number: usize, field: &Field, begin: usize) -> Result<(), Refused> {
        let length = self.at - begin;
        match field.form {
            Form::Text => {
                let place = self.element(level, number, field, TEXT)?;
                self.add(if length == 0 { 0 } else { length + PIECE }, number, place)
            }
            // Each takes a byte or more of the length, and the list up to twice what it holds.
            Form::Scalar(size) => self.add(2 * size * length, number, 0),
            Form::Message { shape, apart } => {
                if self.levels.len() >= DEEPEST {
                    return Err(Refused::Malformed("recursion limit reached"));
                }
                let size = self.shapes.get(shape).map_or(0, |shape| shape.size);
                let place = self.element(level, number, field, size)?;
                if apart {
                    self.add(size + PIECE, number, place)?;
                }
                let end = self.at;
                self.at = begin;
                self.enter(shape, end, number, place);
                Ok(())
            }
        }
    }

    /// A number by itself, which may be an element of many.
    fn scalar(&mut self, level: Level, number: usize, field: Option<&Field>) -> Result<(), Refused> {
        match field {
            Some(field) if field.slot.is_some() => {
                let size = if let Form::Scalar(size) = field.form { size } else { 8 };
                self.element(level, number, field, size).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Counts an element of a repeated field, and what its list asks for because of it: a list has room for four, then for twice as
    /// many whenever it is full, and the old room is not always free again at once. Answers its place.
    fn element(&mut self, level: Level, number: usize, field: &Field, size: usize) -> Result<usize, Refused> {
        let Some(count) = field.slot.and_then(|slot| self.counts.get_mut(level.counts + slot)) else {
            return Ok(0);
        };
        let place = *count;
        *count += 1;
        if (self.strict || field.always) && place >= field.most {
            let field = self.path(number, None);
            return Err(Refused::TooMany {
                field,
                most: self.allowed(level, number),
            });
        }
        let grows = match place {
            0 => 4 * size,
            few if few < 4 => 0,
            full if full.is_power_of_two() => 2 * full * size,
            _ => 0,
        };
        self.add(grows, number, place)?;
        Ok(place)
    }

    fn allowed(&self, level: Level, number: usize) -> usize {
        let shape = self.shapes.get(level.shape);
        let field = shape.and_then(|shape| shape.fields.get(number)?.as_ref());
        field.map_or(usize::MAX, |field| field.most)
    }

    fn add(&mut self, bytes: usize, number: usize, place: usize) -> Result<(), Refused> {
        self.cost = self.cost.saturating_add(bytes);
        if self.cost <= self.most {
            return Ok(());
        }
        Err(Refused::TooComplex {
            field: self.path(number, None),
            place,
            most: self.most,
        })
    }

    /// The path of a field of the message within which the scale is.
    fn path(&self, number: usize, place: Option<usize>) -> String {
        let mut path = String::new();
        let mut shape = self.levels.first().map_or(0, |level| level.shape);
        let below = self.levels.iter().skip(1).map(|level| (level.field, Some(level.place)));
        for (number, place) in below.chain([(number, place)]) {
            let Some(field) = self
                .shapes
                .get(shape)
                .and_then(|shape| shape.fields.get(number)?.as_ref())
            else {
                break;
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&field.name);
            if let (Some(place), Some(_)) = (place, field.slot) {
                path.push_str(&format!("[{place}]"));
            }
            if let Form::Message { shape: next, .. } = field.form {
                shape = next;
            }
        }
        path
    }

    /// A group, which no message of the contract has: it is passed over with all that is in it.
    fn group(&mut self) -> Result<(), Refused> {
        let mut open = 1_usize;
        while open > 0 {
            match self.number()? & 7 {
                0 => self.number().map(|_| ())?,
                1 => self.step(8, self.bytes.len())?,
                5 => self.step(4, self.bytes.len())?,
                2 => {
                    let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                    self.step(length, self.bytes.len())?;
                }
                3 => open += 1,
                4 => open -= 1,
                _ => return Err(Refused::Malformed("invalid wire type")),
            }
        }
        Ok(())
    }

    fn step(&mut self, length: usize, end: usize) -> Result<(), Refused> {
        if length > end.saturating_sub(self.at) {
            return Err(Refused::Malformed("buffer underflow"));
        }
        self.at += length;
        Ok(())
    }

    /// A number of up to ten bytes, seven bits in each.
    fn number(&mut self) -> Result<u64, Refused> {
        let mut value = 0_u64;
        for shift in 0..10 {
            let Some(&byte) = self.bytes.get(self.at) else { break };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << (7 * shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Refused::Malformed("invalid varint"))
    }
}

/// How many bytes of a message take no more memory than is free, whatever they say.
pub(crate) fn light(shapes: &[Shape], root: usize) -> usize {
    let (mut seen, mut open, mut worst) = (vec![root], vec![root], TIMES);
    while let Some(shape) = open.pop().and_then(|place| shapes.get(place)) {
        for field in shape.fields.iter().flatten() {
            let size = match field.form {
                Form::Text => TEXT,
                Form::Scalar(size) => size,
                Form::Message { shape, apart } => {
                    if !seen.contains(&shape) {
                        seen.push(shape);
                        open.push(shape);
                    }
                    let size = shapes.get(shape).map_or(0, |shape| shape.size);
                    if apart {
                        worst = worst.max((size + PIECE) / 2);
                    }
                    size
                }
            };
            if field.slot.is_some() {
                // An element has two bytes or more, and makes a list for four of it at most.
                worst = worst.max(4 * size / 2 + PIECE);
            }
        }
    }
    let own = shapes.get(root).map_or(0, |shape| shape.size);
    FREE.saturating_sub(own)
        .checked_div(worst - TIMES)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "weight_tests.rs"]
mod tests;
