//! What was merged or annulled in services with databases of their own, copied now and again, so that figures and filters of this
//! process go by it. In one database all services see it by themselves.

use std::time::Duration;

use mingce_orm::{Error, Result};
use mingce_proto::collections::{ORGANIZATIONS, TALENTS};
use mingce_proto::labs::ListOrganizationsRequest;
use mingce_proto::talent::ListTalentsRequest;
use mingce_server::call::status::from_status;

use crate::{CaseRegister, Peers};

/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_secs(1);

/// The collections of others that records cite.
const CITED: [&str; 2] = [ORGANIZATIONS, TALENTS];

/// The newest first, so that the first page tells whether there are others than before.
const GONE: &str = "record_status = DUPLICATE OR record_status = ANNULLED";
const ORDER: &str = "sequence desc";

/// A page of what no longer stands for itself.
#[derive(Debug, Default)]
struct Gone {
    /// Names, and what stands for them: nothing where they were annulled.
    records: Vec<(String, String)>,
    /// How many there are and the last change of them: while that stays, so do they.
    seen: (i64, String),
    next_page_token: String,
}

impl CaseRegister {
    /// Copies what was merged elsewhere, until it is told to end or everything is kept here.
    pub(crate) async fn follow_merges(self) {
        let mut seen = CITED.map(|_| None);
        let mut failing = false;
        loop {
            let mut followed = 0;
            let mut failed = None;
            for (collection, seen) in CITED.into_iter().zip(&mut seen) {
                match self.copy_merges(collection, seen).await {
                    Ok(true) => followed += 1,
                    Ok(false) => {}
                    Err(error) => {
                        followed += 1;
                        failed = Some(error);
                    }
                }
            }
            if followed == 0 {
                return;
            }
            if let (Some(error), false) = (&failed, failing) {
                tracing::warn!(
                    "what was merged in other services is not known until they answer: {}",
                    error.detail().unwrap_or(error.message())
                );
            }
            failing = failed.is_some();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Copies what was merged of a collection, where it is another than `seen`. Whether somebody else keeps it.
    async fn copy_merges(&self, collection: &'static str, seen: &mut Option<(i64, String)>) -> Result<bool> {
        if self.store.keeps(collection).await? {
            return Ok(false);
        }
        let Some(mut page) = gone(&self.peers, collection, "", 1).await? else {
            return Ok(false);
        };
        if seen.as_ref() == Some(&page.seen) {
            return Ok(true);
        }
        let now = page.seen;
        let mut all = Vec::new();
        page.next_page_token.clear();
        loop {
            page = match gone(&self.peers, collection, &page.next_page_token, 1000).await? {
                Some(page) => page,
                None => return Ok(false),
            };
            all.append(&mut page.records);
            if page.next_page_token.is_empty() {
                break;
            }
        }
        self.store.copy_survivors(collection, &all).await?;
        *seen = Some(now);
        Ok(true)
    }
}

/// A page of what no longer stands for itself; nothing where this process was not told who keeps the collection.
async fn gone(peers: &Peers, collection: &'static str, page_token: &str, page_size: i32) -> Result<Option<Gone>> {
    let (page_token, filter, order_by) = (page_token.to_owned(), GONE.to_owned(), ORDER.to_owned());
    if collection == ORGANIZATIONS {
        let request = ListOrganizationsRequest {
            page_size,
            page_token,
            filter,
            order_by,
            include_total_size: true,
            ..ListOrganizationsRequest::default()
        };
        let page = peers.labs.list_organizations(None, request).await;
        let page = page.map_err(|status| from_status(status, "labs"))?;
        let first = page.organizations.first();
        return Ok(Some(Gone {
            seen: (
                page.total_size,
                first.map_or(String::new(), |o| format!("{} {}", o.name, o.etag)),
            ),
            records: page.organizations.into_iter().map(|o| (o.name, o.survivor)).collect(),
            next_page_token: page.next_page_token,
        }));
    }
    if collection != TALENTS {
        return Err(Error::internal(format!("nobody is known who keeps {collection}")));
    }
    let Some(talent) = &peers.talent else { return Ok(None) };
    let request = ListTalentsRequest {
        page_size,
        page_token,
        filter,
        order_by,
        include_total_size: true,
        ..ListTalentsRequest::default()
    };
    let page = talent.list_talents(None, request).await;
    let page = page.map_err(|status| from_status(status, "talent"))?;
    let first = page.talents.first();
    Ok(Some(Gone {
        seen: (
            page.total_size,
            first.map_or(String::new(), |t| format!("{} {}", t.name, t.etag)),
        ),
        records: page.talents.into_iter().map(|t| (t.name, t.survivor)).collect(),
        next_page_token: page.next_page_token,
    }))
}
