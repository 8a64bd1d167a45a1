//! The rows of a source with what a mapping fills into their cells: from the row above, and from the section.

use crate::build::Builder;
use crate::error::Error;
use crate::headers::Bound;
use crate::source::Source;
use crate::source_row::SourceRow;
use crate::spec::Mapping;

impl Mapping {
    /// The rows of the source with the cells that the mapping fills down from the row above, and with the values of the
    /// sections in which they stand. The rows that begin a section are not among them.
    pub(crate) fn each(
        &self,
        source: &Source,
        row: &mut dyn FnMut(SourceRow) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let bound = Bound::new(self, source)?;
        let places: Vec<_> = self
            .fill_down
            .iter()
            .filter_map(|&c| bound.places.get(c).copied().flatten())
            .collect();
        let mut above = vec![String::new(); places.len()];
        let made = self.made(source);
        let width = self.width(source);
        let mut values = vec![String::new(); self.sections.len()];
        source.each(&mut |mut read| {
            let begun = self.sections.iter().enumerate().find_map(|(index, (_, text))| {
                let builder = Builder::new(&bound, std::slice::from_ref(&read));
                let value = builder.text(text, builder.first()?).ok().flatten();
                value.filter(|v| !v.is_empty()).map(|value| (index, value))
            });
            if let Some((index, value)) = begun {
                // What stood inside the section before ends with it.
                values.iter_mut().skip(index).for_each(String::clear);
                above.iter_mut().for_each(String::clear);
                if let Some(place) = values.get_mut(index) {
                    *place = value;
                }
                return Ok(true);
            }
            if !self.sections.is_empty() {
                // Cells beyond the headers stay behind the values of sections, and are told.
                let beyond = read.cells.split_off(width.min(read.cells.len()));
                if !beyond.is_empty() {
                    read.cells.resize(width + made.len(), String::new());
                }
                read.cells.extend(beyond);
                read.cells.resize(read.cells.len().max(width), String::new());
                for ((column, _), value) in self.sections.iter().zip(&values) {
                    let place = bound.places.get(*column).copied().flatten().unwrap_or(usize::MAX);
                    if read.cells.len() <= place && place < width + made.len() {
                        read.cells.resize(width + made.len(), String::new());
                    }
                    if let Some(cell) = read.cells.get_mut(place).filter(|c| c.trim().is_empty()) {
                        cell.clone_from(value);
                    }
                }
            }
            for (above, &place) in above.iter_mut().zip(&places) {
                if let Some(cell) = read.cells.get_mut(place) {
                    if cell.trim().is_empty() {
                        cell.clone_from(above);
                    } else {
                        above.clone_from(cell);
                    }
                }
            }
            row(read)
        })
    }
}
