//! What falls due of cases, and what waits without a day: who acts, by which verbs, and where it is found.
//!
//! Where a case has a day of its own, the day is a column. What was recorded comes under no policy before its first verb: of it the column
//! has the day that the record says, and another the day from which the policy in force counts. So a new policy moves it at once,
//! and nothing is written for that. docs/adr/0040-due-work.md

use jiff::ToSpan;
use jiff::civil::Date;
use mingce_orm::query::page_token::{self, Position};
use mingce_orm::{Collection, Error, List, RequestContext, Result, Store};
use mingce_proto::Headed;
use mingce_proto::registry::{DueActor, DueKind, View};

use crate::ask::{Ask, Counted};
use crate::case::{Case, facts};
use crate::day;
use crate::state_machine::StateEntry;

/// What falls due of a case, as its columns have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Falls {
    /// On which day; empty for none.
    pub date: String,
    /// What.
    pub due: i32,
    /// Of what waits without a day: since when. Of a record: from which day the policy in force counts.
    pub since: String,
}

/// What falls due of a case, by itself.
pub fn falls<C: Case>(item: &C::Item) -> Falls {
    let (state, known) = (C::state(item), C::facts(item).filter(|facts| !facts.policy.is_empty()));
    let dated = match known {
        Some(facts) => (!facts.due_date.is_empty()).then(|| (facts.due_date.clone(), facts.due)),
        None => {
            let due = C::due(item, None, Date::MIN).ok().flatten();
            due.map(|(day, kind)| (day.to_string(), kind as i32))
        }
    };
    let counted = known.is_none() && C::COUNTED.iter().any(|counted| counted.state == state);
    let from = counted.then(|| C::counts_from(item).ok().flatten()).flatten();
    let mut since = from.map_or(String::new(), |day| day.to_string());
    let (date, due) = match (dated, waits::<C>(state)) {
        (Some(dated), _) => dated,
        (None, Some(ask)) => {
            since = since_of::<C>(item);
            (String::new(), ask.due as i32)
        }
        (None, None) => (String::new(), 0),
    };
    Falls { date, due, since }
}

/// What is asked for at once in a state.
pub fn waits<C: Case>(state: i32) -> Option<&'static Ask> {
    C::ASKS.iter().find(|ask| ask.state == state && ask.waits)
}

/// What is asked for in a state when something falls due.
pub fn ask<C: Case>(state: i32, due: i32) -> Option<&'static Ask> {
    C::ASKS.iter().find(|ask| ask.state == state && ask.due as i32 == due)
}

/// Since when a case is in its state.
fn since_of<C: Case>(item: &C::Item) -> String {
    let facts = facts::<C>(item);
    let noted = [facts.state_date, facts.submit_date];
    noted
        .into_iter()
        .find(|day| !day.is_empty())
        .unwrap_or_else(|| made(item))
}

/// The day on which a record was made.
pub fn made(item: &impl Headed) -> String {
    let time = item.head().create_time;
    let day = time.and_then(|time| day::of_seconds(time.seconds).ok());
    day.map_or(String::new(), |day| day.to_string())
}

/// The day up to which what is asked for at once in a state has to be done by the policy, where that says one.
///
/// # Errors
/// Where it cannot be computed.
pub fn handled<C: Case>(state: i32, arrival: &StateEntry<'_>) -> Result<Option<(Date, DueKind)>> {
    let (Some(ask), Some(terms)) = (waits::<C>(state), arrival.policy.and_then(C::handling)) else {
        return Ok(None);
    };
    let days = match ask.due {
        DueKind::FormalCheck => terms.formal_check_days,
        _ => 0,
    };
    Ok(arrival.at.within(days)?.map(|day| (day, ask.due)))
}

/// What is wrong with what a kind of case asks for: verbs that do not lead on from the state, and states that wait twice. For tests of
/// services.
pub fn faults<C: Case>() -> Vec<String> {
    let life = C::state_machine();
    let mut faults = Vec::new();
    for (place, ask) in C::ASKS.iter().enumerate() {
        let code = life.state(ask.state).map_or("?", |state| state.code);
        for verb in ask.verbs {
            if !life.from(ask.state).any(|edge| edge.verb == *verb) {
                faults.push(format!("{verb} does not lead on from {code}"));
            }
        }
        let same = |other: &Ask| other.state == ask.state && (other.due == ask.due || (other.waits && ask.waits));
        if C::ASKS.iter().skip(place + 1).any(same) {
            faults.push(format!("{code} asks twice for {}", ask.due.as_str_name()));
        }
    }
    for counted in C::COUNTED {
        if ask::<C>(counted.state, counted.due as i32).is_none() {
            faults.push(format!("nobody is asked for {}", counted.due.as_str_name()));
        }
    }
    faults
}

/// Which due work is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The day of the call.
    pub today: Date,
    /// Up to and on this day.
    pub until: Date,
    /// Only this kind, or `Unspecified`.
    pub due: DueKind,
    /// Only what they have to do, or `Unspecified`.
    pub actor: DueActor,
    /// Only what was due before today.
    pub overdue: bool,
    /// Only of this round, or empty.
    pub round: String,
}

impl Wanted {
    /// Everything of a kind up to a day.
    pub fn all(today: Date, due: DueKind) -> Self {
        Self {
            today,
            until: today,
            due,
            actor: DueActor::Unspecified,
            overdue: false,
            round: String::new(),
        }
    }

    /// Whether something of a kind that somebody has to do can be wanted.
    pub fn takes(&self, due: DueKind, actor: DueActor) -> bool {
        (self.due == DueKind::Unspecified || self.due == due)
            && (self.actor == DueActor::Unspecified || self.actor == actor)
    }

    /// The last day on which what is wanted falls due.
    pub fn last_day(&self) -> Date {
        let yesterday = self.today.yesterday().unwrap_or(self.today);
        if self.overdue {
            self.until.min(yesterday)
        } else {
            self.until
        }
    }

    /// As a filter: what has a day of its own.
    pub fn dated(&self) -> String {
        format!("due_date:* AND due_date <= \"{}\"", self.last_day())
    }
}

/// What waits without a day, as a filter.
pub const UNDATED: &str = "NOT due_date:* AND due_since:*";

/// How a source gets its days from a column: so many months after it.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// What falls due.
    pub counted: &'static Counted,
    /// After how many months.
    pub months: i32,
}

impl Shift {
    /// The first day from which the term ends on or after a day, or after it.
    fn first(&self, day: Date, inclusive: bool) -> Result<Date> {
        let enough = |from: Date| -> bool {
            (self.counted.day)(from, self.months).is_ok_and(|end| if inclusive { end >= day } else { end > day })
        };
        let mut from = day
            .checked_sub(self.months.months())
            .and_then(|from| from.checked_sub(5.days()))
            .map_err(Error::internal)?;
        while !enough(from) {
            from = from.tomorrow().map_err(Error::internal)?;
        }
        Ok(from)
    }
}

/// A list that is in the order of its days, of which a list over all kinds is put together.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is called in page tokens. Of two things on one day, the one of the lesser source comes first.
    pub key: String,
    /// Which rows.
    pub filter: String,
    /// Whether its rows have a day; those without come behind all that have one.
    pub dated: bool,
    /// How the days follow from its column.
    pub shift: Option<Shift>,
}

impl Source {
    /// What has a day in a collection.
    pub fn dated(collection: &str, filter: String) -> Self {
        Self {
            key: format!("{collection}/dated"),
            filter,
            dated: true,
            shift: None,
        }
    }

    /// What waits without a day in a collection.
    pub fn undated(collection: &str, filter: String) -> Self {
        Self {
            key: format!("{collection}/waits"),
            filter,
            dated: false,
            shift: None,
        }
    }

    /// What a record falls due by, counted by a policy. `None` where the terms set none, or nothing is as old.
    pub fn counted(key: String, filter: &str, shift: Shift, wanted: &Wanted) -> Option<Self> {
        // Before the end of the calendar something ends it.
        let after = wanted.last_day().tomorrow().unwrap_or(Date::MAX);
        let bound = shift.first(after, true).ok()?;
        Some(Self {
            key,
            filter: format!("{filter} AND due_since < \"{bound}\""),
            dated: true,
            shift: Some(shift),
        })
    }

    /// The column that its rows are in the order of.
    pub fn column(&self) -> &'static str {
        if self.dated && self.shift.is_none() {
            "due_date"
        } else {
            "due_since"
        }
    }

    /// Where a day stands among all that is due: what has none comes last.
    pub fn order(&self, day: &str) -> String {
        format!("{}{day}", if self.dated { '0' } else { '1' })
    }
}

/// From where on rows of a source are wanted.
#[derive(Debug, Clone)]
pub enum From {
    /// All.
    Start,
    /// Those behind this place: the value of the column, and the id.
    After(String, String),
    /// Those of this day on, or after it.
    Day(String, bool),
}

/// What is due of one row.
#[derive(Debug)]
pub struct Row {
    /// Where it stands among all, see [`Source::order`].
    pub order: String,
    /// Where it stands in its source: the value of the column, and the id.
    pub place: (String, String),
    /// What is due; nothing where it is not wanted, or stands elsewhere.
    pub work: Option<mingce_proto::registry::DueWork>,
}

/// Some rows of a source, and whether there are more.
#[derive(Debug, Default)]
pub struct Batch {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub more: bool,
}

/// Rows of a source from a place on, and whether there are more.
///
/// # Errors
/// Where the database cannot be read.
pub async fn read<C: Collection>(
    store: &Store,
    cx: &RequestContext,
    source: &Source,
    from: &From,
    size: usize,
) -> Result<(Vec<C::Item>, bool)> {
    let (kind, column) = (&C::shape().kind, source.column());
    let (mut filter, mut page_token) = (source.filter.clone(), String::new());
    match from {
        From::Start => {}
        From::After(value, id) => {
            let place = [Position::Text(value.clone()), Position::Text(id.clone())];
            page_token = page_token::encode(&[kind.table, &filter, column, ""], &place);
        }
        From::Day(day, inclusive) => {
            let bound = match source.shift {
                None => format!("{column} {} \"{day}\"", if *inclusive { ">=" } else { ">" }),
                Some(shift) => {
                    let day = day::parse(day)?.unwrap_or(Date::MIN);
                    format!("{column} >= \"{}\"", shift.first(day, *inclusive)?)
                }
            };
            filter = format!("{filter} AND {bound}");
        }
    }
    let list = List {
        page_size: i32::try_from(size).unwrap_or(1000),
        page_token: &page_token,
        filter: &filter,
        order_by: column,
        view: View::Full as i32,
        ..List::default()
    };
    let page = store.list::<C>(&cx.seeing_all(), list).await?;
    Ok((page.items()?, !page.next_page_token.is_empty()))
}

/// Where a row stands in its source.
///
/// # Errors
/// Where it has no name.
pub fn place<C: Collection>(item: &C::Item, value: &str) -> Result<(String, String)> {
    let head = item.head();
    let id = C::shape().kind.id(head.name).unwrap_or_default();
    Ok((value.to_owned(), id.to_owned()))
}

/// A text as a filter takes it.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn shift(day: fn(Date, i32) -> Result<Date>, months: i32) -> Shift {
        static TERM: Counted = Counted {
            state: 0,
            due: DueKind::Evaluation,
            months: |_| 0,
            day: day::last_of_term,
            only: |_| String::new(),
        };
        static AFTER: Counted = Counted {
            day: day::months_after,
            ..TERM
        };
        let counted = if day(date(2024, 1, 1), 1).unwrap() == date(2024, 1, 31) {
            &TERM
        } else {
            &AFTER
        };
        Shift { counted, months }
    }

    #[test]
    fn the_first_day_of_a_term_is_found_for_every_day_and_length() {
        let start = date(2023, 12, 20);
        for months in [1, 2, 12, 24, 48] {
            for of in [shift(day::last_of_term, months), shift(day::months_after, months)] {
                for days in 0..90 {
                    let end = start.checked_add(days.days()).unwrap();
                    for inclusive in [true, false] {
                        let first = of.first(end, inclusive).unwrap();
                        let holds = |from: Date| {
                            let got = (of.counted.day)(from, months).unwrap();
                            if inclusive { got >= end } else { got > end }
                        };
                        assert!(holds(first), "{end} {months}");
                        assert!(!holds(first.yesterday().unwrap()), "{end} {months}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_in_a_filter_is_quoted() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
