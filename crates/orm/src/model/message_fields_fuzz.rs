//! Encoded messages with some bytes changed: they are cut where their fields end, or refused, and no byte is lost.

use mingce_e2e::fuzz::fuzz;
use mingce_proto::labs::{Lab, LabHost, LabMember};
use mingce_proto::registry::{Identifier, Name, OrganizationReference, TalentReference};
use mingce_proto::texts::rewrite;
use mingce_proto::weight::{Refused, weigh};
use prost::Message;
use prost_types::Timestamp;

use super::*;
use crate::error::Class;

const LAB: &str = "mingce.labs.v1.Lab";

/// Keys without what they announce, lengths beyond all bytes, numbers that do not end, groups.
const WORDS: &[&[u8]] = &[
    b"\x00",
    b"\x0a\x00",
    b"\x08\x01",
    b"\x0b",
    b"\x0c",
    b"\x0d",
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
];

fn seeds() -> Vec<Vec<u8>> {
    let text = |text: &str| text.to_owned();
    let member = LabMember {
        person: Some(TalentReference {
            display_name: text("张示一"),
            ..TalentReference::default()
        }),
        membership: 1,
        start_date: text("2019-03"),
        ..LabMember::default()
    };
    let host = LabHost {
        organization: Some(OrganizationReference {
            organization: text("organizations/01jd2k3m4n5p6q7r8s9t0v1w2x"),
            ..OrganizationReference::default()
        }),
        rank: 1,
        lead: true,
    };
    let name = Name {
        text: text("Ocean Laboratory"),
        language: text("en"),
        kind: 3,
        ..Name::default()
    };
    let identifier = Identifier {
        scheme: text("sample-lab"),
        value: text("SN-L001"),
    };
    let lab = Lab {
        name: text("labs/01jd2k3m4n5p6q7r8s9t0v1w2x"),
        etag: text("\"r3\""),
        revision: 3,
        create_time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 5,
        }),
        display_name: text("海洋实验室"),
        names: vec![name.clone()],
        identifiers: vec![identifier.clone()],
        kind: 1,
        hosts: vec![host],
        members: vec![member; 3],
        academic_committee: vec![text("李示二"), text("王示三")],
        area_square_metres: -1,
        established_year: 1924,
        sequence: 12_345_678_901,
        ..Lab::default()
    };
    vec![lab.encode_to_vec(), name.encode_to_vec(), identifier.encode_to_vec()]
}

fn odd(number: u32) -> bool {
    number % 2 == 1
}

fn even(number: u32) -> bool {
    number.is_multiple_of(2)
}

#[test]
fn a_message_with_any_bytes_changed_is_cut_where_its_fields_end_or_refused() {
    let seeds = seeds();
    let told = fuzz(5_000, &seeds, WORDS, |_, bytes| {
        as_prost_reads_it(bytes);
        let Ok(numbers) = present_fields(bytes) else {
            refused_by_all(bytes);
            return false;
        };
        let (kept, left) = (retain(bytes, odd).unwrap(), retain(bytes, even).unwrap());
        assert_eq!(retain(bytes, |_| true).unwrap(), bytes);
        assert_eq!(kept.len() + left.len(), bytes.len());
        let odd_numbers: Vec<u32> = numbers.iter().copied().filter(|number| odd(*number)).collect();
        assert_eq!(present_fields(&kept).unwrap(), odd_numbers);
        assert_eq!(retain_if_changed(bytes, |_| true).unwrap(), None);
        assert_eq!(
            retain_if_changed(bytes, odd).unwrap(),
            (!left.is_empty()).then(|| kept.clone())
        );

        let (head, tail) = split_leading(bytes, odd).unwrap();
        assert_eq!([head, tail].concat(), bytes);
        assert!(present_fields(head).unwrap().into_iter().all(odd));
        assert!(split(tail).next().is_none_or(|field| even(field.unwrap().0)));

        for number in numbers.iter().copied().take(8) {
            let of_it = retain(bytes, |other| other == number).unwrap();
            assert_eq!(parts(bytes, number).unwrap().concat(), of_it);
            let without_it = without(Bytes::copy_from_slice(bytes), &[number]).unwrap();
            assert_eq!(without_it, retain(bytes, |other| other != number).unwrap());
        }

        assert_eq!(changed(bytes, bytes).unwrap(), Vec::<u32>::new());
        for new in &seeds {
            let merged = replace(bytes, new, odd).unwrap();
            assert_eq!(retain(&merged, odd).unwrap(), retain(new, odd).unwrap());
            assert_eq!(retain(&merged, even).unwrap(), left);
            assert!(changed(bytes, &merged).unwrap().into_iter().all(odd));
        }
        true
    });
    told.expect_both();
}

/// All that look at every field refuse what is broken, as our own fault: what is stored was written by us. The others may not have come
/// to where it is.
fn refused_by_all(bytes: &[u8]) {
    let refusals = [
        retain(bytes, odd).map(drop),
        retain_if_changed(bytes, odd).map(drop),
        replace(bytes, &[], odd).map(drop),
        replace(&[], bytes, odd).map(drop),
        changed(bytes, &[]).map(drop),
        parts(bytes, 1).map(drop),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().class(), Class::Internal);
    }
    let (head, tail) = split_leading(bytes, odd).unwrap_or((bytes, &[]));
    assert_eq!([head, tail].concat(), bytes);
    let _ = (name(bytes), id(bytes), without(Bytes::copy_from_slice(bytes), &[1, 10]));
}

/// What is read field by field, or weighed before it is decoded, is what prost decodes.
fn as_prost_reads_it(bytes: &[u8]) {
    let weighed = weigh(LAB, bytes);
    let Ok(lab) = Lab::decode(bytes) else { return };
    assert!(!matches!(weighed, Err(Refused::Malformed(_))), "{weighed:?}");
    if let (Ok(found), Ok(all)) = (name(bytes), parts(bytes, 1))
        && all.len() == 1
    {
        assert_eq!(found, lab.name.as_bytes());
        assert_eq!(id(bytes), lab.name.as_bytes().rsplit(|byte| *byte == b'/').next());
    }
    // Prost passes over groups, which it never writes itself.
    if present_fields(bytes).is_ok() {
        let rest = without(Bytes::copy_from_slice(bytes), &[10]).unwrap();
        let nameless = Lab {
            display_name: String::new(),
            ..lab.clone()
        };
        assert_eq!(Lab::decode(rest).unwrap(), nameless);
    }
    let written = lab.encode_to_vec();
    assert_eq!(retain(&written, |_| true).unwrap(), written);
    let shortened = rewrite(LAB, &written, |_| false, &mut |_, _, text| {
        (!text.is_empty()).then(|| "x".to_owned())
    });
    let shortened = shortened.unwrap_or(written);
    let shortened = Lab::decode(shortened.as_slice()).unwrap();
    let expected = if lab.display_name.is_empty() { "" } else { "x" };
    assert_eq!(shortened.display_name, expected);
    assert_eq!(shortened.members.len(), lab.members.len());
    assert_eq!(shortened.create_time, lab.create_time);
}
