//! Steps of a walk beside the verbs of a case: objections, reviews, edits, and the end of a round.

use mingce_e2e::Failure;
use serde_json::{Value, json};
use tonic::Code;

use super::life_cycles::OBJECTION;
use super::walk::{CaseRef, Walk, listed, plain, revision, state, texts};

impl Walk<'_> {
    /// Closes a round, as a clerk does who has all applications.
    pub async fn close_a_round(&mut self) {
        let name = self.rng.one(&self.world.rounds).clone();
        let closed = self
            .wire
            .call("mingce.registry.v1.CaseService/CloseRound", &json!({"name": name}))
            .await;
        self.say(format!(
            "close {name}: {:?}",
            closed.as_ref().map(|_| ()).map_err(Failure::is)
        ));
        if let Err(failure) = closed {
            assert_eq!(failure.is(), (Code::FailedPrecondition, "ROUND_CLOSED"), "{failure:?}");
        }
    }

    /// Files an objection, or moves one on.
    pub async fn object(&mut self, case: &CaseRef, before: &Value) {
        let known: Vec<CaseRef> = self
            .objections
            .iter()
            .filter(|(_, of)| of.name == case.name)
            .map(|(o, _)| o.clone())
            .collect();
        if !known.is_empty() && self.rng.in_hundred(75) {
            let objection = self.rng.one(&known).clone();
            let first = self.read(&objection).await;
            self.try_one(&objection, &first, &[]).await;
            let now = self.read(&objection).await;
            self.fresh = None;
            let (after, is_open) = (self.read(case).await, OBJECTION.is_undecided(state(&OBJECTION, &now)));
            let has_ended = !is_open && revision(&now) != revision(&first);
            assert_eq!(revision(&after), revision(before) + i64::from(has_ended), "{after}");
            let listed = texts(&after["case"]["open_objections"]).contains(&objection.name.as_str());
            assert_eq!(listed, is_open, "{after}");
            return;
        }
        if known.len() > 2 {
            return;
        }
        let name = self.rng.one(&["", "试异议人", "试异议人"]);
        let objection = json!({"case_name": case.name, "objector_name": name, "statement": "成果归属有误"});
        let filed = self
            .wire
            .call(
                "mingce.registry.v1.CaseService/FileObjection",
                &json!({"objection": objection}),
            )
            .await;
        let after = self.read(case).await;
        let was_published = before["case"]["notice"]
            .as_str()
            .is_some_and(|notice| !notice.is_empty());
        let is_undecided =
            case.kind.is_undecided(state(case.kind, before)) || case.kind.is_draft(state(case.kind, before));
        self.say(format!(
            "object {}: {:?}",
            case.name,
            filed.as_ref().map(|o| o["name"].clone()).map_err(Failure::is)
        ));
        match filed {
            Ok(filed) => {
                assert!(was_published && is_undecided, "{before}");
                assert_eq!(revision(&after), revision(before) + 1);
                let objection = CaseRef {
                    kind: &OBJECTION,
                    name: filed["name"].as_str().unwrap().to_owned(),
                };
                assert!(
                    texts(&after["case"]["open_objections"]).contains(&objection.name.as_str()),
                    "{after}"
                );
                self.keep(&objection);
                self.objections.push((objection, case.clone()));
            }
            Err(failure) => {
                let why = if was_published {
                    "CASE_DECIDED"
                } else {
                    "NOTICE_MISSING"
                };
                assert_eq!(failure.is(), (Code::FailedPrecondition, why), "{failure:?}");
                assert!(!(was_published && is_undecided), "{failure:?}");
                assert_eq!(after, *before);
            }
        }
    }

    /// Lets a panel of one review a case.
    pub async fn review(&mut self, case: &CaseRef, before: &Value) {
        let (wire, reviewer) = (self.wire, self.world.reviewer.clone());
        let service = |rpc: &str| format!("mingce.registry.v1.CaseService/{rpc}");
        let panel = json!({"display_name": "试评审组", "cases": [case.name]});
        let made = wire.call(&service("CreatePanel"), &json!({"panel": panel})).await;
        if state(case.kind, before) != "IN_REVIEW" {
            let failure = made.unwrap_err();
            assert_eq!(failure.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{failure:?}");
            assert_eq!(self.read(case).await, *before);
            return;
        }
        let panel = made.unwrap();
        let assign = json!({
            "panel": panel["name"], "case_name": case.name, "reviewer": reviewer, "override_reason": "试走",
        });
        let review = wire.done(&service("AssignReviewer"), assign).await;
        let points = 40 + self.rng.below(61);
        let sheet = json!({
            "scores": [{"criterion": "quality", "points": points}], "opinion": "可", "recommended": "RECOMMENDED_SUPPORT",
        });
        wire.done(
            &service("SubmitReview"),
            json!({"name": review["name"], "sheet": sheet}),
        )
        .await;
        wire.done(&service("ClosePanel"), json!({"name": panel["name"]})).await;
        let after = self.read(case).await;
        self.say(format!("a review of {} gives {points} points", case.name));
        assert_eq!(revision(&after), revision(before) + 1);
        assert_eq!(
            (&after["case"]["reviews"], &after["case"]["review_score"]),
            (&json!(1), &json!(points * 100))
        );
    }

    /// Writes into a case: into a draft, and never into one that waits for its decision.
    pub async fn update(&mut self, case: &CaseRef, before: &Value) {
        let Some((rpc, field, text)) = case.kind.update else {
            return;
        };
        let state_before = state(case.kind, before);
        let (is_draft, is_undecided) = (case.kind.is_draft(state_before), case.kind.is_undecided(state_before));
        if !is_draft && !is_undecided {
            return self.touch(case, before).await;
        }
        let change = json!({"name": case.name, text: self.rng.uuid()});
        let answer = self.wire.call(rpc, &json!({field: change, "update_mask": text})).await;
        let after = self.read(case).await;
        self.say(format!(
            "update {}: {:?}",
            case.name,
            answer.as_ref().map(revision).map_err(Failure::is)
        ));
        match answer {
            Ok(answer) => {
                assert!(is_draft, "{state_before}");
                assert_eq!(revision(&answer), revision(before) + 1);
                assert_eq!(plain(&after), plain(&answer));
            }
            Err(failure) => {
                assert!(is_undecided, "{failure:?}");
                assert_eq!(
                    failure.is(),
                    (Code::FailedPrecondition, "CASE_NOT_EDITABLE"),
                    "{failure:?}"
                );
                assert_eq!(after, *before);
            }
        }
    }

    /// Updates a number of a case that has been decided, which nobody may: it says which verb does.
    async fn touch(&mut self, case: &CaseRef, before: &Value) {
        let Some((rpc, field, _)) = case.kind.update else {
            return;
        };
        let Some(verb) = listed(before, "correct") else {
            return;
        };
        if before["document_number"] == "" {
            return;
        }
        let change = json!({"name": case.name, "document_number": self.rng.uuid()});
        let request = json!({field: change, "update_mask": "documentNumber"});
        let answer = self.wire.call(rpc, &request).await;
        let Err(failure) = answer else {
            panic!("what was decided is written over: {answer:?}");
        };
        self.say(format!("touch {}: {:?}", case.name, failure.is()));
        let output_only = case.kind.name == "recommendation";
        if !output_only {
            assert_eq!(failure.is(), (Code::FailedPrecondition, "FIELD_DECIDED"), "{failure:?}");
            assert!(
                failure.message.contains(verb["method"].as_str().unwrap()),
                "{failure:?}"
            );
            assert_eq!(failure.fields, [format!("{field}.document_number")]);
        }
        assert_eq!(self.read(case).await, *before);
    }
}
