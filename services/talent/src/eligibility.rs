//! Whether a person may be designated under a policy: the age, and ranks in awards with their proof.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use mingce_lifecycle::policy::Policies;
use mingce_lifecycle::transition::shown;
use mingce_lifecycle::{blocker, day};
use mingce_orm::{Blocker, Class, Error, RequestContext, Result, UnitOfWork};
use mingce_proto::Headed;
use mingce_proto::awards::{AwardRank, FindAwardRanksRequest};
use mingce_proto::registry::{AwardCondition, CaseKind, Policy, RecordStatus};
use mingce_proto::talent::{
    AwardProof, BatchCheckEligibilityRequest, BatchCheckEligibilityResponse, CheckEligibilityRequest,
    CheckEligibilityResponse, EligibilityOutcome, Talent,
};
use mingce_server::call::status::from_status;

use crate::TalentRegister;
use crate::designation::terms;
use crate::talent::{Talents, person_of};

/// What stands in the way of a person by their age on a day; `most` is in whole years, 0 for no bound. It says neither the age
/// nor the day of birth, which are sealed.
pub(crate) fn age(work: &mut UnitOfWork, talent: &str, most: i32, on: Date) -> Result<Option<Blocker>> {
    if most == 0 {
        return Ok(None);
    }
    Ok(too_old(&person_of(work, talent)?, most, on))
}

fn too_old(person: &Talent, most: i32, on: Date) -> Option<Blocker> {
    let (reason, en, zh) = match day::ages(&person.birth_date, on) {
        Some((_, oldest)) if i32::from(oldest) <= most => return None,
        Some((youngest, _)) if i32::from(youngest) <= most => (
            "AGE_UNCERTAIN",
            format!(
                "the policy allows an age of {most}, and the register holds no whole day of birth: what it holds leaves open whether the \
                 person is older, so add the day"
            ),
            format!("政策规定年龄不超过{most}周岁，名册中的出生日期不完整，无法确定是否超龄，请补填到日"),
        ),
        Some(_) => (
            "AGE_OVER",
            format!("the person is older than {most}, which the policy allows"),
            format!("年龄超过政策规定的{most}周岁"),
        ),
        None => (
            "AGE_UNKNOWN",
            format!("the policy allows an age of {most}, and the register holds no day of birth: add it to the person"),
            format!("政策规定年龄不超过{most}周岁，名册中没有出生日期"),
        ),
    };
    Some(blocker(reason, &person.name, en, zh))
}

/// At most so many persons are asked about in one call of the awards service.
const ASKED: usize = 1000;

impl TalentRegister {
    /// Whether a person is eligible under a policy, with the awards that prove it.
    ///
    /// # Errors
    /// NOT_FOUND; INVALID_ARGUMENT; UNAVAILABLE where awards count and their service cannot be asked.
    pub(crate) async fn eligibility(
        &self,
        cx: &RequestContext,
        r: &CheckEligibilityRequest,
    ) -> Result<CheckEligibilityResponse> {
        let mut checked = self
            .eligible(cx, std::slice::from_ref(&r.talent), &r.policy, &r.date)
            .await?;
        let checked = checked.pop().ok_or_else(|| Error::internal("nobody was checked"))??;
        Ok(CheckEligibilityResponse {
            eligible: checked.eligible,
            blockers: checked.blockers,
            proofs: checked.proofs,
        })
    }

    /// The same for many persons.
    ///
    /// # Errors
    /// The same. A person who does not exist is an outcome.
    pub(crate) async fn eligibilities(
        &self,
        cx: &RequestContext,
        r: &BatchCheckEligibilityRequest,
    ) -> Result<BatchCheckEligibilityResponse> {
        let checked = self.eligible(cx, &r.talents, &r.policy, &r.date).await?;
        let outcomes = checked
            .into_iter()
            .zip(&r.talents)
            .map(|(checked, talent)| match checked {
                Ok(outcome) => Ok(outcome),
                Err(error) if error.class() == Class::NotFound => Ok(EligibilityOutcome {
                    talent: talent.clone(),
                    reason: error.reason().to_owned(),
                    message: error.message().to_owned(),
                    ..EligibilityOutcome::default()
                }),
                Err(error) => Err(error),
            });
        let outcomes = outcomes.collect::<Result<Vec<_>>>()?;
        let eligible = outcomes.iter().filter(|outcome| outcome.eligible).count();
        Ok(BatchCheckEligibilityResponse {
            eligible: i32::try_from(eligible).unwrap_or(i32::MAX),
            outcomes,
        })
    }

    /// Whether each of these persons is eligible.
    async fn eligible(
        &self,
        cx: &RequestContext,
        names: &[String],
        policy: &str,
        date: &str,
    ) -> Result<Vec<Result<EligibilityOutcome>>> {
        let today = day::today(cx)?;
        let on = day::given("date", date)?.unwrap_or(today);
        let (policy, persons): (Policy, Vec<Result<Talent>>) = self
            .store
            .try_edit(&mut self.store.unit_of_work(), |work| {
                let policy = work.require::<Policies>(policy);
                let persons = names.iter().map(|name| {
                    work.require::<Talents>(name)?;
                    person_of(work, name)
                });
                let persons = persons.collect();
                Ok((policy?, persons))
            })
            .await?;
        if policy.kind() != CaseKind::TalentDesignation {
            let said = format!(
                "{} is a policy of {}: name one of designations of persons",
                policy.name,
                policy.kind().as_str_name()
            );
            return Err(Error::invalid("policy", "TERMS_OF_OTHER_KIND", said));
        }
        let terms = terms(Some(&policy));
        let known = persons.iter().filter_map(|person| person.as_ref().ok());
        let known = known.map(|person| person.name.clone()).collect();
        let proofs = self.proofs(cx, &known, &terms.award_conditions, on).await?;
        let checked = persons.into_iter().zip(names).map(|(person, name)| {
            let person = person?;
            let mut blockers = Vec::new();
            if person.head().record_status() != RecordStatus::Active {
                let (en, zh) = ("the record of the person was annulled", "该人员记录已作废");
                blockers.push(blocker("RECORD_ANNULLED", &person.name, en, zh));
            }
            if terms.max_age > 0 {
                // Counted as a submission would count it. On days of the caller's choice it would tell the birthday.
                blockers.extend(too_old(&person, terms.max_age, today));
            }
            let proofs = proofs.get(&person.name).cloned().unwrap_or_default();
            if proofs.is_empty() && !terms.award_conditions.is_empty() {
                let en = format!("no award up to {on} meets a condition of the policy");
                let zh = format!("截至{on}没有符合政策条件的获奖");
                blockers.push(blocker("AWARD_RANK_MISSING", &person.name, en, zh));
            }
            Ok(EligibilityOutcome {
                talent: name.clone(),
                display_name: person.display_name,
                eligible: blockers.is_empty(),
                blockers: blockers.into_iter().map(shown).collect(),
                proofs,
                ..EligibilityOutcome::default()
            })
        });
        Ok(checked.collect())
    }

    /// The ranks of persons that meet a condition, by person. Awards may name a person as they were recorded before a merge.
    async fn proofs(
        &self,
        cx: &RequestContext,
        persons: &BTreeSet<String>,
        conditions: &[AwardCondition],
        until: Date,
    ) -> Result<HashMap<String, Vec<AwardProof>>> {
        let mut proofs: HashMap<String, Vec<AwardProof>> = HashMap::new();
        if conditions.is_empty() {
            return Ok(proofs);
        }
        let Some(awards) = &self.awards else {
            let said = "the policy asks for ranks in awards, and this server knows no awards service: start it with --awards-url";
            return Err(Error::new(Class::Precondition, "PEER_NOT_CONFIGURED", said).about("services", "awards"));
        };
        let persons: Vec<String> = persons.iter().cloned().collect();
        let names = self.store.names_of_each(&persons).await?;
        let own = names
            .iter()
            .flat_map(|(person, names)| names.iter().map(move |name| (name, person)));
        let own: BTreeMap<&String, &String> = own.collect();
        let asked: Vec<String> = own.keys().map(|&name| name.clone()).collect();
        for piece in asked.chunks(ASKED) {
            let request = FindAwardRanksRequest {
                talents: piece.to_vec(),
                conditions: conditions.to_vec(),
                until_date: until.to_string(),
                ..FindAwardRanksRequest::default()
            };
            let answer = awards.find_award_ranks(cx.deadline, request).await;
            for rank in answer.map_err(|status| from_status(status, "awards"))?.ranks {
                let Some(person) = own.get(&rank.talent) else { continue };
                let of = proofs.entry((*person).clone()).or_default();
                let proof = proof(rank);
                if !of.contains(&proof) {
                    of.push(proof);
                }
            }
        }
        Ok(proofs)
    }
}

fn proof(rank: AwardRank) -> AwardProof {
    AwardProof {
        award: rank.award,
        rank: rank.rank,
        condition: rank.condition,
        revision: rank.revision,
        sequence: rank.sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn born(birth_date: &str) -> Talent {
        Talent {
            name: "talents/a".to_owned(),
            birth_date: birth_date.to_owned(),
            ..Talent::default()
        }
    }

    fn reason(birth_date: &str, on: Date) -> Option<&'static str> {
        too_old(&born(birth_date), 45, on).map(|blocker| blocker.reason)
    }

    #[test]
    fn a_person_is_too_old_from_the_birthday_on() {
        let on = date(2024, 6, 15);
        assert_eq!(reason("1978-06-16", on), None);
        assert_eq!(reason("1978-06-15", on), Some("AGE_OVER"));
        assert_eq!(reason("1979-01-01", on), None);
        assert_eq!(reason("1979", on), None);
        assert_eq!(reason("1977", on), Some("AGE_OVER"));
        assert_eq!(reason("", on), Some("AGE_UNKNOWN"));
    }

    #[test]
    fn a_month_or_a_year_of_birth_says_where_it_leaves_the_answer_open() {
        for (birth_date, on, right) in [
            ("1979-06", date(2025, 5, 31), None),
            ("1979-06", date(2025, 6, 1), Some("AGE_UNCERTAIN")),
            ("1979-06", date(2025, 6, 29), Some("AGE_UNCERTAIN")),
            ("1979-06", date(2025, 6, 30), Some("AGE_OVER")),
            ("1979", date(2024, 12, 31), None),
            ("1979", date(2025, 1, 1), Some("AGE_UNCERTAIN")),
            ("1979", date(2025, 12, 30), Some("AGE_UNCERTAIN")),
            ("1979", date(2025, 12, 31), Some("AGE_OVER")),
        ] {
            assert_eq!(reason(birth_date, on), right, "{birth_date} on {on}");
        }
    }

    #[test]
    fn what_stands_in_the_way_shows_neither_age_nor_birth() {
        for (birth_date, on) in [
            ("1951-03-07", date(2024, 6, 15)),
            ("1951-03", date(2024, 6, 15)),
            ("1951", date(2024, 6, 15)),
            ("1951-03", date(1997, 3, 15)),
            ("1951", date(1997, 3, 15)),
        ] {
            let found = too_old(&born(birth_date), 45, on).unwrap();
            assert_eq!(found.subject, "talents/a");
            for said in [&found.description, &found.description_zh] {
                for hidden in ["1951", "73", "72", "03", "07"] {
                    assert!(!said.contains(hidden), "{said} shows {hidden}");
                }
            }
        }
    }

    #[test]
    fn without_a_bound_no_birth_is_asked_for() {
        let mut work = UnitOfWork::default();
        assert_eq!(age(&mut work, "talents/a", 0, date(2024, 6, 15)).unwrap(), None);
        assert!(!work.is_waiting());
    }
}
