//! The life cycles written down once more: a reference that the register is held against.

use std::collections::BTreeSet;

/// A kind of case, or objections, with how it is called.
#[derive(Debug)]
pub struct Kind {
    /// For messages of this test.
    pub name: &'static str,
    /// The service of its verbs.
    pub service: &'static str,
    /// What every value of the enum of its states begins with.
    pub prefix: &'static str,
    /// Reads one.
    pub get: &'static str,
    /// Reads its history.
    pub history: &'static str,
    /// Method, field of the resource, and a text of the resource: changes it.
    pub update: Option<(&'static str, &'static str, &'static str)>,
    /// Where it can be changed by an update.
    pub drafts: &'static str,
    /// Where it waits for its decision.
    pub undecided: &'static str,
    /// The verbs that lead it straight on.
    pub on: &'static str,
    /// A verb in each line: the verb, its method, from where, and where to.
    pub transitions: &'static str,
    /// What others do to it, which leaves its state: verbs of its history beside those above.
    pub notes: &'static [&'static str],
}

/// A verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub verb: &'static str,
    pub method: &'static str,
    pub from: BTreeSet<&'static str>,
    pub to: BTreeSet<&'static str>,
}

impl Kind {
    /// Its verbs.
    pub fn transitions(&self) -> Vec<Transition> {
        let edge = |line: &'static str| {
            let (head, to) = line.split_once('>').unwrap();
            let mut words = head.split_whitespace();
            let (verb, method) = (words.next().unwrap(), words.next().unwrap());
            Transition {
                verb,
                method,
                from: words.collect(),
                to: to.split_whitespace().collect(),
            }
        };
        let lines = self.transitions.lines().filter(|line| !line.trim().is_empty());
        lines.map(edge).collect()
    }

    /// The verbs that lead on from a state.
    pub fn from(&self, state: &str) -> BTreeSet<&'static str> {
        let edges = self.transitions().into_iter();
        edges
            .filter(|edge| edge.from.contains(state))
            .map(|edge| edge.verb)
            .collect()
    }

    /// Whether nothing leads on from a state, but to take back what led there, and to correct it.
    pub fn is_over(&self, state: &str) -> bool {
        let stays = |verb: &&str| verb.starts_with("annul_") || *verb == "correct";
        self.from(state).iter().all(stays)
    }

    /// Whether panels review it.
    pub fn is_reviewed(&self) -> bool {
        self.notes.contains(&"sum_up_reviews")
    }

    pub fn is_draft(&self, state: &str) -> bool {
        self.drafts.split_whitespace().any(|draft| draft == state)
    }

    pub fn is_undecided(&self, state: &str) -> bool {
        self.undecided.split_whitespace().any(|undecided| undecided == state)
    }
}

pub static LAB: Kind = Kind {
    name: "designation of a lab",
    service: "mingce.labs.v1.LabDesignationService",
    prefix: "LAB_DESIGNATION_STATE_",
    get: "mingce.labs.v1.LabService/GetLabDesignation",
    history: "mingce.labs.v1.LabService/ListRevisions",
    update: Some((
        "mingce.labs.v1.LabService/UpdateLabDesignation",
        "lab_designation",
        "issuer",
    )),
    drafts: "DRAFT RETURNED",
    undecided: "SUBMITTED IN_REVIEW ON_NOTICE",
    on: "submit accept publish_notice approve",
    transitions: "
        submit SubmitLabDesignation DRAFT RETURNED > SUBMITTED
        return ReturnLabDesignation SUBMITTED RETURNED ON_NOTICE > RETURNED
        refuse RefuseLabDesignation SUBMITTED RETURNED > REFUSED
        accept AcceptLabDesignation SUBMITTED > IN_REVIEW
        publish_notice PublishNoticeOfLabDesignation IN_REVIEW > ON_NOTICE
        renew_notice RenewNoticeOfLabDesignation ON_NOTICE > ON_NOTICE
        approve ApproveLabDesignation ON_NOTICE > BUILDING OPERATING
        reject RejectLabDesignation IN_REVIEW ON_NOTICE > REJECTED
        withdraw WithdrawLabDesignation DRAFT SUBMITTED RETURNED IN_REVIEW ON_NOTICE > WITHDRAWN
        accept_completion AcceptCompletionOfLabDesignation BUILDING > OPERATING
        accept_early_completion AcceptEarlyCompletionOfLabDesignation BUILDING > OPERATING
        extend_building ExtendBuildingOfLabDesignation BUILDING > BUILDING
        terminate TerminateLabDesignation BUILDING > TERMINATED
        submit_annual_report SubmitAnnualReportOfLabDesignation BUILDING OPERATING RECTIFYING > BUILDING OPERATING RECTIFYING
        evaluate EvaluateLabDesignation OPERATING > OPERATING RECTIFYING REVOKED
        reevaluate ReevaluateLabDesignation RECTIFYING > OPERATING REVOKED
        shorten_rectification ShortenRectificationOfLabDesignation RECTIFYING > RECTIFYING
        annul_evaluation AnnulEvaluationOfLabDesignation OPERATING RECTIFYING REVOKED > OPERATING RECTIFYING
        revoke RevokeLabDesignation OPERATING RECTIFYING > REVOKED
        merge MergeLabDesignation OPERATING RECTIFYING > MERGED
        correct CorrectLabDesignation BUILDING OPERATING RECTIFYING TERMINATED REVOKED MERGED > BUILDING OPERATING RECTIFYING TERMINATED REVOKED MERGED
    ",
    notes: &["object", "settle_objection", "sum_up_reviews"],
};

pub static TALENT: Kind = Kind {
    name: "designation of a person",
    service: "mingce.talent.v1.TalentDesignationService",
    prefix: "TALENT_DESIGNATION_STATE_",
    get: "mingce.talent.v1.TalentService/GetTalentDesignation",
    history: "mingce.talent.v1.TalentService/ListRevisions",
    update: Some((
        "mingce.talent.v1.TalentService/UpdateTalentDesignation",
        "talent_designation",
        "issuer",
    )),
    drafts: "DRAFT RETURNED",
    undecided: "SUBMITTED IN_REVIEW ON_NOTICE",
    on: "submit accept publish_notice approve",
    transitions: "
        submit SubmitTalentDesignation DRAFT RETURNED > SUBMITTED
        return ReturnTalentDesignation SUBMITTED RETURNED ON_NOTICE > RETURNED
        refuse RefuseTalentDesignation SUBMITTED RETURNED > REFUSED
        accept AcceptTalentDesignation SUBMITTED > IN_REVIEW
        publish_notice PublishNoticeOfTalentDesignation IN_REVIEW > ON_NOTICE
        renew_notice RenewNoticeOfTalentDesignation ON_NOTICE > ON_NOTICE
        approve ApproveTalentDesignation ON_NOTICE > IN_TERM
        reject RejectTalentDesignation IN_REVIEW ON_NOTICE > REJECTED
        withdraw WithdrawTalentDesignation DRAFT SUBMITTED RETURNED IN_REVIEW ON_NOTICE > WITHDRAWN
        assess_midterm AssessMidtermOfTalentDesignation IN_TERM > IN_TERM SUSPENDED
        resume ResumeTalentDesignation SUSPENDED > IN_TERM
        complete CompleteTalentDesignation IN_TERM > COMPLETED CANCELLED
        annul_midterm AnnulMidtermOfTalentDesignation IN_TERM SUSPENDED > IN_TERM
        annul_completion AnnulCompletionOfTalentDesignation COMPLETED CANCELLED > IN_TERM
        exit ExitTalentDesignation IN_TERM SUSPENDED > EXITED
        cancel CancelTalentDesignation IN_TERM SUSPENDED COMPLETED > CANCELLED
        correct CorrectTalentDesignation IN_TERM SUSPENDED COMPLETED CANCELLED EXITED > IN_TERM SUSPENDED COMPLETED CANCELLED EXITED
    ",
    notes: &["object", "settle_objection", "sum_up_reviews"],
};

pub static BODY: Kind = Kind {
    name: "nominating body",
    service: "mingce.talent.v1.NominatingBodyService",
    prefix: "NOMINATING_BODY_STATE_",
    get: "mingce.talent.v1.NominatingBodyService/GetNominatingBody",
    history: "mingce.talent.v1.TalentService/ListRevisions",
    update: None,
    drafts: "",
    undecided: "APPLIED ON_NOTICE",
    on: "publish_notice authorise",
    transitions: "
        publish_notice PublishNoticeOfNominatingBody APPLIED > ON_NOTICE
        renew_notice RenewNoticeOfNominatingBody ON_NOTICE > ON_NOTICE
        authorise AuthoriseNominatingBody ON_NOTICE > AUTHORISED
        refuse RefuseNominatingBody APPLIED ON_NOTICE > REFUSED
        grant_quota GrantQuotaToNominatingBody AUTHORISED SUSPENDED > AUTHORISED SUSPENDED
        suspend SuspendNominatingBody AUTHORISED > SUSPENDED
        resume ResumeNominatingBody SUSPENDED > AUTHORISED
        expire ExpireNominatingBody AUTHORISED SUSPENDED > EXPIRED
        revoke RevokeNominatingBody AUTHORISED SUSPENDED > REVOKED
        correct CorrectNominatingBody AUTHORISED SUSPENDED EXPIRED REVOKED > AUTHORISED SUSPENDED EXPIRED REVOKED
    ",
    // A quota lapses by itself, and a confirmation uses one up.
    notes: &["object", "settle_objection", "lapse_quota", "use_quota"],
};

pub static RECOMMENDATION: Kind = Kind {
    name: "recommendation",
    service: "mingce.talent.v1.RecommendationService",
    prefix: "RECOMMENDATION_STATE_",
    get: "mingce.talent.v1.RecommendationService/GetRecommendation",
    history: "mingce.talent.v1.TalentService/ListRevisions",
    update: Some((
        "mingce.talent.v1.RecommendationService/UpdateRecommendation",
        "recommendation",
        "statement",
    )),
    drafts: "DRAFT",
    undecided: "FILED ON_NOTICE",
    on: "recommend publish_notice confirm",
    transitions: "
        recommend FileRecommendation DRAFT > FILED
        publish_notice PublishNoticeOfRecommendation FILED > ON_NOTICE
        renew_notice RenewNoticeOfRecommendation ON_NOTICE > ON_NOTICE
        confirm ConfirmRecommendation ON_NOTICE > CONFIRMED
        refuse RefuseRecommendation FILED ON_NOTICE > REFUSED
        cancel CancelRecommendation CONFIRMED > CANCELLED
        withdraw WithdrawRecommendation DRAFT FILED ON_NOTICE > WITHDRAWN
        correct CorrectRecommendation CONFIRMED CANCELLED > CONFIRMED CANCELLED
    ",
    notes: &["object", "settle_objection"],
};

pub static AWARD: Kind = Kind {
    name: "award",
    service: "mingce.awards.v1.AwardNominationService",
    prefix: "AWARD_STATE_",
    get: "mingce.awards.v1.AwardService/GetAward",
    history: "mingce.awards.v1.AwardService/ListRevisions",
    update: Some(("mingce.awards.v1.AwardService/UpdateAward", "award", "motivation")),
    drafts: "DRAFT",
    undecided: "NOMINATED ACCEPTED IN_REVIEW SHORTLISTED",
    on: "nominate accept review shortlist approve confer",
    transitions: "
        nominate NominateAward DRAFT > NOMINATED
        refuse RefuseAward NOMINATED > REFUSED
        accept AcceptAward NOMINATED > ACCEPTED
        review ReviewAward ACCEPTED > IN_REVIEW
        shortlist ShortlistAward IN_REVIEW > SHORTLISTED
        renew_notice RenewNoticeOfAward ACCEPTED IN_REVIEW SHORTLISTED > ACCEPTED SHORTLISTED
        deselect DeselectAward IN_REVIEW SHORTLISTED > NOT_SELECTED
        approve ApproveAward SHORTLISTED > APPROVED
        confer ConferAward APPROVED > CONFERRED
        revoke RevokeAward CONFERRED > REVOKED
        withdraw WithdrawAward DRAFT NOMINATED ACCEPTED IN_REVIEW SHORTLISTED > WITHDRAWN
        correct CorrectAward APPROVED CONFERRED REVOKED > APPROVED CONFERRED REVOKED
    ",
    notes: &["object", "settle_objection", "sum_up_reviews"],
};

pub static OBJECTION: Kind = Kind {
    name: "objection",
    service: "mingce.registry.v1.CaseService",
    prefix: "OBJECTION_STATE_",
    get: "mingce.registry.v1.CaseService/GetObjection",
    history: "mingce.registry.v1.CaseService/ListCaseRevisions",
    update: None,
    drafts: "",
    undecided: "FILED IN_INVESTIGATION",
    on: "accept dismiss",
    transitions: "
        accept AcceptObjection FILED > IN_INVESTIGATION
        refuse RefuseObjection FILED > REFUSED
        uphold UpholdObjection IN_INVESTIGATION > UPHELD
        uphold_in_part UpholdObjectionInPart IN_INVESTIGATION > UPHELD_IN_PART
        dismiss DismissObjection IN_INVESTIGATION > DISMISSED
        withdraw WithdrawObjection FILED IN_INVESTIGATION > WITHDRAWN
    ",
    notes: &["file"],
};
