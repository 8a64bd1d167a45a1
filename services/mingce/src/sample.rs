//! The invented sample register: the files of the folder `sample`, loaded through the import that users have.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use mingce_mapping::{Mapping, Source};

use crate::import::{self, How, Servers, Stop, Summary, Tally};

/// A file of the sample and the mapping that reads it, both as text.
struct File {
    collection: &'static str,
    rows: &'static str,
    mapping: &'static str,
}

macro_rules! files {
    ($($collection:literal),* $(,)?) => {
        [$(File {
            collection: $collection,
            rows: include_str!(concat!("../../../sample/", $collection, ".csv")),
            mapping: include_str!(concat!("../../../sample/", $collection, ".toml")),
        }),*]
    };
}

/// In the order in which they refer to each other.
const FILES: [File; 8] = files![
    "organizations",
    "labs",
    "labDesignations",
    "programmes",
    "talents",
    "talentDesignations",
    "schemes",
    "awards",
];

/// Loads the sample into the register at `server`, and says on stdout what became of it. Records that are there already stay
/// as they are, or become again what the sample says.
///
/// # Errors
/// Where the server fails, or refuses a row.
pub async fn load(server: &str) -> Result<()> {
    let servers = Servers {
        server: server.to_owned(),
        labs_url: None,
        talent_url: None,
        awards_url: None,
    };
    let mut loaded = Vec::new();
    let (mut created, mut updated, mut unchanged) = (0, 0, 0);
    for file in &FILES {
        let collection = file.collection;
        let tally = load_file(file, &servers)
            .await
            .with_context(|| format!("the sample was not loaded: {collection}.csv"))?;
        let records = tally.created + tally.updated + tally.unchanged;
        loaded.push(format!("{records} {collection}"));
        created += tally.created;
        updated += tally.updated;
        unchanged += tally.unchanged;
    }
    let loaded = loaded.join(", ");
    let became = format!("{created} created, {updated} updated, {unchanged} unchanged");
    crate::say(&format!("sample loaded: {loaded} ({became})"));
    Ok(())
}

async fn load_file(file: &File, servers: &Servers) -> Result<Tally> {
    let mapping = Mapping::parse(file.collection, file.mapping)?;
    // The ledger gives this name as the reason of what is written.
    let name = format!("示例 {}.csv", file.collection);
    let source = Source::from_bytes(&name, file.rows.as_bytes().to_vec(), &mapping.options())?;
    mapping.check(&source)?;
    let (mapping, source) = (Arc::new(mapping), Arc::new(source));
    let mut summary = Summary::default();
    import::load(
        &mapping,
        &source,
        servers,
        &How::default(),
        &Stop::never(),
        &mut summary,
    )
    .await?;
    if let Some(refusal) = summary.refusals.first() {
        let (row, reason, said) = (refusal.row, &refusal.reason, &refusal.description);
        bail!("row {row}: {reason}: {said}");
    }
    summary.tallies.pop().context("the mapping has no part")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The register's own checks come with the import; these hold what marks the sample as invented.
    #[test]
    fn every_row_is_read_and_marked_as_invented() {
        for File {
            collection,
            rows,
            mapping,
        } in &FILES
        {
            let mark = match *collection {
                "organizations" | "labs" => "示例",
                "labDesignations" | "talentDesignations" | "awards" => "虚构",
                "talents" => "SN-P",
                _ => "",
            };
            for line in rows.lines().skip(1) {
                assert!(line.contains(mark), "{collection}: {line}");
            }
            let mapping = Mapping::parse(collection, mapping).unwrap();
            let source = Source::from_bytes(collection, rows.as_bytes().to_vec(), &mapping.options()).unwrap();
            mapping.check(&source).unwrap();
            for part in mapping.parts() {
                let counts = part.read(&mapping, &source, &mut |_| Ok(true)).unwrap();
                assert_eq!(
                    (counts.resources, counts.refused),
                    (rows.lines().count() as u64 - 1, 0),
                    "{collection}"
                );
            }
        }
    }
}
