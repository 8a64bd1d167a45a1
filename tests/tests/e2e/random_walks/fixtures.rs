//! Fixtures of walks: organizations, labs, persons, programmes and schemes, policies with small numbers, rounds with
//! caps that block. All are invented.

use jiff::{Span, ToSpan};
use serde_json::{Value, json};

use super::life_cycles::{AWARD, BODY, Kind, LAB, RECOMMENDATION, TALENT};
use super::merges::{KnownRecord, LABORATORY, ORGANIZATION, PERSON, RecordType};
use super::walk::{Beginning, CaseRef, Walk};

const LEVEL: &str = "LEVEL_DISTRICT";
const CASES: &str = "mingce.registry.v1.CaseService";

/// The paths of all terms: one source stands for each.
const TERMS: [&str; 30] = [
    "acceptance_notice",
    "authorisation_months",
    "award_conditions",
    "bar_years",
    "building_months",
    "evaluation_months",
    "excellent_score",
    "expires_by_itself",
    "failed_years",
    "full_points",
    "good_score",
    "grades",
    "max_age",
    "max_extension_months",
    "max_extensions",
    "max_failures",
    "max_hosts",
    "midterm_months",
    "min_area_square_metres",
    "min_equipment_value_fen",
    "min_fixed_members",
    "notice",
    "output_points",
    "project_cap",
    "qualified_score",
    "quantitative_percent",
    "rectification_months",
    "review",
    "term_months",
    "yearly_quota",
];

impl Walk<'_> {
    fn day(&self, span: Span) -> String {
        self.today().checked_add(span).unwrap().to_string()
    }

    pub async fn made(&self, rpc: &str, request: Value) -> String {
        let made = self.wire.done(rpc, request).await;
        made["name"].as_str().unwrap().to_owned()
    }

    async fn organization(&mut self, name: &str) -> String {
        self.known(&ORGANIZATION, json!({"display_name": name})).await
    }

    async fn person(&mut self, name: &str, birth_date: &str) -> String {
        self.known(&PERSON, json!({"display_name": name, "birth_date": birth_date}))
            .await
    }

    async fn lab(&mut self, lab: Value) -> String {
        self.known(&LABORATORY, lab).await
    }

    /// Makes a record of what the world goes about.
    async fn known(&mut self, sort: &'static RecordType, body: Value) -> String {
        let name = self.made(sort.create, json!({sort.field: body})).await;
        self.world.known.push(KnownRecord {
            sort,
            body,
            name: name.clone(),
        });
        name
    }

    async fn programme(&self, name: &str, family: &str) -> String {
        let code = format!("walk-{}-{name}", self.seed);
        let programme = json!({
            "display_name": format!("试行计划{name}"), "code": code, "level": LEVEL, "family": family,
            "kind": "PROGRAMME_KIND_LEADING_TALENT",
        });
        let rpc = "mingce.talent.v1.TalentService/CreateProgramme";
        self.made(rpc, json!({"programme": programme})).await
    }

    /// Loads a policy for one programme.
    async fn policy(&self, kind: &str, programme: &str, terms: Value) -> String {
        let own = TERMS.into_iter().filter(|term| terms.get(*term).is_some());
        let sources: Vec<Value> = own.map(|term| json!({"term": term, "source": "assumed"})).collect();
        let policy = json!({
            "display_name": "试行政策", "kind": format!("CASE_KIND_{}", kind.to_uppercase()), "programme": programme,
            "version": "1", "start_date": "2020-01-01", "sources": sources, kind: terms,
        });
        self.made(&format!("{CASES}/CreatePolicy"), json!({"policy": policy}))
            .await
    }

    /// Opens a round, which begins some days before or after this one.
    async fn round(&mut self, kind: &str, programme: &str, policy: &str, caps: Value) -> String {
        let start = self.rng.one(&[-3, -1, 0, 2]).days();
        let round = json!({
            "display_name": "试行批次", "kind": format!("CASE_KIND_{}", kind.to_uppercase()), "programme": programme,
            "level": LEVEL, "policy": policy, "year": self.today().year(), "start_date": self.day(start),
            "end_date": self.day(45.days()), "caps": caps,
        });
        let made = self
            .made(&format!("{CASES}/CreateRound"), json!({"round": round}))
            .await;
        self.world.rounds.push(made.clone());
        made
    }

    fn begins(&mut self, kind: &'static Kind, rpc: &'static str, request: Value) {
        self.world.beginnings.push(Beginning {
            kind,
            rpc,
            request,
            now: None,
        });
    }

    /// Three labs for two places: one of them does not meet the conditions, and one loses its member in a month.
    pub async fn labs(&mut self) {
        let programme = format!("试行重点实验室{}", self.seed);
        let host = self.organization("试行大学").await;
        let other = self.organization("试行医院").await;
        let hosts = json!([{"organization": {"organization": host}}]);
        let member = |end: &str| json!({"person": {"display_name": "试固定"}, "membership": "LAB_MEMBERSHIP_FIXED", "end_date": end});
        let lab = |name: &str, hosts: &Value, end: &str, area: i32| {
            json!({
                "display_name": format!("试行{name}实验室"), "platform": "LAB_PLATFORM_KEY_LABORATORY", "hosts": hosts,
                "members": [member(end)], "area_square_metres": area, "equipment_value_fen": 100 * area,
            })
        };
        let good = self.lab(lab("甲", &hosts, "", 100)).await;
        let leaving = self.lab(lab("乙", &hosts, &self.day(20.days()), 100)).await;
        let both = json!([{"organization": {"organization": host}}, {"organization": {"organization": other}}]);
        let small = self.lab(lab("丙", &both, "", 10)).await;
        self.world.names.successor = self.lab(lab("丁", &hosts, "", 100)).await;
        self.world.reviewer = self.person("试评审", "").await;
        let terms = json!({
            "notice": {"working_days": 2, "objection_days": 5}, "review": review(), "max_hosts": 1, "min_fixed_members": 1,
            "min_area_square_metres": 50, "min_equipment_value_fen": 5000, "building_months": self.rng.one(&[2, 2, 0]),
            "max_extensions": self.rng.below(2), "max_extension_months": 2, "evaluation_months": 3, "quantitative_percent": 50,
            "full_points": 2, "output_points": [{"kind": "OUTPUT_KIND_PAPER", "points": 1}], "excellent_score": 85,
            "good_score": 75, "qualified_score": 60, "max_failures": 2, "rectification_months": 1,
        });
        let policy = self.policy("lab_designation", &programme, terms).await;
        let round = self
            .round(
                "lab_designation",
                &programme,
                &policy,
                json!([{"grade": "", "limit": 1}]),
            )
            .await;
        for lab in [&good, &leaving, &small] {
            let designation = json!({"level": LEVEL, "programme": programme});
            let request = json!({"parent": lab, "lab_designation": designation, "round": round});
            self.begins(
                &LAB,
                "mingce.labs.v1.LabDesignationService/CreateLabDesignation",
                request,
            );
        }
        let state = *self.rng.one(&["BUILDING", "BUILDING", "OPERATING", "RECTIFYING"]);
        let recorded = json!({
            "level": LEVEL, "programme": format!("{programme}旧"), "state": format!("LAB_DESIGNATION_STATE_{state}"),
            "decision_date": "2019-05-01",
        });
        let request = json!({"parent": good, "lab_designation": recorded});
        self.record(&LAB, "mingce.labs.v1.LabService/RecordLabDesignation", request)
            .await;
    }

    /// Something that was decided before the register was there. It is recorded once.
    async fn record(&mut self, kind: &'static Kind, rpc: &'static str, request: Value) {
        let thing = CaseRef {
            kind,
            name: self.made(rpc, request).await,
        };
        self.say(format!("{rpc} makes {}", thing.name));
        self.keep(&thing);
        self.world.others.push(thing);
    }

    /// Persons and programmes of one family, one of them with one place. Of one person the age is not known, one is too
    /// old.
    pub async fn talents(&mut self) {
        let family = format!("walk-{}", self.seed);
        let employer = self.organization("试行大学").await;
        let (one, two) = (
            self.programme("one", &family).await,
            self.programme("two", &family).await,
        );
        let turning = self
            .today()
            .checked_sub(40.years())
            .unwrap()
            .checked_add(10.days())
            .unwrap();
        let young = self.person("试青年", "1990-01-02").await;
        let older = self.person("试中年", &turning.to_string()).await;
        let unknown = self.person("试不详", "").await;
        self.world.reviewer = self.person("试评审", "").await;
        let terms = json!({
            "notice": {"working_days": 3}, "review": review(), "term_months": 4, "midterm_months": 2, "max_age": 39,
        });
        let mut rounds = Vec::new();
        for programme in [&one, &two] {
            let policy = self.policy("talent_designation", programme, terms.clone()).await;
            let caps = json!([{"grade": "", "limit": 1}]);
            rounds.push(self.round("talent_designation", programme, &policy, caps).await);
        }
        for (person, programme, round) in [
            (&young, &one, 0),
            (&young, &two, 1),
            (&older, &one, 0),
            (&unknown, &two, 1),
        ] {
            let designation = json!({
                "programme": {"programme": programme}, "level": LEVEL, "employer": {"organization": employer},
            });
            let request = json!({"parent": person, "talent_designation": designation, "round": rounds[round]});
            let rpc = "mingce.talent.v1.TalentDesignationService/CreateTalentDesignation";
            self.begins(&TALENT, rpc, request);
        }
        for (person, state) in [(&older, "IN_TERM"), (&unknown, "SUSPENDED")] {
            let recorded = json!({
                "programme": {"programme": one}, "state": format!("TALENT_DESIGNATION_STATE_{state}"),
                "start_date": self.day(-100.days()),
            });
            let request = json!({"parent": person, "talent_designation": recorded});
            let rpc = "mingce.talent.v1.TalentService/RecordTalentDesignation";
            self.record(&TALENT, rpc, request).await;
        }
        self.world.other_verbs = &["assess_midterm", "resume"];
    }

    /// Bodies that apply. Their authorisations expire by themselves, or a clerk says so.
    pub async fn bodies(&mut self) {
        for (place, by_itself) in [true, false].into_iter().enumerate() {
            let programme = self.programme(&place.to_string(), "").await;
            self.body_policy(&programme, by_itself).await;
            let organization = self.organization("试行企业").await;
            let body = json!({"organization": {"organization": organization}, "programme": {"programme": programme}});
            let request = json!({"nominating_body": body});
            self.begins(
                &BODY,
                "mingce.talent.v1.NominatingBodyService/CreateNominatingBody",
                request,
            );
        }
    }

    async fn body_policy(&mut self, programme: &str, by_itself: bool) {
        let terms = json!({
            "notice": {"working_days": 1}, "authorisation_months": self.rng.one(&[3, 14]), "yearly_quota": self.rng.below(2),
            "expires_by_itself": by_itself,
        });
        self.policy("nominating_body", programme, terms).await;
    }

    /// Two bodies with a quota of one that recommend the same person, and one that is too old.
    pub async fn recommendations(&mut self) {
        let family = format!("walk-{}", self.seed);
        let employer = self.organization("试行企业").await;
        let mut bodies = Vec::new();
        for name in ["one", "two"] {
            let programme = self.programme(name, &family).await;
            self.body_policy(&programme, true).await;
            let terms = json!({"notice": {"working_days": 2}, "term_months": 5, "max_age": 60});
            self.policy("recommendation", &programme, terms).await;
            let organization = self.organization("试行企业").await;
            let body = json!({"organization": {"organization": organization}, "programme": {"programme": programme}});
            let rpc = "mingce.talent.v1.NominatingBodyService/CreateNominatingBody";
            let thing = CaseRef {
                kind: &BODY,
                name: self.made(rpc, json!({"nominating_body": body})).await,
            };
            self.keep(&thing);
            bodies.push(thing);
        }
        for verb in ["publish_notice", "authorise", "grant_quota"] {
            for body in bodies.clone() {
                self.until_done(&body, verb).await;
            }
            let later = self.today().checked_add(4.days()).unwrap();
            if verb == "publish_notice" {
                let day = self.after_notice(&bodies).await.unwrap_or(later);
                self.turn_to(day).await;
            }
        }
        let young = self.person("试青年", "1990-01-02").await;
        let old = self.person("试老年", "1940-01-02").await;
        let year = self.today().year();
        for (body, person) in [(0, &young), (1, &young), (1, &old)] {
            let recommendation = json!({
                "nominating_body": bodies[body].name, "talent": {"talent": person}, "year": year, "statement": "推荐",
                "employer": {"organization": employer},
            });
            let request = json!({"recommendation": recommendation});
            self.begins(
                &RECOMMENDATION,
                "mingce.talent.v1.RecommendationService/CreateRecommendation",
                request,
            );
        }
        self.world.others = bodies;
        self.world.other_verbs = &["suspend", "resume", "grant_quota", "exit"];
    }

    /// The first day on which the notices of all these are over.
    async fn after_notice(&mut self, things: &[CaseRef]) -> Option<jiff::civil::Date> {
        let mut last = None;
        for thing in things {
            let read = self.read(thing).await;
            let end: Option<jiff::civil::Date> = read["case"]["notice_end_date"].as_str()?.parse().ok();
            last = last.max(end);
        }
        last?.tomorrow().ok()
    }

    /// Tries a verb that is open until it is done: some tries are trials only.
    async fn until_done(&mut self, thing: &CaseRef, verb: &str) {
        let edges = thing.kind.transitions();
        let edge = edges.iter().find(|edge| edge.verb == verb).unwrap();
        loop {
            let before = self.read(thing).await;
            self.attempt(thing, edge, &before).await;
            if self.read(thing).await["revision"] != before["revision"] {
                return;
            }
        }
    }

    /// Projects for one first and one second prize. Two of them rest on the same evidence; one names an organization
    /// that did not complete it, one has more contributors than the policy allows.
    pub async fn awards(&mut self) {
        let code = format!("walk-{}", self.seed);
        let scheme = json!({
            "display_name": "试行科学技术奖", "code": code, "level": LEVEL, "subject": "SCHEME_SUBJECT_PROJECT",
            "grades": [{"grade": "一等奖"}, {"grade": "二等奖"}],
        });
        let scheme = self
            .made("mingce.awards.v1.AwardService/CreateScheme", json!({"scheme": scheme}))
            .await;
        let (university, hospital) = (self.organization("试行大学").await, self.organization("试行医院").await);
        let (one, two) = (self.person("试甲", "").await, self.person("试乙", "").await);
        self.world.reviewer = self.person("试评审", "").await;
        self.world.names.grades = vec!["一等奖", "二等奖"];
        let grade = |grade: &str| json!({"grade": grade, "cap": 1, "max_contributors": 1, "max_organizations": 2});
        let terms = json!({
            "acceptance_notice": {"working_days": 1}, "notice": {"working_days": 2}, "review": review(),
            "grades": [grade("一等奖"), grade("二等奖")], "project_cap": 2, "failed_years": 1, "bar_years": 1,
        });
        let policy = self.policy("award", &scheme, terms).await;
        let round = self.round("award", &scheme, &policy, json!([])).await;
        let year = self.today().year();
        let contributor = |person: &str, organization: &str| json!({"talent": {"talent": person}, "organizations": [{"organization": organization}]});
        let project = |title: &str, contributors: Value, evidence: &str, is_secret: bool| {
            json!({
                "title": format!("试行项目{title}"), "scheme": {"scheme": scheme}, "year": year, "contributors": contributors,
                "completing_organizations": [{"organization": {"organization": university}}], "public_safety": is_secret,
                "evidence": [format!("{evidence}-{code}")], "project_code": format!("{title}-{code}"),
            })
        };
        let good = json!([contributor(&one, &university)]);
        let many = json!([contributor(&one, &university), contributor(&two, &hospital)]);
        for award in [
            project("甲", good.clone(), "论文一", false),
            project("乙{n}", good.clone(), "论文一", false),
            project("丙{n}", good, "论文二", true),
            project("丁", many, "论文三", false),
        ] {
            let request = json!({"award": award, "round": round});
            self.begins(&AWARD, "mingce.awards.v1.AwardNominationService/CreateAward", request);
        }
        let mut recorded = project("旧", json!([contributor(&two, &hospital)]), "论文旧", false);
        recorded["state"] = json!("AWARD_STATE_CONFERRED");
        recorded["number"] = json!("旧-1");
        recorded["year"] = json!(year - 5);
        recorded["grade"] = json!("二等奖");
        self.record(
            &AWARD,
            "mingce.awards.v1.AwardService/RecordAward",
            json!({"award": recorded}),
        )
        .await;
    }
}

/// One review of sixty points.
fn review() -> Value {
    json!({
        "min_reviews": 1, "min_score": 6000,
        "criteria": [{"code": "quality", "display_name": "质量", "weight_percent": 100}],
    })
}
