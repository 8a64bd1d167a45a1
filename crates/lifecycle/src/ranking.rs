//! The cases of a round in the order of their scores, with their ranks.

use std::collections::BTreeMap;

use mingce_orm::model::column::{hundredths, points};
use mingce_orm::{List, Result, Store};
use mingce_proto::Headed;
use mingce_proto::registry::{ComputeStatisticsRequest, RankedCase, View};

use crate::case::{Case, facts};
use crate::eval_context::EvalContext;
use crate::policy::policy_of;
use crate::transition::verbs;

/// At most so many on a page: what stands in the way of each is looked at.
const MOST: i32 = 200;

/// The field of lists.
const SCORE: &str = "review_score";

/// Which part of a ranking is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Ranking<'a> {
    /// Resource name of the round.
    pub round: &'a str,
    /// At most so many; 0 for 50.
    pub page_size: i32,
    /// The token of the page before.
    pub page_token: &'a str,
}

/// How many reviewed cases have each score.
#[derive(Debug, Default)]
struct Scores(BTreeMap<i64, i64>);

impl Scores {
    /// The rank of a score, and whether it is shared: cases with the same score have the same rank, and leave out those after it.
    fn rank(&self, score: i64) -> (i64, bool) {
        let higher: i64 = self.0.range(score + 1..).map(|(_, count)| count).sum();
        (higher + 1, self.0.get(&score).is_some_and(|count| *count > 1))
    }
}

/// A page of the cases of a round, the highest score first.
pub(crate) async fn page<C: Case>(
    store: &Store,
    at: &EvalContext,
    wanted: Ranking<'_>,
) -> Result<(Vec<RankedCase>, String)> {
    let is_reviewed = C::shape().kind.columns.iter().any(|column| column.name == SCORE);
    let filter = format!("case_round = \"{}\"", wanted.round);
    let list = List {
        page_size: wanted.page_size.min(MOST),
        page_token: wanted.page_token,
        filter: &filter,
        order_by: if is_reviewed { "review_score desc" } else { "" },
        view: View::Full as i32,
        ..List::default()
    };
    let page = store.list::<C>(&at.cx.seeing_all(), list).await?;
    let items = page.items()?;
    let scores = if is_reviewed {
        scores::<C>(store, at, &filter).await?
    } else {
        Scores::default()
    };
    let mut work = store.unit_of_work();
    let ranked = store.try_edit(&mut work, |work| {
        let all: Vec<Result<RankedCase>> = items
            .iter()
            .map(|item| {
                let title = C::display(work, item);
                let policy = policy_of::<C>(work, at, item)?;
                let verbs = verbs::<C>(work, at, item, policy.as_ref())?;
                let (head, facts) = (item.head(), facts::<C>(item));
                let score = i64::from(facts.review_score);
                let (rank, tied) = if facts.reviews > 0 {
                    scores.rank(score)
                } else {
                    (0, false)
                };
                Ok(RankedCase {
                    rank: i32::try_from(rank).unwrap_or(i32::MAX),
                    tied,
                    name: head.name.to_owned(),
                    display_name: title?,
                    etag: head.etag.to_owned(),
                    state: crate::state_machine::state_name(C::state_machine(), C::state(item)),
                    review_score: facts.review_score,
                    score: if facts.reviews > 0 {
                        points(score)
                    } else {
                        String::new()
                    },
                    reviews: facts.reviews,
                    verbs,
                })
            })
            .collect();
        all.into_iter().collect::<Result<Vec<_>>>()
    });
    Ok((ranked.await?, page.next_page_token))
}

/// How many cases of a round have each score.
async fn scores<C: Case>(store: &Store, at: &EvalContext, filter: &str) -> Result<Scores> {
    let counted = ComputeStatisticsRequest {
        collection: C::COLLECTION.to_owned(),
        group_by: vec![SCORE.to_owned()],
        filter: filter.to_owned(),
        ..ComputeStatisticsRequest::default()
    };
    let counted = store.count::<C>(&at.cx.seeing_all(), &counted).await?;
    let groups = counted.groups.into_iter().filter_map(|group| {
        let score = hundredths(group.values.first()?)?;
        Some((score, group.count))
    });
    Ok(Scores(groups.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_score_has_the_same_rank_and_the_next_is_so_much_further() {
        let scores = Scores([(9500, 1), (9137, 2), (8000, 1), (7000, 3)].into());
        let ranks = [9500, 9137, 8000, 7000, 0].map(|score| scores.rank(score));
        assert_eq!(ranks, [(1, false), (2, true), (4, false), (5, true), (8, false)]);
    }
}
