//! The rpcs of the shared service. Each opens its request and calls one verb of the kit.

use std::collections::BTreeMap;
use std::sync::Arc;

use mingce_lifecycle::any::of_name;
use mingce_lifecycle::cross::{Step, verbs};
use mingce_lifecycle::notice::{Notices, public};
use mingce_lifecycle::objection::{self, Objections};
use mingce_lifecycle::panel::{self, Panels, Reviews};
use mingce_lifecycle::policy::{self, Policies};
use mingce_lifecycle::round::{self, Rounds};
use mingce_lifecycle::{At, Scope, called};
use mingce_orm::store::{expect_active, expect_etag, inbound, settled};
use mingce_orm::{Call, Collection, Cx, Edit, Error, List, Mask, Page, Stamp, wanted};
use mingce_proto::codec::Reply;
use mingce_proto::registry::case_service_server::CaseService;
use mingce_proto::registry::*;
use mingce_server::call::{open, reply};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::CaseRegister;
use crate::reviewer::{conflicts, window};

type Answered<T> = Result<Response<Reply<T>>, Status>;

#[tonic::async_trait]
impl CaseService for CaseRegister {
    async fn create_policy(&self, request: Request<CreatePolicyRequest>) -> Answered<Policy> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreatePolicy", &r.request_id, r.validate_only, &r);
        reply(policy::create(&self.store, &cx, call, r.policy.unwrap_or_default()).await)
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Answered<Policy> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Policies>(&cx, &r.name, r.view).await)
    }

    async fn list_policies(&self, request: Request<ListPoliciesRequest>) -> Answered<ListPoliciesResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Policies>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn compare_policies(&self, request: Request<ComparePoliciesRequest>) -> Answered<ComparePoliciesResponse> {
        let (cx, r) = open(request)?;
        let names = [r.before, r.after];
        let compared = self.store.batch_get::<Policies>(&cx, &names, 0).await.and_then(|page| {
            let both = page.items()?;
            let [before, after] = both.as_slice() else {
                return Err(Error::internal("two policies were asked for"));
            };
            policy::compare(before, after)
        });
        reply(compared.map(|differences| ComparePoliciesResponse { differences }))
    }

    async fn simulate_policy(&self, request: Request<SimulatePolicyRequest>) -> Answered<SimulatePolicyResponse> {
        let (cx, r) = open(request)?;
        reply(self.simulate(&cx, r).await)
    }

    async fn create_round(&self, request: Request<CreateRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreateRound", &r.request_id, r.validate_only, &r);
        reply(self.begin_round(&cx, call, r.round.unwrap_or_default()).await)
    }

    async fn get_round(&self, request: Request<GetRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Rounds>(&cx, &r.name, r.view).await)
    }

    async fn list_rounds(&self, request: Request<ListRoundsRequest>) -> Answered<ListRoundsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Rounds>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn update_round(&self, request: Request<UpdateRoundRequest>) -> Answered<Round> {
        let (cx, r) = open(request)?;
        let call = Call::new("UpdateRound", &r.request_id, r.validate_only, &r);
        let paths = r.update_mask.unwrap_or_default().paths;
        reply(self.change_round(&cx, call, r.round.unwrap_or_default(), &paths).await)
    }

    async fn close_round(&self, request: Request<CloseRoundRequest>) -> Answered<CloseRoundResponse> {
        let (cx, r) = open(request)?;
        reply(self.end_round(&cx, r).await)
    }

    async fn get_notice(&self, request: Request<GetNoticeRequest>) -> Answered<Notice> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Notices>(&cx, &r.name, r.view).await)
    }

    async fn list_notices(&self, request: Request<ListNoticesRequest>) -> Answered<ListNoticesResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Notices>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn get_public_notice(&self, request: Request<GetPublicNoticeRequest>) -> Answered<PublicNotice> {
        let (cx, r) = open(request)?;
        reply(self.read::<Notices>(&cx, &r.name).await.map(public))
    }

    async fn list_public_notices(
        &self,
        request: Request<ListPublicNoticesRequest>,
    ) -> Answered<ListPublicNoticesResponse> {
        let (cx, r) = open(request)?;
        reply(self.public_notices(&cx, &r).await)
    }

    async fn file_objection(&self, request: Request<FileObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let call = Call::new("FileObjection", &r.request_id, r.validate_only, &r);
        reply(self.file(&cx, call, r.objection.unwrap_or_default()).await)
    }

    async fn get_objection(&self, request: Request<GetObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        reply(self.objection_with_verbs(&cx, &r.name).await)
    }

    async fn list_objections(&self, request: Request<ListObjectionsRequest>) -> Answered<ListObjectionsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Objections>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn accept_objection(&self, request: Request<AcceptObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("AcceptObjection", r);
        reply(self.objected(&cx, call, "accept", step, (String::new(), 0)).await)
    }

    async fn refuse_objection(&self, request: Request<RefuseObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("RefuseObjection", r);
        reply(
            self.objected(&cx, call, "refuse", step, (String::new(), r.refusal))
                .await,
        )
    }

    async fn uphold_objection(&self, request: Request<UpholdObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("UpholdObjection", r);
        reply(self.objected(&cx, call, "uphold", step, (r.finding, 0)).await)
    }

    async fn uphold_objection_in_part(&self, request: Request<UpholdObjectionInPartRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("UpholdObjectionInPart", r);
        reply(self.objected(&cx, call, "uphold_in_part", step, (r.finding, 0)).await)
    }

    async fn dismiss_objection(&self, request: Request<DismissObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("DismissObjection", r);
        reply(self.objected(&cx, call, "dismiss", step, (r.finding, 0)).await)
    }

    async fn withdraw_objection(&self, request: Request<WithdrawObjectionRequest>) -> Answered<Objection> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("WithdrawObjection", r);
        reply(self.objected(&cx, call, "withdraw", step, (String::new(), 0)).await)
    }

    async fn create_panel(&self, request: Request<CreatePanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        let call = Call::new("CreatePanel", &r.request_id, r.validate_only, &r);
        let (given, kinds, stamp) = (
            r.panel.unwrap_or_default(),
            self.kinds.clone(),
            call.stamp("create", ""),
        );
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| panel::create(work, &at, &stamp, &kinds, &given)) });
        reply(self.change::<Panels>(&cx, call, edit).await)
    }

    async fn get_panel(&self, request: Request<GetPanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Panels>(&cx, &r.name, r.view).await)
    }

    async fn list_panels(&self, request: Request<ListPanelsRequest>) -> Answered<ListPanelsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Panels>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn assign_reviewer(&self, request: Request<AssignReviewerRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        let call = Call::new("AssignReviewer", &r.request_id, r.validate_only, &r);
        reply(self.assign(&cx, call, r).await)
    }

    async fn submit_review(&self, request: Request<SubmitReviewRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        let call = Call::new("SubmitReview", &r.request_id, r.validate_only, &r);
        let (stamp, sheet) = (call.stamp("submit", ""), r.sheet.unwrap_or_default());
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| panel::submit(work, &at, &stamp, &r.name, &sheet)) });
        reply(self.change::<Reviews>(&cx, call, edit).await)
    }

    async fn get_review(&self, request: Request<GetReviewRequest>) -> Answered<Review> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Reviews>(&cx, &r.name, r.view).await)
    }

    async fn list_reviews(&self, request: Request<ListReviewsRequest>) -> Answered<ListReviewsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Reviews>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn close_panel(&self, request: Request<ClosePanelRequest>) -> Answered<Panel> {
        let (cx, r) = open(request)?;
        let (call, step) = called!("ClosePanel", r);
        let (kinds, step) = (self.kinds.clone(), named(step, "close"));
        let edit = self
            .at(&cx)
            .map(|at| -> Edit { Box::new(move |work| panel::close(work, &at, &step, &kinds)) });
        reply(self.change::<Panels>(&cx, call, edit).await)
    }

    async fn list_due_work(&self, request: Request<ListDueWorkRequest>) -> Answered<ListDueWorkResponse> {
        let (cx, r) = open(request)?;
        reply(self.due_work(&cx, &r).await)
    }

    async fn list_case_revisions(
        &self,
        request: Request<ListCaseRevisionsRequest>,
    ) -> Answered<ListCaseRevisionsResponse> {
        let (cx, r) = open(request)?;
        let kinds = [
            &Policies::shape().kind,
            &Rounds::shape().kind,
            &Notices::shape().kind,
            &Objections::shape().kind,
            &Panels::shape().kind,
            &Reviews::shape().kind,
        ];
        let history = self
            .store
            .history(&cx, &kinds, &r.name, r.page_size, &r.page_token)
            .await;
        reply(history.map(|(revisions, next_page_token)| ListCaseRevisionsResponse {
            revisions,
            next_page_token,
        }))
    }
}

fn named(step: Step, verb: &'static str) -> Step {
    Step {
        stamp: Stamp { verb, ..step.stamp },
        ..step
    }
}

impl CaseRegister {
    async fn change<C: Collection>(
        &self,
        cx: &Cx,
        call: Call,
        edit: Result<Edit, Error>,
    ) -> Result<Reply<C::Item>, Error> {
        self.store.change::<C>(cx, call, edit?).await
    }

    async fn read<C: Collection>(&self, cx: &Cx, name: &str) -> Result<C::Item, Error> {
        match self.store.get::<C>(cx, name, View::Full as i32).await? {
            Reply::Message(item) => Ok(item),
            Reply::Encoded(body) => C::Item::decode(body).map_err(Error::internal),
        }
    }

    async fn simulate(&self, cx: &Cx, r: SimulatePolicyRequest) -> Result<SimulatePolicyResponse, Error> {
        let draft = settled::<Policies>(&inbound::<Policies>(&r.policy.unwrap_or_default())?)?;
        let Some(kind) = self.kinds.iter().find(|kind| kind.kind() == draft.kind()) else {
            let said = format!("this server has no cases of {}", draft.kind().as_str_name());
            return Err(Error::invalid("policy.kind", "TERMS_OF_OTHER_KIND", said));
        };
        let mut names = r.cases;
        if let Some(other) = names.iter().find(|name| !kind.owns(name)) {
            let said = format!(
                "{other} is no case that a policy of {} decides",
                draft.kind().as_str_name()
            );
            return Err(Error::invalid("cases", "TERMS_OF_OTHER_KIND", said));
        }
        if !r.round.is_empty() {
            names.extend(kind.of_round(&self.store, cx, &r.round).await?);
        }
        names.sort();
        names.dedup();
        let at = self.at(cx)?;
        let mut register = self.store.rehearsal();
        let scopes = self.store.rehearse(&mut register, |work| {
            let all: Vec<_> = names.iter().map(|name| kind.undetermined(work, name)).collect();
            all.into_iter().collect::<Result<Vec<_>, Error>>()
        });
        let (scopes, mut in_force) = (scopes.await?, BTreeMap::new());
        for scope in scopes.iter().flatten() {
            if !in_force.contains_key(scope) {
                let (level, programme) = (scope.0, scope.1.as_str());
                let day = at.today.to_string();
                let found = policy::in_force(&self.store, cx, draft.kind(), Scope { level, programme }, &day).await?;
                in_force.insert(scope, Arc::new(found));
            }
        }
        let moments: Vec<At> = scopes
            .iter()
            .map(|scope| At {
                in_force: scope.as_ref().and_then(|scope| in_force.get(scope)).cloned(),
                ..at.clone()
            })
            .collect();
        let differences = self.store.rehearse(&mut register, |work| {
            let all: Vec<_> = names
                .iter()
                .zip(&moments)
                .map(|(name, at)| kind.simulate(work, at, name, &draft))
                .collect();
            all.into_iter().collect::<Result<Vec<_>, Error>>()
        });
        let differences = differences.await?.into_iter().flatten().collect();
        Ok(SimulatePolicyResponse {
            differences,
            cases: i32::try_from(names.len()).unwrap_or(i32::MAX),
        })
    }

    async fn begin_round(&self, cx: &Cx, call: Call, given: Round) -> Result<Reply<Round>, Error> {
        let given = Mask::parse::<Rounds>(&["*".to_owned()], &given)?
            .apply::<Rounds>(&Round::default(), &inbound::<Rounds>(&given)?)?;
        // What is wrong with the round itself comes before what its policy says.
        settled::<Rounds>(&given)?;
        let policy = if given.policy.is_empty() {
            let scope = Scope {
                level: given.level,
                programme: &given.programme,
            };
            let found = policy::in_force(&self.store, cx, given.kind(), scope, &given.start_date).await?;
            if call.is_dry() {
                found
            } else {
                policy::kept(&self.store, cx, found).await?
            }
        } else {
            self.read::<Policies>(cx, &given.policy).await?
        };
        self.store
            .create::<Rounds>(cx, call, "create", round::begin(given, &policy)?)
            .await
    }

    async fn change_round(&self, cx: &Cx, call: Call, given: Round, paths: &[String]) -> Result<Reply<Round>, Error> {
        let mask = Mask::parse::<Rounds>(paths, &given)?;
        let (stamp, at) = (call.stamp("update", ""), cx.clone());
        Rounds::shape().kind.expect(&given.name, "round.name")?;
        let edit: Edit = Box::new(move |work| {
            let stored = work.require::<Rounds>(&given.name)?;
            expect_etag::<Rounds>(&stored, &given.etag)?;
            expect_active::<Rounds>(&stored)?;
            let mut merged = mask.apply::<Rounds>(&stored, &given)?;
            round::keep_used(&stored, &mut merged);
            let merged = settled::<Rounds>(&merged)?;
            Rounds::may_write(Some(&stored), &merged)?;
            work.update::<Rounds>(&at, &stamp, &merged)
        });
        self.store.change::<Rounds>(cx, call, edit).await
    }

    async fn end_round(&self, cx: &Cx, r: CloseRoundRequest) -> Result<CloseRoundResponse, Error> {
        let (call, step) = called!("CloseRound", r);
        let (at, step, name) = (cx.clone(), named(step, "close"), r.name);
        let edit: Edit = Box::new(move |work| round::close(work, &at, &step));
        let round = match self.store.change::<Rounds>(cx, call, edit).await? {
            Reply::Message(round) => round,
            Reply::Encoded(body) => Round::decode(body).map_err(Error::internal)?,
        };
        let kind = self.kinds.iter().find(|kind| kind.kind() == round.kind());
        let (undecided, undecided_count) = match kind {
            Some(kind) => kind.undecided(&self.store, cx, &name).await?,
            None => (Vec::new(), 0),
        };
        Ok(CloseRoundResponse {
            round: Some(round),
            undecided,
            undecided_count,
        })
    }

    async fn public_notices(&self, cx: &Cx, r: &ListPublicNoticesRequest) -> Result<ListPublicNoticesResponse, Error> {
        let mut filter = Vec::new();
        if r.kind() != CaseKind::Unspecified {
            filter.push(format!("kind = {}", r.kind().as_str_name()));
        }
        if let Some(day) = mingce_lifecycle::day::given("date", &r.date)? {
            filter.push(format!("start_date <= \"{day}\" AND end_date >= \"{day}\""));
        }
        let filter = filter.join(" AND ");
        let list = List {
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &filter,
            view: View::Full as i32,
            ..List::default()
        };
        let page = self.store.list::<Notices>(cx, list).await?;
        Ok(ListPublicNoticesResponse {
            notices: page.items()?.into_iter().map(public).collect(),
            next_page_token: page.next_page_token,
        })
    }

    async fn file(&self, cx: &Cx, call: Call, given: Objection) -> Result<Reply<Objection>, Error> {
        let given = Mask::parse::<Objections>(&["*".to_owned()], &given)?
            .apply::<Objections>(&Objection::default(), &inbound::<Objections>(&given)?)?;
        // What is wrong with the objection itself comes before what its case says.
        settled::<Objections>(&given)?;
        let kind = of_name(&self.kinds, &given.case_name, "objection.case_name")?;
        let (at, stamp) = (self.at(cx)?, call.stamp("file", ""));
        let edit: Edit = Box::new(move |work| objection::file(work, &at, &stamp, kind.as_ref(), &given));
        self.store.change::<Objections>(cx, call, edit).await
    }

    async fn objection_with_verbs(&self, cx: &Cx, name: &str) -> Result<Objection, Error> {
        let (mut found, at) = (self.read::<Objections>(cx, name).await?, self.at(cx)?);
        let open = self
            .store
            .rehearse(&mut self.store.rehearsal(), |work| {
                verbs::<Objections>(work, &at, &found, None)
            })
            .await?;
        found.verbs = open;
        Ok(found)
    }

    async fn objected(
        &self,
        cx: &Cx,
        call: Call,
        verb: &'static str,
        step: Step,
        (finding, refusal): (String, i32),
    ) -> Result<Reply<Objection>, Error> {
        let of = self.read::<Objections>(cx, &step.name).await?;
        let kind = of_name(&self.kinds, &of.case_name, "name")?;
        let at = self.at(cx)?;
        let wanted = objection::verb(verb, step, kind, finding, refusal);
        let edit: Edit = Box::new(move |work| wanted.cross(work, &at));
        self.store.change::<Objections>(cx, call, edit).await
    }

    async fn assign(&self, cx: &Cx, call: Call, r: AssignReviewerRequest) -> Result<Reply<Review>, Error> {
        let kind = of_name(&self.kinds, &r.case_name, "case_name")?;
        let at = self.at(cx)?;
        let (parties, seen, terms) = self
            .store
            .rehearse(&mut self.store.rehearsal(), |work| {
                let name = &r.case_name;
                Ok((
                    kind.parties(work, name)?,
                    kind.look(work, name)?,
                    kind.review_terms(work, &at, name)?,
                ))
            })
            .await?;
        let known = self.profile(cx, &r.reviewer, parties).await?;
        let window = window(&seen.facts.submit_date, terms.employment_months, at.today)?;
        let (reviewer, awards) = (known.reviewer.as_ref(), known.awards.as_deref());
        let found = conflicts(&known.name, reviewer, awards, &known.parties, window);
        let reference = TalentReference {
            display_name: reviewer.map_or(String::new(), |reviewer| reviewer.display_name.clone()),
            talent: known.name,
            identifier: None,
        };
        let stamp = call.stamp("assign", &r.override_reason);
        let edit: Edit = Box::new(move |work| {
            let place = (r.panel.as_str(), r.case_name.as_str());
            panel::assign(work, &at, &stamp, place, &reference, &found, &r.override_reason)
        });
        self.store.change::<Reviews>(cx, call, edit).await
    }
}
