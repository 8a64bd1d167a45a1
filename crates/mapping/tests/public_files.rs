//! The mappings that ship, on the public files they are for. Says so where the files are absent.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use mingce_mapping::{Counts, Item, Mapping, Part, Refusal, Row, Source};
use mingce_proto::awards::{Award, Scheme};
use mingce_proto::labs::{Lab, Organization};
use mingce_proto::talent::Talent;

struct Read<M> {
    counts: Counts,
    rows: Vec<Row>,
    messages: Vec<M>,
    refusals: Vec<Refusal>,
}

fn open(mapping: &str, file: &str) -> Option<(Mapping, Source)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(file);
    if !path.is_file() {
        println!("skipped: {file} is not here; docs/import.md says where the public originals are");
        return None;
    }
    let mapping = Mapping::find(mapping).unwrap();
    let source = Source::open(&path, &mapping.options()).unwrap();
    mapping.check(&source).unwrap();
    Some((mapping, source))
}

fn read<M: prost::Message + Default>(mapping: &Mapping, part: &Part, source: &Source) -> Read<M> {
    let mut read = Read {
        counts: Counts::default(),
        rows: Vec::new(),
        messages: Vec::new(),
        refusals: Vec::new(),
    };
    read.counts = part
        .read(mapping, source, &mut |item| {
            match item {
                Item::Row(row) => {
                    read.messages.push(row.message.transcode_to().unwrap());
                    read.rows.push(row);
                }
                Item::Refused(all) => read.refusals.extend(all),
            }
            Ok(true)
        })
        .unwrap();
    assert_eq!(read.refusals, []);
    read
}

#[test]
fn the_key_laboratories_are_340_with_their_hosts_and_links() {
    let Some((mapping, source)) = open("ror-labs", "key-labs.csv") else {
        return;
    };
    let labs: Read<Lab> = read(&mapping, &mapping.parts()[0], &source);
    assert_eq!((labs.counts.source_rows, labs.counts.resources), (340, 340));
    assert_eq!(labs.rows[0].number, 2);
    let mut states = BTreeMap::new();
    let mut hosts = BTreeMap::new();
    for lab in &labs.messages {
        *states.entry(lab.state().as_str_name()).or_insert(0) += 1;
        *hosts.entry(lab.hosts.len()).or_insert(0) += 1;
        assert_eq!(lab.identifiers.len(), 1);
        assert!(!lab.display_name.is_empty());
    }
    let expected = [
        ("OPERATING_STATE_ACTIVE", 333),
        ("OPERATING_STATE_INACTIVE", 6),
        ("OPERATING_STATE_WITHDRAWN", 1),
    ];
    assert_eq!(states, BTreeMap::from(expected));
    assert_eq!(hosts, BTreeMap::from([(0, 19), (1, 301), (2, 16), (3, 4)]));
    let without_chinese = labs.messages.iter().filter(|l| l.display_name.is_ascii()).count();
    assert_eq!(without_chinese, 5);
    assert!(labs.messages.iter().all(|l| l.successor.is_none()));
    let links: Read<Lab> = read(&mapping, &mapping.parts()[1], &source);
    assert_eq!((links.counts.resources, links.counts.skipped["no successor"]), (1, 339));
    let successor = links.messages[0].successor.as_ref().unwrap();
    assert_eq!(
        successor.identifier.as_ref().unwrap().value,
        "https://ror.org/012wsxz85"
    );
    assert_eq!(links.rows[0].number, 275);
    let second = &labs.messages[1].hosts[1];
    let organization = second.organization.as_ref().unwrap();
    assert_eq!(organization.display_name, "Tongji University");
    assert_eq!(
        organization.identifier.as_ref().unwrap().value,
        "https://ror.org/03rc6as71"
    );
    let alias = labs.messages[2]
        .names
        .iter()
        .find(|n| n.text == "虚拟现实技术与系统国家重点实验室")
        .unwrap();
    assert_eq!(alias.kind().as_str_name(), "NAME_KIND_ALIAS");

    let part = &mapping.parts()[0];
    let locate = |path| part.locate(&mapping, &labs.rows[2], path);
    assert_eq!(
        locate("hosts[0].organization.identifier"),
        (4, "host_ror_ids".to_owned())
    );
    assert_eq!(
        locate("hosts[0].organization"),
        (4, "host_ror_ids, host_names".to_owned())
    );
    assert_eq!(locate("names[0].text"), (4, "name_en".to_owned()));
    assert_eq!(locate("names[2].text"), (4, "aliases".to_owned()));
    assert_eq!(locate("identifiers[0].value"), (4, "ror_id".to_owned()));
    assert_eq!(locate("display_name"), (4, "name_zh, name_en".to_owned()));
    assert_eq!(locate("members"), (4, String::new()));
    let mask = part.mask(&source).unwrap();
    assert!(mask.contains(&"hosts".to_owned()) && !mask.contains(&"members".to_owned()));
}

#[test]
fn the_host_organizations_are_211_and_all_have_a_kind() {
    let Some((mapping, source)) = open("ror-organizations", "host-organizations.csv") else {
        return;
    };
    let read: Read<Organization> = read(&mapping, &mapping.parts()[0], &source);
    assert_eq!((read.counts.source_rows, read.counts.resources), (211, 211));
    assert!(
        read.messages
            .iter()
            .all(|o| o.kind as i64 != 0 && o.country_code == "CN" && o.identifiers.len() == 1)
    );
    assert_eq!(read.messages.iter().filter(|o| o.display_name.is_ascii()).count(), 4);
    let acronyms = |o: &Organization| o.names.iter().filter(|n| n.kind as i64 == 4).count();
    assert!(read.messages.iter().any(|o| acronyms(o) == 3));
}

#[test]
fn the_nobel_prizes_come_out_as_they_are_counted() {
    let Some((mapping, source)) = open("nobel", "nobel-laureates.csv") else {
        return;
    };
    let [schemes, organizations, talents, awards] = mapping.parts() else {
        panic!("four parts")
    };
    let labels = mapping.parts().iter().map(|p| p.collection().label).collect::<Vec<_>>();
    assert_eq!(labels, ["schemes", "organizations", "talents", "awards"]);
    let schemes: Read<Scheme> = read(&mapping, schemes, &source);
    let organizations: Read<Organization> = read(&mapping, organizations, &source);
    let talents: Read<Talent> = read(&mapping, talents, &source);
    let of_awards = awards;
    let awards: Read<Award> = read(&mapping, awards, &source);

    assert_eq!(schemes.counts.resources, 6);
    assert_eq!(schemes.messages[0].code, "nobel-physics");
    assert_eq!(organizations.counts.resources, 23);
    assert_eq!(organizations.counts.joined, 3);
    assert_eq!(talents.counts.resources, 881);
    assert_eq!(awards.counts.resources, 579);
    for counts in [&schemes.counts, &organizations.counts, &talents.counts, &awards.counts] {
        assert_eq!(counts.source_rows, 975);
        assert_eq!(counts.skipped["no prize"], 6);
        let yielded = counts.resources + counts.joined + counts.skipped.values().sum::<u64>();
        assert_eq!(yielded, 975);
    }

    let mut pairs = BTreeMap::new();
    let mut prizes: BTreeMap<String, u32> = BTreeMap::new();
    let mut affiliations = BTreeSet::new();
    for award in &awards.messages {
        let category = award.number.split('-').nth(1).unwrap().to_owned();
        *pairs.entry(category).or_insert(0) += award.contributors.len();
        assert!(!award.title.contains("{") && award.year > 1900);
        let mut parts = 0.0;
        for contributor in &award.contributors {
            assert_ne!(
                contributor.talent.is_some(),
                contributor.laureate_organization.is_some(),
                "{}",
                award.number
            );
            let talent = contributor.talent.iter().flat_map(|t| &t.identifier);
            let organization = contributor.laureate_organization.iter().flat_map(|o| &o.identifier);
            let id = talent.chain(organization).next().unwrap();
            *prizes.entry(id.value.clone()).or_default() += 1;
            let share = contributor.share.as_ref().unwrap();
            parts += f64::from(share.numerator) / f64::from(share.denominator);
            for organization in &contributor.organizations {
                assert!(!organization.display_name.is_empty());
                affiliations.insert((organization.display_name.clone(), organization.city.clone()));
            }
            for text in [&award.motivation, &contributor.motivation] {
                assert!(!text.contains('&') || text.contains("R&D"), "{text}");
                assert!(!text.starts_with('"'), "{text}");
            }
            if award.number.ends_with("peace") == award.motivation.is_empty() {
                continue;
            }
            assert!(
                !award.motivation.is_empty() || !contributor.motivation.is_empty() || award.number.contains("peace")
            );
        }
        assert!((parts - 1.0).abs() < 0.01, "{} {parts}", award.number);
    }
    let expected = [
        ("chemistry", 175),
        ("economics", 78),
        ("literature", 113),
        ("medicine", 211),
        ("peace", 130),
        ("physics", 204),
    ];
    assert_eq!(pairs, BTreeMap::from(expected.map(|(c, n)| (c.to_owned(), n))));
    assert_eq!(pairs.values().sum::<usize>(), 911);
    assert_eq!(prizes.len(), 904);
    assert_eq!(prizes.values().filter(|&&n| n > 1).count(), 6);
    // 338 by name, city and country; a reference has no country, and four differ in it alone.
    assert_eq!(affiliations.len(), 334);

    let find = |number: &str| awards.messages.iter().position(|a| a.number == number).unwrap();
    let curie = &awards.messages[find("1903-physics")];
    let shares: Vec<_> = curie
        .contributors
        .iter()
        .map(|c| c.share.unwrap().denominator)
        .collect();
    assert_eq!(shares, [2, 4, 4]);
    assert!(curie.motivation.is_empty() && curie.contributors.iter().all(|c| !c.motivation.is_empty()));
    assert_eq!(
        curie.contributors[2].talent.as_ref().unwrap().display_name,
        "Marie Curie, née Sklodowska"
    );
    assert_eq!(curie.contributors[2].organizations.len(), 0);
    let roentgen = &awards.messages[find("1901-physics")];
    assert_eq!(roentgen.title, "Nobel Prize in Physics 1901");
    assert!(
        roentgen
            .motivation
            .starts_with("in recognition of the extraordinary services he has rendered")
    );
    assert!(roentgen.contributors[0].motivation.is_empty());
    let birth = |name: &str| {
        talents
            .messages
            .iter()
            .find(|t| t.display_name == name)
            .unwrap()
            .birth_date
            .as_str()
    };
    assert_eq!(birth("Albert John Lutuli"), "1898");
    assert_eq!(birth("Saul Perlmutter"), "");
    assert_eq!(birth("Wilhelm Conrad Röntgen"), "1845-03-27");
    assert!(talents.messages.iter().any(|t| t.display_name == "Satoshi Ōmura"));
    assert_eq!(
        talents.messages.iter().filter(|t| t.birth_date.len() < 10).count(),
        5 + 1
    );

    // The third contributor's row is another one than the award's first.
    let place = find("1903-physics");
    let (row, column) = of_awards.locate(&mapping, &awards.rows[place], "contributors[2].talent.identifier");
    assert_eq!((row, column.as_str()), (7, "id"));
    assert_eq!(awards.rows[place].number, 5);
}
