//! More connections than there are file descriptors for.

use mingce_e2e::{Register, Store, on_both_stores};
use mingce_proto::labs::{CreateLabRequest, Lab, ListLabsRequest, SearchLabsRequest};
use mingce_proto::registry::ComputeStatisticsRequest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

on_both_stores!(reads_never_lack_a_file_beside_more_connections_than_there_are_files_for);

/// Reads of all kinds at once want all connections to the database that there can be, and each is some files.
async fn reads_never_lack_a_file_beside_more_connections_than_there_are_files_for(store: Store) {
    let mut register = Register::prepare(store, &[]).await;
    register.set_open_files(64);
    register.restart();
    let mut labs = register.labs();
    let lab = Lab {
        display_name: "潮汐实验室".to_owned(),
        ..Lab::default()
    };
    let request = CreateLabRequest {
        lab: Some(lab),
        ..CreateLabRequest::default()
    };
    // The good caller is there before the others come.
    labs.create_lab(request).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(register.address()).await.unwrap());
    }
    for _ in 0..4 {
        let mut reading = JoinSet::new();
        for _ in 0..20 {
            let (mut listing, mut searching, mut counting) = (labs.clone(), labs.clone(), labs.clone());
            reading.spawn(async move {
                let wanted = ListLabsRequest {
                    include_total_size: true,
                    ..ListLabsRequest::default()
                };
                listing.list_labs(wanted).await.map(drop)
            });
            reading.spawn(async move {
                let wanted = SearchLabsRequest {
                    query: "chaoxi".to_owned(),
                    ..SearchLabsRequest::default()
                };
                searching.search_labs(wanted).await.map(drop)
            });
            reading.spawn(async move {
                let wanted = ComputeStatisticsRequest {
                    collection: "labs".to_owned(),
                    ..ComputeStatisticsRequest::default()
                };
                counting.compute_statistics(wanted).await.map(drop)
            });
        }
        while let Some(read) = reading.join_next().await {
            read.unwrap().unwrap();
        }
    }
    drop(held);
}
