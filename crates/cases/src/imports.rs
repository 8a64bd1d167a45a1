//! The rpcs of imports: what each did, and taking it back. Other services are asked whether they name what is to be annulled.

use std::time::Duration;

use mingce_ingest::import_record::LEASE;
use mingce_ingest::runs::let_go;
use mingce_orm::write::imports::Imports;
use mingce_orm::write::undo::UndoWanted;
use mingce_orm::{Call, Error, Page, RequestContext, Result, wanted};
use mingce_proto::Classes;
use mingce_proto::collections::{AWARDS, ORGANIZATIONS, TALENTS};
use mingce_proto::registry::find_referrers_response::Named;
use mingce_proto::registry::import_service_server::ImportService;
use mingce_proto::registry::{
    FindReferrersRequest, FindReferrersResponse, GetImportRequest, Import, ListImportsRequest, ListImportsResponse,
    UndoImportRequest, UndoImportResponse,
};
use mingce_server::Clock;
use mingce_server::call::status::from_status;
use mingce_server::call::{Answered, open, reply};
use tonic::Request;

use crate::CaseRegister;

/// How often it is looked for imports whose process ended under them.
const PAUSE: Duration = Duration::from_secs(20);
/// How long it is kept what the rows of an import meant, for further calls of it.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long it is kept what was decided of rows, for when the same file is loaded again.
const KEPT_DECIDED: Duration = Duration::from_secs(400 * 24 * 3600);
/// How many records others are asked about at once.
const ASKED: usize = 500;
/// The collections whose records other services name.
const CITED: [&str; 2] = [ORGANIZATIONS, TALENTS];

#[tonic::async_trait]
impl ImportService for CaseRegister {
    async fn get_import(&self, request: Request<GetImportRequest>) -> Answered<Import> {
        let (cx, r) = open(request)?;
        reply(self.store.get::<Imports>(&cx, &r.name, r.view).await)
    }

    async fn list_imports(&self, request: Request<ListImportsRequest>) -> Answered<ListImportsResponse> {
        let (cx, r) = open(request)?;
        reply(self.store.list::<Imports>(&cx, wanted!(r)).await.map(Page::reply))
    }

    async fn undo_import(&self, request: Request<UndoImportRequest>) -> Answered<UndoImportResponse> {
        let (cx, r) = open(request)?;
        let call = Call::of(&r);
        reply(self.undo(&cx, &call, r).await)
    }

    async fn find_referrers(&self, request: Request<FindReferrersRequest>) -> Answered<FindReferrersResponse> {
        let (_cx, r) = open(request)?;
        let found = self.store.referrers(&self.collections, &r.names).await;
        let named = |(name, referrers): (String, Vec<String>)| Named { name, referrers };
        reply(found.map(|found| FindReferrersResponse {
            named: found.into_iter().map(named).collect(),
        }))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl CaseRegister {
    async fn undo(&self, cx: &RequestContext, call: &Call, r: UndoImportRequest) -> Result<UndoImportResponse> {
        let wanted = UndoWanted {
            call,
            name: &r.name,
            etag: &r.etag,
            page_size: r.page_size,
            page_token: &r.page_token,
            left_since: cx.now.saturating_sub(micros(LEASE)),
        };
        let mut page = self.store.undo_page(cx, &self.collections, wanted).await?;
        let cited = self
            .collections
            .iter()
            .map(|c| c.kind())
            .filter(|kind| CITED.contains(&kind.collection));
        let names: Vec<String> = cited.flat_map(|kind| page.would_annul(kind)).collect();
        for names in names.chunks(ASKED) {
            for named in self.named_elsewhere(cx, names).await? {
                page.named_elsewhere(&named.name, named.referrers);
            }
        }
        let undone = self.store.undo(cx, call, &r.reason, &self.collections, page).await?;
        Ok(UndoImportResponse {
            import: Some(undone.import),
            staying: undone.staying,
            next_page_token: undone.next_page_token,
        })
    }

    /// Which of these records those services name that another process serves, as far as this one was told where they are.
    async fn named_elsewhere(&self, cx: &RequestContext, names: &[String]) -> Result<Vec<Named>, Error> {
        let request = FindReferrersRequest { names: names.to_vec() };
        let is_here = |collection: &str| self.collections.iter().any(|c| c.kind().collection == collection);
        let mut named = Vec::new();
        if !is_here(ORGANIZATIONS) {
            let answer = self.peers.labs.find_referrers(cx.deadline, request.clone()).await;
            named.extend(answer.map_err(|s| from_status(s, "labs"))?.named);
        }
        if let Some(talent) = self.peers.talent.as_ref().filter(|_| !is_here(TALENTS)) {
            let answer = talent.find_referrers(cx.deadline, request.clone()).await;
            named.extend(answer.map_err(|s| from_status(s, "talent"))?.named);
        }
        if let Some(awards) = self.peers.awards.as_ref().filter(|_| !is_here(AWARDS)) {
            let answer = awards.find_referrers(cx.deadline, request).await;
            named.extend(answer.map_err(|s| from_status(s, "awards"))?.named);
        }
        Ok(named)
    }

    /// Notes that imports are not under way any more whose process ended under them, and gives back what was remembered for
    /// further calls, until it is told to end.
    pub(crate) async fn watch_imports(self, clock: Clock) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let_go();
            if let Err(error) = self.interrupt_left(clock.now(), false).await {
                let why = error.detail().unwrap_or(error.message());
                tracing::warn!("it could not be looked for imports that broke off: {why}");
            }
        }
    }

    /// The same once. `at_start`: this process has none yet, so where no other may use the database, none is under way.
    pub(crate) async fn interrupt_left(&self, now: i64, at_start: bool) -> Result<()> {
        let is_any = at_start && self.store.is_alone();
        let since = (!is_any).then(|| now.saturating_sub(micros(LEASE)));
        let cx = RequestContext {
            actor: mingce_lifecycle::BY_ITSELF.to_owned(),
            now,
            deadline: None,
            visible: Classes::ALL,
        };
        let ago = |kept| now.saturating_sub(micros(kept));
        self.store.forget_seen(ago(KEPT), ago(KEPT_DECIDED)).await?;
        let left = self.store.interrupt_imports(&cx, since).await?;
        if left > 0 {
            tracing::warn!(left, "imports broke off: their process ended under them");
        }
        Ok(())
    }
}
