//! No attack: a client that sends each row of an import in a frame of its own, as grpcio does.

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{ImportOrganizationsRequest, ImportOrganizationsResponse, Organization, OrganizationKind};
use mingce_proto::registry::ImportSettings;
use prost::Message;
use tokio::io::AsyncWriteExt;

use super::http2::{self, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, WINDOW_UPDATE, Windows, frame};

on_both_stores!(an_import_of_many_tiny_rows_does_not_end_its_connection);

const ROWS: i64 = 12_000;

async fn an_import_of_many_tiny_rows_does_not_end_its_connection(store: Store) {
    let register = Register::start(store).await;
    let (mut reader, mut writer) = http2::connect(&register, 1 << 20).await.into_split();
    writer
        .write_all(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 24).to_be_bytes()))
        .await
        .unwrap();
    // What the settings allow holds from their acknowledgement on.
    let settings = loop {
        let (kind, flags, _, payload) = http2::next(&mut reader).await.unwrap();
        if kind == http2::SETTINGS && flags == 0 {
            break payload;
        }
    };
    writer.write_all(&frame(http2::SETTINGS, 1, 0, &[])).await.unwrap();
    let window = settings.chunks(6).find(|setting| setting[..2] == [0, 4]);
    let window = u32::from_be_bytes(window.unwrap()[2..].try_into().unwrap());
    let windows = Windows::new(65_535, window.into());
    let given = windows.clone();
    let reading = tokio::spawn(async move {
        let mut answer = Vec::new();
        while let Some((kind, flags, stream, payload)) = http2::next(&mut reader).await {
            match kind {
                WINDOW_UPDATE => given.more(stream, u32::from_be_bytes(payload.try_into().unwrap())),
                DATA => answer.extend(payload),
                GOAWAY | RST_STREAM => panic!("ended by {kind}: {:?}", String::from_utf8_lossy(&payload)),
                HEADERS if flags & END_STREAM != 0 => return answer,
                _ => {}
            }
        }
        panic!("the connection ended");
    });
    let method = "mingce.labs.v1.LabService/ImportOrganizations";
    writer
        .write_all(&frame(HEADERS, END_HEADERS, 1, &http2::headers(method)))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    for row in 1..=ROWS {
        let organization = Organization {
            display_name: format!("甲{row}"),
            kind: OrganizationKind::Enterprise.into(),
            ..Organization::default()
        };
        let request = ImportOrganizationsRequest {
            settings: (row == 1).then(|| ImportSettings {
                source: "a table".to_owned(),
                ..ImportSettings::default()
            }),
            row,
            organization: Some(organization),
        };
        let message = http2::message(&request.encode_to_vec());
        windows.take(message.len()).await;
        bytes.extend(frame(DATA, 0, 1, &message));
        if bytes.len() > 16_000 {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
            bytes.clear();
        }
    }
    bytes.extend(frame(DATA, END_STREAM, 1, &[]));
    let _ = writer.write_all(&bytes).await;
    let answer = reading.await.unwrap();
    let answer = ImportOrganizationsResponse::decode(&answer[5..]).unwrap();
    assert_eq!(answer.outcomes.len(), usize::try_from(ROWS).unwrap());
}
