//! Rows of an import that are drafts: they come into the round that they name, and mean the application that is there already.

use std::collections::{BTreeMap, BTreeSet};

use mingce_lifecycle::Case;
use mingce_lifecycle::caps::misfit;
use mingce_lifecycle::due::quoted;
use mingce_lifecycle::round::Rounds;
use mingce_lifecycle::state_machine::Phase;
use mingce_orm::write::canonical::named;
use mingce_orm::{Class, Collection, List, RequestContext, Result, Store, Violation};
use mingce_proto::Headed;
use mingce_proto::registry::{Round, RoundState, View};

use crate::session::{Row, Session};

/// How the drafts of a kind of case begin.
#[derive(Debug)]
pub struct Drafts<C: Case> {
    /// The round that a row names: its resource name, or what it is called.
    pub round: fn(&C::Item) -> &str,
    /// What is a draft for a round.
    pub begin: fn(&mut C::Item, &Round),
    /// What an application is known by within a round.
    pub identity: fn(&C::Item) -> String,
}

impl<C: Case> Drafts<C> {
    /// Puts the drafts of an import into the rounds that they name. A row whose application is in the round already means that one,
    /// wherever it has come.
    ///
    /// # Errors
    /// Where the database cannot be read. What is wrong with a row is added to it.
    pub async fn into_rounds(
        &self,
        store: &Store,
        cx: &RequestContext,
        session: &Session,
        rows: &mut [Row<C>],
    ) -> Result<()> {
        let first = C::state_machine().first;
        // One with a resource name is a record that is there.
        let is_draft = |row: &Row<C>| {
            let is_new = row.resource.head().name.is_empty();
            is_new && C::state(&row.resource) == first && !(self.round)(&row.resource).is_empty()
        };
        if !session.is_import() || !rows.iter().any(is_draft) {
            return Ok(());
        }
        let texts: BTreeSet<String> = rows
            .iter()
            .filter(|row| is_draft(row))
            .map(|row| (self.round)(&row.resource).to_owned())
            .collect();
        let (mut rounds, mut applications) = (BTreeMap::new(), BTreeMap::new());
        for text in texts {
            let found = called::<C>(store, cx, &text).await?;
            rounds.insert(text, found);
        }
        let mut new = BTreeSet::new();
        for row in rows
            .iter_mut()
            .filter(|row| is_draft(row) && row.notes.problems.is_empty())
        {
            let none = Vec::new();
            let text = (self.round)(&row.resource).to_owned();
            let round = match chosen::<C>(rounds.get(&text).unwrap_or(&none), &text, &row.resource) {
                Ok(round) => round.clone(),
                Err(wrong) => {
                    row.refuse([wrong]);
                    continue;
                }
            };
            if !applications.contains_key(&round.name) {
                let known = self.applications(store, cx, &round.name).await?;
                applications.insert(round.name.clone(), known);
            }
            let identity = (self.identity)(&row.resource);
            let known = applications.get(&round.name).and_then(|known| known.get(&identity));
            (self.begin)(&mut row.resource, &round);
            if let Some((_, name)) = known {
                row.resource = named::<C>(&row.resource, name)?;
            } else if !new.insert((round.name, identity)) {
                let said = "an earlier row is a draft of the same application: leave one of them out";
                row.refuse([Violation::new("round", "ROW_TWICE", said)]);
            }
        }
        Ok(())
    }

    /// The applications of a round by what they are known by. Of several those that have not ended come first.
    async fn applications(
        &self,
        store: &Store,
        cx: &RequestContext,
        round: &str,
    ) -> Result<BTreeMap<String, (bool, String)>> {
        let filter = format!("case_round = {}", quoted(round));
        let (mut known, mut page_token) = (BTreeMap::<String, (bool, String)>::new(), String::new());
        loop {
            let list = List {
                page_size: 1000,
                page_token: &page_token,
                filter: &filter,
                view: View::Basic as i32,
                ..List::default()
            };
            let page = store.list::<C>(&cx.seeing_all(), list).await?;
            for item in page.items()? {
                let (name, goes_on) = (
                    item.head().name.to_owned(),
                    C::state_machine().phase(C::state(&item)) != Phase::Ended,
                );
                let held = known.entry((self.identity)(&item)).or_default();
                if (goes_on, &name) > (held.0, &held.1) {
                    *held = (goes_on, name);
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(known);
            }
            page_token = page.next_page_token;
        }
    }
}

/// The active rounds of a kind of case that a text names.
async fn called<C: Case>(store: &Store, cx: &RequestContext, text: &str) -> Result<Vec<Round>> {
    if Rounds::shape().kind.id(text).is_some() {
        return match store.batch_get::<Rounds>(cx, &[text], View::Full as i32).await {
            Ok(page) => page.items(),
            Err(error) if error.class() == Class::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
    }
    let filter = format!("kind = {} AND display_name = {}", C::KIND.as_str_name(), quoted(text));
    let list = List {
        page_size: 100,
        filter: &filter,
        view: View::Full as i32,
        ..List::default()
    };
    store.list::<Rounds>(&cx.seeing_all(), list).await?.items()
}

/// The one of these rounds that takes a case; of several the one that is open.
fn chosen<'a, C: Case>(rounds: &'a [Round], text: &str, item: &C::Item) -> Result<&'a Round, Violation> {
    let wrong = |reason, description: String| Violation::new("round", reason, description);
    let fits: Vec<&Round> = rounds
        .iter()
        .filter(|round| misfit::<C>(round, item).is_none())
        .collect();
    let open: Vec<&Round> = fits
        .iter()
        .copied()
        .filter(|round| round.state() == RoundState::Open)
        .collect();
    match (fits.as_slice(), open.as_slice()) {
        ([one], _) | (_, [one]) => Ok(*one),
        ([], _) => Err(match rounds.first() {
            None => wrong(
                "ROUND_UNKNOWN",
                format!("there is no round {text:?}: give its resource name, or its name as the register has it"),
            ),
            Some(round) => wrong("ROUND_OF_OTHER_KIND", misfit::<C>(round, item).unwrap_or_default()),
        }),
        _ => {
            let names: Vec<&str> = fits.iter().take(5).map(|round| round.name.as_str()).collect();
            let said = format!("{text:?} may be {}: give one of these", names.join(", "));
            Err(wrong("ROUND_AMBIGUOUS", said))
        }
    }
}
