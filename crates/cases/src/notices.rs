//! What the public sees, and what is objected to it.

use mingce_lifecycle::any::of_name;
use mingce_lifecycle::notice::{Notices, public};
use mingce_lifecycle::objection::{self, Objections};
use mingce_lifecycle::transition::{Step, verbs};
use mingce_orm::write::canonical::{normalized, writable};
use mingce_orm::{Call, Edit, Error, List, RequestContext};
use mingce_proto::codec::Reply;
use mingce_proto::registry::{CaseKind, ListPublicNoticesRequest, ListPublicNoticesResponse, Objection, View};

use crate::CaseRegister;

impl CaseRegister {
    pub(crate) async fn public_notices(
        &self,
        cx: &RequestContext,
        r: &ListPublicNoticesRequest,
    ) -> Result<ListPublicNoticesResponse, Error> {
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

    pub(crate) async fn file(
        &self,
        cx: &RequestContext,
        call: Call,
        given: Objection,
    ) -> Result<Reply<Objection>, Error> {
        let given = writable::<Objections>(given)?;
        // What is wrong with the objection itself comes before what its case says.
        normalized::<Objections>(&given)?;
        let kind = of_name(&self.kinds, &given.case_name, "objection.case_name")?;
        let (at, stamp) = (self.at(cx)?, call.stamp("file", ""));
        let edit: Edit = Box::new(move |work| objection::file(work, &at, &stamp, kind.as_ref(), &given));
        self.store.change::<Objections>(cx, call, edit).await
    }

    pub(crate) async fn objection_with_verbs(&self, cx: &RequestContext, name: &str) -> Result<Objection, Error> {
        let (mut found, at) = (self.read::<Objections>(cx, name).await?, self.at(cx)?);
        let open = self
            .store
            .try_edit(&mut self.store.unit_of_work(), |work| {
                verbs::<Objections>(work, &at, &found, None)
            })
            .await?;
        found.verbs = open;
        Ok(found)
    }

    pub(crate) async fn objected(
        &self,
        cx: &RequestContext,
        call: Call,
        verb: &'static str,
        step: Step,
        (finding, refusal): (String, i32),
    ) -> Result<Reply<Objection>, Error> {
        let of = self.read::<Objections>(cx, &step.name).await?;
        let kind = of_name(&self.kinds, &of.case_name, "name")?;
        let at = self.at(cx)?;
        let wanted = objection::verb(verb, step, kind, finding, refusal);
        let edit: Edit = Box::new(move |work| wanted.apply(work, &at));
        self.store.change::<Objections>(cx, call, edit).await
    }
}
