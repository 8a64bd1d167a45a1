//! Ranks of a person in awards, each with its proof: the revision that says so, and its position in the ledger.

use mingce_lifecycle::day;
use mingce_orm::work::head_of;
use mingce_orm::{Collection, Cx, Error, List, Result};
use mingce_proto::awards::{Award, AwardRank, FindAwardRanksRequest, FindAwardRanksResponse};
use mingce_proto::registry::{AwardCondition, View};

use crate::AwardRegister;
use crate::award::Awards;

impl AwardRegister {
    /// The ranks of a person that meet conditions, in awards that are given and not annulled.
    ///
    /// # Errors
    /// Where a day of the request is none.
    pub(crate) async fn ranks(&self, cx: &Cx, r: &FindAwardRanksRequest) -> Result<FindAwardRanksResponse> {
        let names = self.store.names_of_same(&r.talent).await?;
        let mut filter = format!(
            "contributors = \"{}\" AND (state = APPROVED OR state = CONFERRED)",
            r.talent
        );
        // An award of an unknown day was not decided until then, as far as anybody knows.
        if let Some(until) = day::given("until_date", &r.until_date)? {
            filter.push_str(&format!(" AND decision_date:* AND decision_date <= \"{until}\""));
        }
        let (mut ranks, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = self.store.list::<Awards>(
                cx,
                List {
                    page_size: 1000,
                    page_token: &page_token,
                    filter: &filter,
                    view: View::Basic as i32,
                    ..List::default()
                },
            );
            let page = page.await?;
            for award in page.items()? {
                let met = met(&award, r, &names);
                if met.is_empty() {
                    continue;
                }
                let head = head_of(&award)?;
                let sequence = self.sequence(cx, &head.name, head.revision).await?;
                ranks.extend(met.into_iter().map(|(condition, rank)| AwardRank {
                    award: head.name.clone(),
                    title: award.title.clone(),
                    rank,
                    condition,
                    revision: head.revision,
                    sequence,
                }));
            }
            if page.next_page_token.is_empty() {
                return Ok(FindAwardRanksResponse { ranks });
            }
            page_token = page.next_page_token;
        }
    }

    /// The position in the ledger of a revision of an award.
    async fn sequence(&self, cx: &Cx, name: &str, revision: i64) -> Result<i64> {
        let kinds = [&Awards::shape().kind];
        let mut page_token = String::new();
        loop {
            // The newest come first, and the one that is looked for is mostly the newest.
            let (entries, next) = self.store.history(cx, &kinds, name, 1, &page_token).await?;
            if let Some(entry) = entries.iter().find(|entry| entry.revision == revision) {
                return Ok(entry.sequence);
            }
            if next.is_empty() {
                return Err(Error::internal(format!("{name} has no revision {revision}")));
            }
            page_token = next;
        }
    }
}

/// The conditions that the rank of a person, who has these names, in an award meets, by their place, with the rank.
fn met(award: &Award, r: &FindAwardRanksRequest, names: &[String]) -> Vec<(i32, i32)> {
    let own = award
        .contributors
        .iter()
        .find(|one| one.talent.as_ref().is_some_and(|person| names.contains(&person.talent)));
    let Some(rank) = own.map(|one| one.rank) else {
        return Vec::new();
    };
    let meets = |condition: &AwardCondition| {
        award.level == condition.level
            && rank <= condition.max_rank
            && (condition.grades.is_empty() || condition.grades.contains(&award.grade))
    };
    (0..)
        .zip(&r.conditions)
        .filter(|(_, condition)| meets(condition))
        .map(|(place, _)| (place, rank))
        .collect()
}
