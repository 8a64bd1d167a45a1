//! Decisions by their document numbers, of all kinds of case that this process has.

use mingce_lifecycle::document::Wanted;
use mingce_orm::query::page_token::{self, Position};
use mingce_orm::{Error, RequestContext, Result};
use mingce_proto::registry::{CaseKind, ListDecisionDocumentsRequest, ListDecisionDocumentsResponse};

use crate::CaseRegister;

impl CaseRegister {
    /// A page of decisions: kind by kind, each by its numbers. A token says the kind and, behind a dot, where in it the next page begins.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, reason `CASE_KIND_ELSEWHERE`.
    pub(crate) async fn decision_documents(
        &self,
        cx: &RequestContext,
        r: &ListDecisionDocumentsRequest,
    ) -> Result<ListDecisionDocumentsResponse> {
        let wanted = r.kind();
        let is_wanted = |kind: CaseKind| wanted == CaseKind::Unspecified || kind == wanted;
        let mut kinds: Vec<_> = self.kinds.iter().filter(|kind| is_wanted(kind.kind())).collect();
        if kinds.is_empty() {
            let said = format!("{} is no kind of case that this server has", wanted.as_str_name());
            return Err(Error::invalid("kind", "CASE_KIND_ELSEWHERE", said));
        }
        kinds.sort_by_key(|kind| kind.kind() as i32);
        let how = if r.prefix { "prefix" } else { "number" };
        let arguments = ["decision documents", &r.number, how, wanted.as_str_name()];
        let (from, mut token) = match page_token::decode(&r.page_token, &arguments)?.as_deref() {
            Some([Position::Integer(kind), Position::Text(token)]) => (*kind, token.clone()),
            _ => (0, String::new()),
        };
        kinds.retain(|kind| i64::from(kind.kind() as i32) >= from);
        let size = page_token::size(r.page_size);
        let mut answer = ListDecisionDocumentsResponse::default();
        for (place, kind) in kinds.iter().enumerate() {
            let wanted = Wanted {
                number: &r.number,
                prefix: r.prefix,
                page_size: i32::try_from(size.saturating_sub(answer.documents.len()).max(1)).unwrap_or(i32::MAX),
                page_token: &token,
            };
            let (found, next) = kind.documents(&self.store, cx, wanted).await?;
            answer.documents.extend(found);
            let behind = if next.is_empty() {
                kinds.get(place + 1)
            } else {
                Some(kind)
            };
            token = next;
            if let Some(behind) = behind
                && (answer.documents.len() >= size || !token.is_empty())
            {
                let position = [Position::Integer((behind.kind() as i32).into()), Position::Text(token)];
                answer.next_page_token = page_token::encode(&arguments, &position);
                break;
            }
        }
        Ok(answer)
    }
}
