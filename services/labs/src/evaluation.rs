//! Evaluations of labs (评估): what counts, what it is worth, and the grade that follows.

use jiff::civil::Date;
use mingce_lifecycle::day;
use mingce_orm::{Error, Result, Violation};
use mingce_proto::labs::{
    Lab, LabDesignation, LabEvaluation, LabEvaluationGrade as Grade, LabMember, LabMembership, LabOutput,
};
use mingce_proto::registry::{LabDesignationTerms, TalentReference};

use crate::lab::kept_person;

/// What a call says of an evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub year: i32,
    pub start_date: String,
    pub end_date: String,
    pub outputs: Vec<LabOutput>,
    pub no_outputs: bool,
    pub qualitative_score: i32,
    pub document_number: String,
    pub again: bool,
}

/// The evaluation that follows from what a call says: by the weights of the policy, and only of what fixed members produced within
/// the window.
///
/// # Errors
/// Where the window is none, where outputs are missing, and where somebody produced them who is no member.
pub(crate) fn evaluate(given: &Given, lab: &Lab, terms: &LabDesignationTerms, today: Date) -> Result<LabEvaluation> {
    if given.end_date < given.start_date {
        let said = format!(
            "{} is before {}: the end comes after the beginning",
            given.end_date, given.start_date
        );
        return Err(Error::invalid("end_date", "PERIOD_REVERSED", said));
    }
    for (field, date) in [("start_date", &given.start_date), ("end_date", &given.end_date)] {
        day::given(field, date)?;
    }
    if given.outputs.is_empty() != given.no_outputs {
        let said = if given.no_outputs {
            "no_outputs says that there are none: leave one of the two out"
        } else {
            "give what the lab produced; where it produced nothing, say so with no_outputs"
        };
        return Err(Error::invalid("outputs", "OUTPUTS_MISSING", said));
    }
    let mut outputs = given.outputs.clone();
    let mut strangers = Vec::new();
    for (place, output) in outputs.iter_mut().enumerate() {
        day::given(&format!("outputs[{place}].date"), &output.date)?;
        let Some(producer) = output.producer.as_ref() else {
            continue;
        };
        if let Some(wrong) = kept_person(&format!("outputs[{place}].producer"), producer) {
            return Err(Error::invalid_all(vec![wrong]));
        }
        let in_window = (given.start_date.as_str()..=given.end_date.as_str()).contains(&output.date.as_str());
        output.counted = Some(in_window && is_fixed(lab, producer, &output.date));
        if memberships(lab, producer).next().is_none() {
            let field = format!("outputs[{place}].producer");
            let said = "no member of the lab, now or before: correct the output, or enter the member first";
            strangers.push(Violation::new(field, "PRODUCER_NOT_MEMBER", said));
        }
    }
    if !strangers.is_empty() {
        return Err(Error::invalid_all(strangers));
    }
    let mut evaluation = LabEvaluation {
        year: given.year,
        start_date: given.start_date.clone(),
        end_date: given.end_date.clone(),
        outputs,
        qualitative_score: given.qualitative_score,
        date: today.to_string(),
        document_number: given.document_number.clone(),
        again: given.again,
        ..LabEvaluation::default()
    };
    weigh(&mut evaluation, terms);
    Ok(evaluation)
}

/// Points, scores and grade by the weights of a policy. Scores are rounded half up.
fn weigh(evaluation: &mut LabEvaluation, terms: &LabDesignationTerms) {
    let worth = |output: &LabOutput| {
        let points = terms.output_points.iter().find(|points| points.kind == output.kind);
        points.map_or(0, |points| points.points)
    };
    evaluation.points = evaluation
        .outputs
        .iter()
        .filter(|output| output.counted())
        .map(worth)
        .sum();
    let full = i64::from(terms.full_points.max(1));
    let quantitative = (i64::from(evaluation.points) * 100 * 2 + full) / (full * 2);
    evaluation.quantitative_score = i32::try_from(quantitative.min(100)).unwrap_or(100);
    let part = terms.quantitative_percent;
    let hundredths = evaluation.quantitative_score * part + evaluation.qualitative_score * (100 - part);
    evaluation.score = (hundredths + 50) / 100;
    let grade = match evaluation.score {
        score if score >= terms.excellent_score => Grade::Excellent,
        score if score >= terms.good_score => Grade::Good,
        score if score >= terms.qualified_score => Grade::Qualified,
        _ => Grade::Unqualified,
    };
    evaluation.set_grade(grade);
}

/// What somebody was in a lab: by resource name or, where only a name is given, by that.
fn memberships<'a>(lab: &'a Lab, producer: &'a TalentReference) -> impl Iterator<Item = &'a LabMember> {
    lab.members.iter().filter(move |member| {
        member.person.as_ref().is_some_and(|person| {
            if producer.talent.is_empty() {
                !person.display_name.is_empty() && person.display_name == producer.display_name
            } else {
                person.talent == producer.talent
            }
        })
    })
}

/// Whether somebody was a fixed member of a lab on a day.
fn is_fixed(lab: &Lab, producer: &TalentReference, date: &str) -> bool {
    memberships(lab, producer).any(|member| {
        member.membership() == LabMembership::Fixed && day::is_within(date, &member.start_date, &member.end_date)
    })
}

/// From which day the next evaluation is counted: the last regular one, else the day since which the lab operates.
pub(crate) fn last_date(item: &LabDesignation) -> Result<Option<Date>> {
    let last = item
        .evaluations
        .iter()
        .rfind(|evaluation| !evaluation.again && !evaluation.annulled);
    let since = [&item.operating_date, &item.start_date, &item.decision_date];
    let text = last.map_or_else(
        || {
            since
                .into_iter()
                .find(|date| !date.is_empty())
                .map_or("", String::as_str)
        },
        |evaluation| evaluation.date.as_str(),
    );
    day::first_of(text)
}

/// What the evaluations of a designation came out as, and would come out as by other terms.
pub(crate) fn results(item: &LabDesignation, terms: &LabDesignationTerms) -> Vec<(String, String, String)> {
    item.evaluations
        .iter()
        .filter(|evaluation| !evaluation.annulled)
        .map(|evaluation| {
            let mut other = evaluation.clone();
            weigh(&mut other, terms);
            let said = |e: &LabEvaluation| {
                let grade = e.grade().as_str_name();
                let grade = grade.strip_prefix("LAB_EVALUATION_GRADE_").unwrap_or(grade);
                format!("{grade} ({})", e.score)
            };
            let what = if evaluation.again {
                "re-evaluation"
            } else {
                "evaluation"
            };
            (format!("{what} {}", evaluation.year), said(evaluation), said(&other))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mingce_proto::registry::{OutputKind, OutputPoints};

    fn person(name: &str) -> Option<TalentReference> {
        Some(TalentReference {
            display_name: name.to_owned(),
            ..TalentReference::default()
        })
    }

    fn lab() -> Lab {
        let member = |name: &str, membership: LabMembership, start: &str, end: &str| LabMember {
            person: person(name),
            membership: membership as i32,
            start_date: start.to_owned(),
            end_date: end.to_owned(),
        };
        Lab {
            members: vec![
                member("试固定", LabMembership::Fixed, "2022-01-01", "2023-06-30"),
                member("试流动", LabMembership::Visiting, "", ""),
            ],
            ..Lab::default()
        }
    }

    fn terms() -> LabDesignationTerms {
        let points = |kind: OutputKind, points| OutputPoints {
            kind: kind as i32,
            points,
        };
        LabDesignationTerms {
            quantitative_percent: 70,
            full_points: 10,
            output_points: vec![points(OutputKind::Paper, 1), points(OutputKind::Monograph, 5)],
            excellent_score: 85,
            good_score: 75,
            qualified_score: 60,
            ..LabDesignationTerms::default()
        }
    }

    fn output(kind: OutputKind, who: &str, date: &str) -> LabOutput {
        LabOutput {
            kind: kind as i32,
            title: "试".to_owned(),
            producer: person(who),
            date: date.to_owned(),
            counted: None,
        }
    }

    #[test]
    fn only_what_fixed_members_produced_within_the_window_counts() {
        let given = Given {
            year: 2023,
            start_date: "2022-07-01".to_owned(),
            end_date: "2023-12-31".to_owned(),
            outputs: vec![
                output(OutputKind::Monograph, "试固定", "2023-06-30"),
                output(OutputKind::Monograph, "试固定", "2023-07-01"),
                output(OutputKind::Monograph, "试固定", "2022-06-30"),
                output(OutputKind::Monograph, "试流动", "2023-01-01"),
                output(OutputKind::Paper, "试固定", "2022-07-01"),
                output(OutputKind::Standard, "试固定", "2022-08-01"),
            ],
            no_outputs: false,
            qualitative_score: 90,
            document_number: String::new(),
            again: false,
        };
        let today = "2024-03-01".parse().unwrap();
        let made = evaluate(&given, &lab(), &terms(), today).unwrap();
        let counted: Vec<bool> = made.outputs.iter().map(|o| o.counted()).collect();
        assert_eq!(counted, [true, false, false, false, true, true]);
        // Six points of ten are 60; 0.7 * 60 + 0.3 * 90 = 69.
        assert_eq!((made.points, made.quantitative_score, made.score), (6, 60, 69));
        assert_eq!(made.grade(), Grade::Qualified);
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_refused() {
        let given = Given {
            year: 2023,
            start_date: "2023-01-02".to_owned(),
            end_date: "2023-01-01".to_owned(),
            outputs: Vec::new(),
            no_outputs: true,
            qualitative_score: 0,
            document_number: String::new(),
            again: false,
        };
        let error = evaluate(&given, &lab(), &terms(), "2024-03-01".parse().unwrap()).unwrap_err();
        assert_eq!(error.reason(), "PERIOD_REVERSED");
    }

    #[test]
    fn what_is_missing_and_what_strangers_produced_is_refused() {
        let tried = |outputs: Vec<LabOutput>, no_outputs: bool| {
            let given = Given {
                year: 2023,
                start_date: "2022-07-01".to_owned(),
                end_date: "2023-12-31".to_owned(),
                outputs,
                no_outputs,
                qualitative_score: 90,
                document_number: String::new(),
                again: false,
            };
            evaluate(&given, &lab(), &terms(), "2024-03-01".parse().unwrap())
        };
        let paper = |who: &str| output(OutputKind::Paper, who, "2023-01-01");
        assert_eq!(tried(Vec::new(), false).unwrap_err().reason(), "OUTPUTS_MISSING");
        assert_eq!(
            tried(vec![paper("试固定")], true).unwrap_err().reason(),
            "OUTPUTS_MISSING"
        );
        assert_eq!(tried(Vec::new(), true).unwrap().points, 0);
        let strange = tried(vec![paper("试固定"), paper("试外人")], false).unwrap_err();
        let fields: Vec<_> = strange.violations().iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["outputs[1].producer"]);
    }
}
