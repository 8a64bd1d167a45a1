use super::*;

const TALENT: &str = "mingce.talent.v1.Talent";
const PUBLIC: Classes = Classes::of(&[FieldClass::Public]);
const OFFICE: Classes = PUBLIC.with(FieldClass::Internal);
const PERSONS: Classes = OFFICE.with(FieldClass::Personal);
const OWN: &[Column] = &[
    Column::text("display_name"),
    Column::text("names")
        .from_fields(&["display_name", "names.text"])
        .search_only(),
    Column::integer("birth_year").groupable(),
    Column::text("title").groupable(),
    Column::resource("employers", "organizations/{id}")
        .from_fields(&["employments.organization.organization"])
        .multi_valued(),
    Column::integer("employment_count").from_fields(&["employments"]),
];

fn kind(own: &[Column]) -> Kind {
    let own: Vec<Column> = own.iter().map(|column| classified(*column, TALENT)).collect();
    Kind {
        collection: "talents",
        segment: "talents",
        parent: None,
        table: "talents",
        singular: "talent",
        filterable: filterable(&own, TALENT),
        columns: own,
        sealed: true,
        by_name: false,
        message: TALENT,
        fields: Vec::new(),
        private: Vec::new(),
        full_only: Vec::new(),
        output_only: Vec::new(),
    }
}

fn names(kind: &Kind, visible: Classes) -> Vec<&'static str> {
    kind.columns_for(visible).iter().map(|column| column.name).collect()
}

#[test]
fn a_caller_has_the_columns_whose_values_the_caller_sees() {
    let kind = kind(OWN);
    assert_eq!(
        names(&kind, PUBLIC),
        ["display_name", "names", "record_status", "survivor"]
    );
    let office = [
        "display_name",
        "names",
        "title",
        "record_status",
        "create_time",
        "update_time",
        "sequence",
        "survivor",
    ];
    assert_eq!(names(&kind, OFFICE), office);
    assert_eq!(names(&kind, PERSONS), names(&kind, Classes::ALL));
    assert_eq!(names(&kind, Classes::ALL).len(), OWN.len() + 5);
    assert_eq!(names(&kind, Classes::NONE), [""; 0]);
    assert_eq!(kind.unclassified_columns(), [""; 0]);
}

#[test]
fn periods_are_for_those_who_see_the_days() {
    let own = [Column::date("decision_date").by_calendar()];
    let message = "mingce.talent.v1.TalentDesignation";
    let own = own.map(|column| classified(column, message));
    let periods = filterable(&own, message)
        .into_iter()
        .filter(|column| column.needed == PUBLIC);
    let periods: Vec<_> = periods.map(|column| column.name).collect();
    assert_eq!(
        periods,
        [
            "decision_date",
            "year",
            "half_year",
            "quarter",
            "month",
            "record_status",
            "survivor"
        ]
    );
    let own = own.map(|column| Column {
        needed: OFFICE,
        ..column
    });
    let hidden = filterable(&own, message)
        .into_iter()
        .filter(|column| column.needed == OFFICE);
    assert_eq!(hidden.count(), 5, "the day and its periods");
}

#[test]
fn a_column_of_which_the_contract_says_nothing_is_for_those_who_see_everything() {
    for unknown in [
        Column::text("colour"),
        // A message says more than one thing.
        Column::text("employments"),
        Column::text("display_name").from_fields(&["display_name", "colour"]),
        Column::text("document").from_fields(&["identity_document"]),
    ] {
        let kind = kind(&[unknown]);
        assert_eq!(kind.unclassified_columns(), [unknown.name]);
        assert!(!names(&kind, PERSONS).contains(&unknown.name));
        assert!(names(&kind, Classes::ALL).contains(&unknown.name));
    }
}

#[test]
fn a_default_order_has_no_hidden_column() {
    let kind = kind(OWN);
    let shown = |order, visible| shown_order(order, &kind.columns_for(visible));
    assert_eq!(shown("birth_year desc, display_name", OFFICE), "display_name");
    assert_eq!(
        shown("birth_year desc, display_name", PERSONS),
        "birth_year desc, display_name"
    );
    assert_eq!(shown("create_time desc", PUBLIC), "");
    // That of a caller who sees everything is the one that is declared.
    for order in ["display_name", "birth_year desc, title", "create_time"] {
        assert_eq!(shown(order, Classes::ALL), order);
    }
}
