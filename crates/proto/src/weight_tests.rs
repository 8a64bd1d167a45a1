use proptest::prelude::*;
use prost::Message;
use prost_reflect::{Kind, MessageDescriptor};

use super::*;
use crate::labs::{BatchMoveLabDesignationsRequest, EvaluateLabDesignationRequest, Lab, LabDesignationMove, LabMember};
use crate::names::POOL;
use crate::registry::TalentReference;
use crate::shapes::is_measured;

const BATCH: &str = "mingce.labs.v1.BatchMoveLabDesignationsRequest";
const UPDATE: &str = "mingce.labs.v1.UpdateLabRequest";

/// `count` elements of a field of number `field`, each with `inner`.
fn elements(field: u8, count: usize, inner: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        prost::encoding::encode_varint(u64::from(field) << 3 | 2, &mut bytes);
        prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(inner);
    }
    bytes
}

#[test]
fn more_elements_than_the_contract_allows_are_refused_with_the_path_of_their_field() {
    let refused = weigh(BATCH, &elements(1, 2_000_000, &[])).unwrap_err();
    let most = 1000;
    let field = "moves".to_owned();
    assert_eq!(refused, Refused::TooMany { field, most });
    let outputs = elements(13, 2001, &[]);
    let evaluate = elements(13, 1, &outputs);
    let refused = weigh(BATCH, &[elements(1, 2, &[]), elements(1, 1, &evaluate)].concat()).unwrap_err();
    let field = "moves[2].evaluate.outputs".to_owned();
    assert!(
        matches!(&refused, Refused::TooMany { field: path, most: 2000 } | Refused::TooComplex { field: path, .. } if *path == field),
        "{refused:?}"
    );
}

#[test]
fn empty_elements_are_refused_before_they_are_decoded_also_behind_a_group_and_within_another_field() {
    let members = elements(20, 1999, &[]);
    for lab in [
        members.clone(),
        [&[0x0b, 0x0b, 0x08, 1, 0x0c, 0x0c][..], &members].concat(),
    ] {
        let refused = weigh(UPDATE, &elements(1, 2, &lab)).unwrap_err();
        assert!(
            matches!(&refused, Refused::TooComplex { field, .. } if field == "lab.members"),
            "{refused:?}"
        );
    }
}

#[test]
fn a_message_that_says_it_goes_on_beyond_what_is_around_it_is_malformed() {
    // Its lab has two bytes, the first of which begins an element of many more.
    let mut bytes = vec![0x0a, 3, 0xa2, 0x01, 0x7f];
    bytes.extend(elements(20, 4000, &[]));
    assert!(matches!(weigh(UPDATE, &bytes), Err(Refused::Malformed(_))));
}

#[test]
fn what_people_send_is_let_through() {
    let person = |name: &str| TalentReference {
        display_name: name.to_owned(),
        ..Default::default()
    };
    let member = LabMember {
        person: Some(person("王伟")),
        ..LabMember::default()
    };
    for count in [1, 2, 5, 17, 65, 129, 257, 513, 1025, 2000] {
        let lab = Lab {
            members: vec![member.clone(); count],
            ..Lab::default()
        };
        let request = crate::labs::UpdateLabRequest {
            lab: Some(lab),
            ..Default::default()
        };
        weigh(UPDATE, &request.encode_to_vec()).unwrap();
    }
    let evaluate = EvaluateLabDesignationRequest {
        name: "x".repeat(70),
        reason: "年度评估".to_owned(),
        ..Default::default()
    };
    let request = BatchMoveLabDesignationsRequest {
        moves: vec![evaluate.into(); 1000],
        atomic: true,
    };
    weigh(BATCH, &request.encode_to_vec()).unwrap();
}

#[test]
fn a_text_with_nul_is_found_by_its_path_and_a_number_that_is_nought_is_none() {
    let person = |name: &str| LabMember {
        person: Some(TalentReference {
            display_name: name.to_owned(),
            ..Default::default()
        }),
        ..LabMember::default()
    };
    let lab = |names: [&str; 3]| Lab {
        members: names.map(person).to_vec(),
        revision: 256,
        ..Lab::default()
    };
    let found = |lab: Lab| crate::texts::with_nul("mingce.labs.v1.Lab", &lab.encode_to_vec());
    let path = "members[2].person.display_name".to_owned();
    assert_eq!(found(lab(["甲", "乙", "a\0b"])), Some(path));
    let mut committee = lab(["甲", "乙", "丙"]);
    committee.academic_committee = vec!["x".to_owned(), "\0".to_owned()];
    assert_eq!(found(committee), Some("academic_committee[1]".to_owned()));
    let mut plain = lab(["甲", "乙", "丙"]);
    plain.create_time = Some(prost_types::Timestamp {
        seconds: 1 << 35,
        nanos: 0,
    });
    let zero = [plain.encode_to_vec(), vec![0x38, 0]].concat();
    assert_eq!(crate::texts::with_nul("mingce.labs.v1.Lab", &zero), None);
}

/// What weighing costs beside decoding: `cargo test -p mingce-proto --release what_weighing -- --nocapture`.
#[test]
#[allow(clippy::print_stdout)]
fn what_weighing_costs_is_printed_and_a_get_is_not_looked_into() {
    use crate::talent::{CreateTalentRequest, Employment, Talent};
    let shapes = &*SHAPES;
    let light = |name: &str| shapes.all[shapes.places[name]].light;
    assert!(light("mingce.labs.v1.GetLabRequest") > 256 << 10);
    assert!(light("mingce.talent.v1.ListTalentsRequest") > 256 << 10);

    let name = |text: &str| crate::registry::Name {
        text: text.to_owned(),
        ..Default::default()
    };
    let organization = crate::registry::OrganizationReference {
        organization: "organizations/01jd2k3m4n5p6q7r8s9t0v1w2x".to_owned(),
        ..Default::default()
    };
    let employment = Employment {
        organization: Some(organization),
        position: "教授".to_owned(),
        ..Default::default()
    };
    let talent = Talent {
        display_name: "陈玉涛".to_owned(),
        names: vec![name("陈玉涛"), name("Chen Yutao")],
        employments: vec![employment; 2],
        disciplines: vec!["海洋".to_owned()],
        ..Talent::default()
    };
    let request = CreateTalentRequest {
        talent: Some(talent),
        request_id: "0192f3a4-5b6c-7d8e-9f01-23456789abcd".to_owned(),
        ..Default::default()
    };
    let bytes = request.encode_to_vec();
    const TIMES: u32 = 20_000;
    let each = |work: &dyn Fn()| {
        let begun = std::time::Instant::now();
        (0..TIMES).for_each(|_| work());
        begun.elapsed() / TIMES
    };
    let weighed = each(&|| {
        std::hint::black_box(weigh("mingce.talent.v1.CreateTalentRequest", &bytes)).unwrap();
    });
    let decoded = each(&|| {
        std::hint::black_box(CreateTalentRequest::decode(bytes.as_slice())).unwrap();
    });
    let budget = crate::budget::Budget::new(1 << 20);
    let held = each(&|| {
        let held = std::hint::black_box(budget.hold());
        held.take(100).unwrap();
    });
    println!("what a call holds is made and counted in {held:?}");
    println!(
        "a create of {} bytes: weighed in {weighed:?}, decoded in {decoded:?}",
        bytes.len()
    );
}

#[test]
fn a_move_is_no_larger_than_a_pointer_and_a_tag() {
    assert!(size_of::<LabDesignationMove>() <= 16);
    assert!(size_of::<crate::talent::TalentDesignationMove>() <= 16);
}

#[test]
fn no_message_of_the_contract_holds_itself_so_that_none_but_choices_lie_apart() {
    fn reaches(from: &MessageDescriptor, to: &MessageDescriptor, seen: &mut Vec<String>) -> bool {
        from.fields().any(|field| match field.kind() {
            Kind::Message(of) if of == *to => true,
            Kind::Message(of) if !seen.iter().any(|name| name == of.full_name()) => {
                seen.push(of.full_name().to_owned());
                reaches(&of, to, seen)
            }
            _ => false,
        })
    }
    for message in POOL.all_messages().filter(|m| m.full_name().starts_with("mingce.")) {
        assert!(!reaches(&message, &message, &mut Vec::new()), "{}", message.full_name());
        let known = is_measured(message.full_name());
        assert!(known, "{}", message.full_name());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_weighed_in_one_pass_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let shapes = &*SHAPES;
        let root = shapes.places[UPDATE];
        let weight = Scale::new(&shapes.all, root, &bytes).weigh();
        if matches!(weight, Err(Refused::Malformed(_))) {
            prop_assert!(crate::labs::UpdateLabRequest::decode(bytes.as_slice()).is_err());
        }
    }

    #[test]
    fn what_is_weighed_is_what_the_lists_and_texts_of_the_message_take(names in prop::collection::vec(".{0,30}", 0..40), members in 0_usize..200) {
        let member = LabMember { person: Some(TalentReference { display_name: "陈玉涛".to_owned(), ..Default::default() }), ..Default::default() };
        let lab = Lab { academic_committee: names.clone(), members: vec![member; members], ..Lab::default() };
        let bytes = lab.encode_to_vec();
        let shapes = &*SHAPES;
        let weight = Scale::new(&shapes.all, shapes.places["mingce.labs.v1.Lab"], &bytes).weigh();
        let read = Lab::decode(bytes.as_slice()).unwrap();
        let texts: usize = names.iter().map(|name| name.len()).sum::<usize>() + members * 9;
        // All rooms that a list has had: 4, 8, 16 and so on.
        let rooms = |capacity: usize| if capacity == 0 { 0 } else { 2 * capacity - 4 };
        let lists = rooms(read.members.capacity()) * size_of::<LabMember>() + rooms(read.academic_committee.capacity()) * TEXT;
        let real = size_of::<Lab>() + texts + lists;
        let weight = weight.unwrap();
        prop_assert!(weight >= real && weight <= real + PIECE * (names.len() + members), "{} {}", weight, real);
    }
}
