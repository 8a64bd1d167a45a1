//! One call of an import: its messages, and what its answer says of each row.

use anyhow::{Context, Result};
use mingce_mapping::{Collection, Mapping, Part, Refusal, Row};
use mingce_orm::model::identifier;
use mingce_orm::model::normalize::year_of;
use mingce_proto::labs::ImportLabsResponse;
use mingce_proto::registry::row_outcome::Outcome;
use mingce_proto::registry::{AssumedRecord, Identifier, ImportSettings, Name, RowOutcome};
use prost_reflect::prost::Message;
use prost_reflect::prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::How;

/// The most assumed records in one message, which keeps it below 1 MiB whatever they hold.
const ASSUMED: usize = 500;

/// Messages that wait for the network.
const WAITING: usize = 256;

/// The settings that the first message carries.
pub fn settings(how: &How, mask: &[String], source: &str, (run, part): (&str, usize)) -> ImportSettings {
    let mut settings = ImportSettings {
        validate_only: how.dry_run,
        keep_edits: how.keep_edits,
        source: source.chars().take(300).collect(),
        run: run.to_owned(),
        part: i32::try_from(part).unwrap_or(i32::MAX),
        mapping: how.told.mapping.chars().take(300).collect(),
        source_sha256: how.told.source_sha256.clone(),
        mapping_sha256: how.told.mapping_sha256.clone(),
        ..ImportSettings::default()
    };
    if !mask.is_empty() {
        settings.update_mask.get_or_insert_default().paths = mask.to_vec();
    }
    settings
}

/// A call that is under way.
pub struct Piece {
    collection: &'static Collection,
    input: MessageDescriptor,
    messages: mpsc::Sender<Bytes>,
    answer: JoinHandle<Result<Bytes, Status>>,
    sent: Vec<Sent>,
    dry_run: bool,
}

/// A row that was sent.
#[derive(Debug)]
pub struct Sent {
    /// The row without its content.
    pub row: Row,
    /// In a dry run: what it would stand for.
    pub assumed: Option<AssumedRecord>,
    /// Its message.
    pub message: Bytes,
}

impl Piece {
    /// Begins a call with its settings and, for a dry run, with what is assumed.
    pub fn begin(
        channel: &Channel,
        collection: &'static Collection,
        settings: ImportSettings,
        assumed: &[AssumedRecord],
    ) -> Result<Piece> {
        let method = collection.method("Import").context("the contract has no such import")?;
        let input = method.input();
        let dry_run = settings.validate_only;
        let mut first = opening(&input, settings, assumed).context("the contract's import takes no settings")?;
        let (messages, waiting) = mpsc::channel::<Bytes>(WAITING);
        let channel = channel.clone();
        let answer = tokio::spawn(async move {
            let stream = tokio_stream::iter(std::mem::take(&mut first)).chain(ReceiverStream::new(waiting));
            crate::wire::client_streaming(&channel, &method, stream).await
        });
        Ok(Piece {
            collection,
            input,
            messages,
            answer,
            sent: Vec::new(),
            dry_run,
        })
    }

    /// How many rows were sent.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Sends a row. False where the call has ended before its time; its end says why.
    pub async fn push(&mut self, mut row: Row) -> Result<bool> {
        let number = i64::try_from(row.number).unwrap_or(0);
        let assumed = self.dry_run.then(|| AssumedRecord {
            row: number,
            ..assumed(self.collection, &row.message)
        });
        let message = request(self.collection, &self.input, &mut row).context("the contract's import takes no rows")?;
        let sent = Sent { row, assumed, message };
        Ok(self.send(sent).await)
    }

    /// Sends a row, maybe again. False where the call has ended before its time.
    pub async fn send(&mut self, sent: Sent) -> bool {
        let going = self.messages.send(sent.message.clone()).await.is_ok();
        self.sent.push(sent);
        going
    }

    /// Ends the call; answers what it said, and what had been sent.
    pub async fn end(self) -> Result<(ImportLabsResponse, Vec<Sent>), Status> {
        drop(self.messages);
        let answer = self
            .answer
            .await
            .map_err(|e| Status::internal(format!("the call was lost: {e}")))??;
        // The answers of all imports are of one shape, which a test holds them to.
        let answer = ImportLabsResponse::decode(answer);
        Ok((
            answer.map_err(|e| Status::internal(format!("the answer cannot be read: {e}")))?,
            self.sent,
        ))
    }
}

/// What a message says that was sent.
pub fn content(collection: &Collection, message: &Bytes) -> Option<DynamicMessage> {
    let input = collection.method("Import")?.input();
    DynamicMessage::decode(input, message.clone()).ok()
}

/// The messages before the first row.
fn opening(input: &MessageDescriptor, settings: ImportSettings, assumed: &[AssumedRecord]) -> Option<Vec<Bytes>> {
    let place = input.get_field_by_name("settings")?;
    let Kind::Message(message) = place.kind() else {
        return None;
    };
    let further = assumed.chunks(ASSUMED).map(|c| ImportSettings {
        assumed: c.to_vec(),
        ..ImportSettings::default()
    });
    let encode = |settings: ImportSettings| {
        let mut dynamic = DynamicMessage::new(message.clone());
        dynamic.transcode_from(&settings).ok()?;
        let mut request = DynamicMessage::new(input.clone());
        request.set_field(&place, Value::Message(dynamic));
        Some(Bytes::from(request.encode_to_vec()))
    };
    std::iter::once(settings).chain(further).map(encode).collect()
}

/// The message of a row, whose content moves into it.
fn request(collection: &Collection, input: &MessageDescriptor, row: &mut Row) -> Option<Bytes> {
    let empty = DynamicMessage::new(row.message.descriptor());
    let mut request = DynamicMessage::new(input.clone());
    request.set_field(
        &input.get_field_by_name("row")?,
        Value::I64(i64::try_from(row.number).ok()?),
    );
    request.set_field(
        &collection.field_in(input)?,
        Value::Message(std::mem::replace(&mut row.message, empty)),
    );
    Some(Bytes::from(request.encode_to_vec()))
}

/// How a row ended.
#[derive(Debug, PartialEq)]
pub enum Became {
    /// Made.
    Created,
    /// Changed.
    Updated,
    /// So already.
    Unchanged,
    /// Refused.
    Refused,
}

/// How a row ended; what a newer server might add counts as refused, so that nobody takes it for done.
pub fn became(outcome: &RowOutcome) -> Became {
    match outcome.outcome() {
        Outcome::Created => Became::Created,
        Outcome::Updated => Became::Updated,
        Outcome::Unchanged => Became::Unchanged,
        Outcome::Refused | Outcome::Unspecified => Became::Refused,
    }
}

/// The problems of a refused row, each led back to its row and column.
pub fn refusals(mapping: &Mapping, part: &Part, row: &Row, outcome: &RowOutcome) -> Vec<Refusal> {
    let mut rows = vec![row.number];
    rows.extend(&row.further);
    let unsaid = (
        String::new(),
        "REFUSED".to_owned(),
        "the service gave no reason: ask whoever runs the register".to_owned(),
    );
    let mut problems: Vec<_> = outcome
        .problems
        .iter()
        .cloned()
        .map(|p| (p.field, p.reason, p.description))
        .collect();
    if problems.is_empty() {
        problems.push(unsaid);
    }
    let refusal = |(field, reason, description): (String, String, String)| {
        let (number, column) = part.locate(mapping, row, &field);
        // A field that no column fills is named itself.
        let description = match (column.is_empty(), field.is_empty()) {
            (true, false) => format!("{field}: {description}"),
            _ => description,
        };
        let personal = part.collection().is_personal(&field) || part.is_personal(mapping, &column);
        Refusal {
            row: number,
            rows: rows.clone(),
            column,
            value: String::new(),
            personal,
            reason,
            description,
        }
    };
    // Several fields may be filled from one column: what is wrong with it is told once.
    let mut told: Vec<Refusal> = Vec::new();
    for refusal in problems.into_iter().map(refusal) {
        let same = |other: &Refusal| {
            !other.column.is_empty()
                && (other.row, &other.column, &other.reason) == (refusal.row, &refusal.column, &refusal.reason)
        };
        if !told.iter().any(same) {
            told.push(refusal);
        }
    }
    told
}

/// A row that a dry run would have created, as later rows find it.
pub fn assumed(collection: &Collection, message: &DynamicMessage) -> AssumedRecord {
    let text = |name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let items = |name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Value::List(items)) => items.iter().filter_map(Value::as_message).cloned().collect(),
        _ => Vec::new(),
    };
    let identifiers = items("identifiers").into_iter().filter_map(|m| m.transcode_to().ok());
    // Schemes and programmes are named by their code.
    let code = Some(text("code")).filter(|c| !c.is_empty()).map(|value| Identifier {
        scheme: "code".to_owned(),
        value,
    });
    AssumedRecord {
        collection: collection.label.to_owned(),
        identifiers: identifiers.chain(code).collect(),
        names: items("names")
            .iter()
            .filter_map(|m| m.transcode_to().ok())
            .map(|name: Name| name.text)
            .collect(),
        display_name: text("display_name"),
        city: if matches!(message.descriptor().name(), "Organization" | "Lab") {
            text("city")
        } else {
            String::new()
        },
        row: 0,
        birth_year: year_of_birth(&text("birth_date"), &text("identity_document")),
        employers: items("employments").iter().filter_map(employer).take(50).collect(),
    }
}

/// As the register would know it: by the day that a row gives, else by an identity card.
fn year_of_birth(birth_date: &str, identity_document: &str) -> i32 {
    let card = identifier::document(identity_document).ok().flatten();
    let card = card.and_then(|card| identifier::resident_id(&card).ok());
    year_of(&card.map_or_else(|| birth_date.to_owned(), |card| card.birth_date))
}

fn employer(employment: &DynamicMessage) -> Option<String> {
    let organization = employment.get_field_by_name("organization")?;
    let name = organization.as_message()?.get_field_by_name("display_name")?;
    name.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use mingce_mapping::{COLLECTIONS, Item, Source};
    use mingce_proto::labs::ImportLabsRequest;
    use mingce_proto::registry::row_outcome::Problem;

    use super::*;

    #[test]
    fn the_answers_of_all_imports_are_of_one_shape() {
        let fields = |c: &Collection| {
            let output = c.method("Import").unwrap().output();
            output
                .fields()
                .map(|f| (f.number(), f.kind(), f.is_list()))
                .collect::<Vec<_>>()
        };
        for collection in &COLLECTIONS {
            assert_eq!(fields(collection), fields(&COLLECTIONS[1]), "{}", collection.label);
        }
    }

    fn labs() -> (Mapping, Vec<Row>) {
        let mapping = Mapping::find("ror-labs").unwrap();
        let header = "ror_id,name_zh,name_en,acronyms,aliases,status,established,city,host_ror_ids,host_names,successor_ror_ids,website";
        let text = format!("{header}\nhttps://ror.org/000190731,甲实验室,,,,active,,,https://ror.org/00cmhce21,乙,,\n");
        let source = Source::from_bytes("labs.csv", text.into_bytes(), &mapping.options()).unwrap();
        let mut rows = Vec::new();
        mapping.parts()[0]
            .read(&mapping, &source, &mut |item| {
                if let Item::Row(row) = item {
                    rows.push(row);
                }
                Ok(true)
            })
            .unwrap();
        (mapping, rows)
    }

    #[test]
    fn a_stream_is_settings_then_what_is_assumed_then_rows() {
        let (mapping, mut rows) = labs();
        let collection = mapping.parts()[0].collection();
        let input = collection.method("Import").unwrap().input();
        let how = How {
            dry_run: true,
            ..How::default()
        };
        let settings = settings(&how, &["hosts".to_owned()], "labs.csv", ("a run", 0));
        let assumed = vec![
            AssumedRecord {
                collection: "organizations".to_owned(),
                ..AssumedRecord::default()
            };
            ASSUMED + 1
        ];
        let mut messages = opening(&input, settings.clone(), &assumed).unwrap();
        messages.push(request(collection, &input, &mut rows[0]).unwrap());
        let read: Vec<_> = messages
            .into_iter()
            .map(|m| ImportLabsRequest::decode(m).unwrap())
            .collect();
        assert_eq!(read[0].settings, Some(settings));
        assert_eq!(read[1].settings.as_ref().unwrap().assumed.len(), ASSUMED);
        assert_eq!(read[2].settings.as_ref().unwrap().assumed.len(), 1);
        assert!(!read[2].settings.as_ref().unwrap().validate_only);
        assert_eq!((read[3].row, read.len()), (2, 4));
        assert_eq!(read[3].lab.as_ref().unwrap().display_name, "甲实验室");
    }

    #[test]
    fn a_problem_is_led_back_to_its_column() {
        let (mapping, rows) = labs();
        let problem = |field: &str| Problem {
            field: field.to_owned(),
            reason: "IDENTIFIER_INVALID".to_owned(),
            description: "no".to_owned(),
            holders: Vec::new(),
        };
        let mut outcome = RowOutcome {
            row: 2,
            problems: vec![
                problem("hosts[0].organization.identifier"),
                problem("members"),
                problem("hosts[0].organization.identifier.value"),
            ],
            ..RowOutcome::default()
        };
        outcome.set_outcome(Outcome::Refused);
        let found = refusals(&mapping, &mapping.parts()[0], &rows[0], &outcome);
        assert_eq!(found.len(), 2, "one column is told once");
        assert_eq!(
            (found[0].column.as_str(), found[0].description.as_str()),
            ("host_ror_ids", "no")
        );
        assert_eq!(
            (found[1].column.as_str(), found[1].description.as_str()),
            ("", "members: no")
        );
    }

    #[test]
    fn what_a_dry_run_would_create_is_assumed_by_its_identifiers_and_names() {
        let (mapping, rows) = labs();
        let record = assumed(mapping.parts()[0].collection(), &rows[0].message);
        assert_eq!(
            (record.collection.as_str(), record.display_name.as_str()),
            ("labs", "甲实验室")
        );
        assert_eq!(record.identifiers[0].scheme, "ror");
    }
}
