//! Ranks of a person in awards, each with its proof: the revision that says so, and its position in the ledger.

use std::collections::{BTreeSet, HashMap};

use mingce_lifecycle::day;
use mingce_orm::{Error, List, RequestContext, Result};
use mingce_proto::Headed;
use mingce_proto::awards::{Award, AwardRank, FindAwardRanksRequest, FindAwardRanksResponse};
use mingce_proto::registry::{AwardCondition, View};

use crate::AwardRegister;
use crate::award::Awards;

/// How many persons one filter asks for.
const IN_FILTER: usize = 50;

impl AwardRegister {
    /// The ranks of persons that meet conditions, in awards that are given and not annulled.
    ///
    /// # Errors
    /// Where nobody is named, and where a day of the request is none.
    pub(crate) async fn ranks(&self, cx: &RequestContext, r: &FindAwardRanksRequest) -> Result<FindAwardRanksResponse> {
        let named = r.talents.iter().chain([&r.talent]).filter(|name| !name.is_empty());
        let persons: BTreeSet<String> = named.cloned().collect();
        if persons.is_empty() {
            return Err(Error::invalid("talent", "REQUIRED", "name a person"));
        }
        let persons: Vec<String> = persons.into_iter().collect();
        let names = self.store.names_of_each(&persons).await?;
        let mut given = "(state = APPROVED OR state = CONFERRED)".to_owned();
        // An award of an unknown day was not decided until then, as far as anybody knows.
        if let Some(until) = day::given("until_date", &r.until_date)? {
            given.push_str(&format!(" AND decision_date:* AND decision_date <= \"{until}\""));
        }
        let mut ranks = Vec::new();
        for piece in persons.chunks(IN_FILTER) {
            let any: Vec<String> = piece.iter().map(|name| format!("contributors = \"{name}\"")).collect();
            let filter = format!("({}) AND {given}", any.join(" OR "));
            self.ranks_of(cx, r, (piece, &names), &filter, &mut ranks).await?;
        }
        Ok(FindAwardRanksResponse { ranks })
    }

    /// The ranks of some persons in the awards that a filter finds.
    async fn ranks_of(
        &self,
        cx: &RequestContext,
        r: &FindAwardRanksRequest,
        (persons, names): (&[String], &HashMap<String, BTreeSet<String>>),
        filter: &str,
        ranks: &mut Vec<AwardRank>,
    ) -> Result<()> {
        let (mut page_token, all) = (String::new(), cx.seeing_all());
        loop {
            let page = self.store.list::<Awards>(
                &all,
                List {
                    page_size: 1000,
                    page_token: &page_token,
                    filter,
                    view: View::Basic as i32,
                    ..List::default()
                },
            );
            let page = page.await?;
            let awards = page.items()?;
            let all = awards.iter().map(|award| award.name.clone()).collect();
            let entries = self.store.entries(cx, &all).await?;
            let sequences: HashMap<(&str, i64), i64> = entries
                .iter()
                .map(|entry| ((entry.name.as_str(), entry.revision), entry.sequence))
                .collect();
            for award in &awards {
                let head = award.head();
                let sequence = sequences.get(&(award.name.as_str(), head.revision));
                for (talent, own) in persons.iter().filter_map(|one| Some((one, names.get(one)?))) {
                    let met = met(award, &r.conditions, own).into_iter();
                    ranks.extend(met.map(|(condition, rank)| AwardRank {
                        award: head.name.to_owned(),
                        title: award.title.clone(),
                        rank,
                        condition,
                        revision: head.revision,
                        sequence: sequence.copied().unwrap_or_default(),
                        talent: talent.clone(),
                    }));
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            page_token = page.next_page_token;
        }
    }
}

/// The conditions that the rank of a person, who has these names, in an award meets, by their place, with the rank.
fn met(award: &Award, conditions: &[AwardCondition], names: &BTreeSet<String>) -> Vec<(i32, i32)> {
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
        .zip(conditions)
        .filter(|(_, condition)| meets(condition))
        .map(|(place, _)| (place, rank))
        .collect()
}
