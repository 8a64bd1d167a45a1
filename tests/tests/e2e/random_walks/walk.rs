//! A walk: random steps on a few cases that share rounds, quotas and persons, with what must hold after each.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::thread;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use mingce_e2e::Failure;
use mingce_e2e::cases::Clock;
use serde_json::{Value, json};
use tonic::Code;

use super::json_client::JsonClient;
use super::life_cycles::{Kind, Transition};
use super::merges::{DuplicatePair, KnownRecord};
use super::request::{Names, Rng};

/// A case or an objection.
#[derive(Debug, Clone)]
pub struct CaseRef {
    pub kind: &'static Kind,
    pub name: String,
}

/// How a case begins: the method and the request, in which `{n}` is another number each time. It can begin again when
/// it has ended.
#[derive(Debug)]
pub struct Beginning {
    pub kind: &'static Kind,
    pub rpc: &'static str,
    pub request: Value,
    pub now: Option<CaseRef>,
}

/// What a walk goes about in.
#[derive(Debug, Default)]
pub struct World {
    /// How its cases begin.
    pub beginnings: Vec<Beginning>,
    /// What else has a life of its own: the bodies of recommendations, the designations that confirmations make.
    pub others: Vec<CaseRef>,
    /// The verbs that are tried on those, most of the time.
    pub other_verbs: &'static [&'static str],
    /// Resource name of a person who reviews; empty where nothing is reviewed.
    pub reviewer: String,
    /// Organizations, labs and persons that it goes about.
    pub known: Vec<KnownRecord>,
    /// Pairs of records of one of them, which are merged and taken apart.
    pub twins: Vec<DuplicatePair>,
    /// Resource names of its rounds.
    pub rounds: Vec<String>,
    pub names: Names,
}

/// What walks have met so far.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Kinds of case with verbs that were done.
    pub done: BTreeSet<(&'static str, &'static str)>,
    /// Verbs that were not legal where they were tried.
    pub wrong: BTreeSet<(&'static str, &'static str)>,
    /// Reasons that stood in the way.
    pub reasons: BTreeSet<String>,
    /// How many calls of verbs there were.
    pub tries: usize,
    /// Calls that were repeated with their request id.
    pub repeated: usize,
    /// Records that were merged, that were not, and that were taken apart again.
    pub merges: usize,
    pub not_merged: usize,
    pub unmerges: usize,
}

pub struct Walk<'a> {
    pub wire: &'a JsonClient,
    pub clock: &'a Clock,
    pub rng: Rng,
    pub world: World,
    pub met: &'a mut Coverage,
    pub seed: u64,
    /// What happened, for whom has to find out why.
    pub log: Vec<String>,
    /// The place of the case that most steps are about.
    focus: usize,
    /// What was read last of a step, for the next.
    pub fresh: Option<(String, Value)>,
    /// Objections, each with its case.
    pub objections: Vec<(CaseRef, CaseRef)>,
    /// All that ever lived in it.
    all: Vec<CaseRef>,
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("MINGCE_WALK_SEED={} walks this way again:", self.seed);
            for (place, line) in self.log.iter().enumerate() {
                eprintln!("{place:>4} {line}");
            }
        }
    }
}

/// A resource without what is not kept: the verbs and dates of a read, and what falls due of a record by the policy in
/// force.
pub fn plain(read: &Value) -> Value {
    let mut plain = read.clone();
    plain["verbs"] = json!([]);
    if let Some(case) = plain.get_mut("case").and_then(Value::as_object_mut) {
        case.remove("dates");
        if case["policy"] == json!("") {
            case.remove("due");
            case.remove("due_date");
        }
        let is_default = |value: &Value| [json!(""), json!(0), json!([]), Value::Null].contains(value);
        if case.values().all(is_default) {
            plain.as_object_mut().unwrap().remove("case");
        }
    }
    plain
}

pub fn state<'a>(kind: &Kind, resource: &'a Value) -> &'a str {
    let state = resource["state"].as_str().unwrap();
    state
        .strip_prefix(kind.prefix)
        .unwrap_or_else(|| panic!("{state} is no state of a {}", kind.name))
}

pub fn revision(resource: &Value) -> i64 {
    resource["revision"].as_i64().unwrap()
}

pub fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// What stands in the way of a verb, as a read says it.
fn blockers(verb: &Value) -> BTreeSet<(String, String)> {
    let text = |blocker: &Value, field: &str| blocker[field].as_str().unwrap().to_owned();
    let blockers = verb["blockers"].as_array().unwrap().iter();
    blockers
        .map(|blocker| (text(blocker, "reason"), text(blocker, "subject")))
        .collect()
}

impl<'a> Walk<'a> {
    pub fn new(wire: &'a JsonClient, clock: &'a Clock, met: &'a mut Coverage, seed: u64) -> Self {
        Self {
            wire,
            clock,
            rng: Rng::new(seed),
            world: World::default(),
            met,
            seed,
            log: Vec::new(),
            focus: 0,
            fresh: None,
            objections: Vec::new(),
            all: Vec::new(),
        }
    }

    pub fn today(&self) -> Date {
        self.clock.today().parse().unwrap()
    }

    pub fn say(&mut self, what: impl AsRef<str>) {
        self.log.push(format!("{} {}", self.clock.today(), what.as_ref()));
    }

    /// One step.
    pub async fn step(&mut self) {
        if self.rng.in_hundred(25) {
            self.focus = self.rng.below(self.world.beginnings.len());
        }
        let (case, before) = self.begun(self.focus).await;
        let is_reviewed = case.kind.is_reviewed();
        let is_published = case.kind.is_undecided(state(case.kind, &before)) && before["case"]["notice"] != "";
        match self.rng.below(100) {
            0..=9 if is_published => self.object(&case, &before).await,
            0..=34 => self.go_on(&case, &before).await,
            35..=60 => self.try_one(&case, &before, &[]).await,
            61..=70 => self.move_clock(&before).await,
            71..=78 => self.object(&case, &before).await,
            79..=90 if !self.world.others.is_empty() => {
                let (other, verbs) = (self.rng.one(&self.world.others).clone(), self.world.other_verbs);
                let before = self.read(&other).await;
                self.try_one(&other, &before, verbs).await;
            }
            91..=93 => self.update(&case, &before).await,
            94..=95 if is_reviewed => self.review(&case, &before).await,
            96 if !self.world.rounds.is_empty() && self.rng.in_hundred(30) => self.close_a_round().await,
            97..=98 if !self.world.twins.is_empty() => self.merge_or_unmerge(&case, &before).await,
            _ => self.try_one(&case, &before, &[]).await,
        }
    }

    /// Does what leads a case straight on, or what that waits for.
    async fn go_on(&mut self, case: &CaseRef, before: &Value) {
        let (all, state) = (case.kind.transitions(), state(case.kind, before));
        let on = case
            .kind
            .on
            .split_whitespace()
            .filter_map(|verb| all.iter().find(|edge| edge.verb == verb));
        let Some(edge) = on.into_iter().find(|edge| edge.from.contains(state)) else {
            return self.try_one(case, before, &[]).await;
        };
        let reasons = listed_verb(before, edge).map(blockers).unwrap_or_default();
        let waits_for = |reason: &str| reasons.iter().any(|(other, _)| other == reason);
        let is_new = reasons.iter().any(|(reason, _)| !self.met.reasons.contains(reason));
        if is_new {
            self.attempt(case, edge, before).await;
        } else if waits_for("OBJECTION_OPEN") {
            self.object(case, before).await;
        } else if waits_for("REVIEWS_MISSING") || waits_for("SCORE_TOO_LOW") {
            self.review(case, before).await;
        } else if waits_for("NOTICE_RUNNING") || waits_for("OBJECTION_TIME_RUNNING") || waits_for("ROUND_NOT_BEGUN") {
            self.move_clock(before).await;
        } else {
            self.attempt(case, edge, before).await;
        }
    }

    /// A case: it begins where there is none, and at times again where one has ended.
    async fn begun(&mut self, place: usize) -> (CaseRef, Value) {
        let now = self.world.beginnings[place].now.clone();
        if let Some(thing) = now {
            let read = match self.fresh.take() {
                Some((name, read)) if name == thing.name => read,
                _ => self.read(&thing).await,
            };
            let has_ended = thing.kind.is_over(state(thing.kind, &read));
            if !has_ended || !self.rng.in_hundred(60) {
                return (thing, read);
            }
        }
        let (wire, number) = (self.wire, self.world.names.new_number());
        let beginning = &self.world.beginnings[place];
        let (kind, rpc) = (beginning.kind, beginning.rpc);
        let mut request = beginning.request.to_string().replace("{n}", &number.to_string());
        for (duplicate, survivor) in self.world.twins.iter().filter_map(DuplicatePair::merged) {
            request = request.replace(duplicate, survivor);
        }
        let request: Value = serde_json::from_str(&request).unwrap();
        self.say(format!("{rpc} {request}"));
        let made = wire.done(rpc, request).await;
        let thing = CaseRef {
            kind,
            name: made["name"].as_str().unwrap().to_owned(),
        };
        self.say(format!("    makes {}", thing.name));
        self.world.beginnings[place].now = Some(thing.clone());
        self.keep(&thing);
        let read = self.read(&thing).await;
        assert_eq!(plain(&read), plain(&made), "what is made and what is read then");
        (thing, read)
    }

    /// All that lived in it so far.
    pub fn all(&self) -> Vec<CaseRef> {
        self.all.clone()
    }

    /// Something whose history is looked at in the end.
    pub fn keep(&mut self, thing: &CaseRef) {
        self.all.push(thing.clone());
    }

    /// A resource with its verbs. What it says is held against the life cycle.
    pub async fn read(&mut self, thing: &CaseRef) -> Value {
        let read = self
            .wire
            .done(thing.kind.get, json!({"name": thing.name, "view": "VIEW_FULL"}))
            .await;
        let state = state(thing.kind, &read);
        let verbs = read["verbs"].as_array().unwrap();
        let listed: BTreeSet<&str> = verbs.iter().map(|verb| verb["verb"].as_str().unwrap()).collect();
        assert_eq!(listed, thing.kind.from(state), "verbs of {} at {state}", thing.name);
        assert_eq!(listed.len(), verbs.len(), "a verb stands twice: {read}");
        for verb in verbs {
            let edges = thing.kind.transitions();
            let edge = edges.iter().find(|edge| verb["verb"] == edge.verb).unwrap();
            assert_eq!(verb["method"], format!("{}/{}", thing.kind.service, edge.method));
            assert_eq!(verb["open"], verb["blockers"].as_array().unwrap().is_empty(), "{verb}");
            for blocker in verb["blockers"].as_array().unwrap() {
                for field in ["reason", "subject", "description", "description_zh"] {
                    assert_ne!(blocker[field], "", "{verb}");
                }
            }
        }
        read
    }

    /// Tries a verb: one of all verbs of the life cycle, more often one that leads on to where no walk has been.
    /// `only`: one of these, most of the time.
    pub async fn try_one(&mut self, thing: &CaseRef, before: &Value, only: &[&str]) {
        let all = thing.kind.transitions();
        let state = state(thing.kind, before);
        let of = |wanted: &dyn Fn(&Transition) -> bool| all.iter().filter(|edge| wanted(edge)).collect::<Vec<_>>();
        let listed = of(&|edge| edge.from.contains(state));
        let blocked = |edge: &Transition| {
            listed_verb(before, edge)
                .map(blockers)
                .unwrap_or_default()
                .into_iter()
                .map(|(reason, _)| reason)
        };
        // What no walk has met: a verb to be done, or a reason that stands in the way.
        let new = of(&|edge| {
            edge.from.contains(state)
                && (is_open(before, edge) && !self.met.done.contains(&(thing.kind.name, edge.verb))
                    || blocked(edge).any(|reason| !self.met.reasons.contains(&reason)))
        });
        // What ends a case is done seldom, else no case would get far.
        let leads_on = |edge: &Transition| edge.to.iter().any(|to| *to != state && !thing.kind.is_over(to));
        let further = of(&|edge| is_open(before, edge) && leads_on(edge));
        let chosen = of(&|edge| only.contains(&edge.verb));
        let edge = match self.rng.below(20) {
            0..=17 if !chosen.is_empty() => *self.rng.one(&chosen),
            0..=9 if !new.is_empty() => *self.rng.one(&new),
            0..=13 if !further.is_empty() => *self.rng.one(&further),
            0..=15 if !listed.is_empty() => *self.rng.one(&listed),
            _ => self.rng.one(&all),
        };
        self.attempt(thing, edge, before).await;
    }

    /// Tries a verb on what was just read.
    pub async fn attempt(&mut self, thing: &CaseRef, edge: &Transition, before: &Value) {
        let rpc = format!("{}/{}", thing.kind.service, edge.method);
        let today = self.today();
        let mut request = self.world.names.request(&rpc, before, today, &mut self.rng);
        if self.rng.in_hundred(50) {
            request["etag"] = before["etag"].clone();
        }
        let is_stale = self.rng.in_hundred(4);
        if is_stale {
            request["etag"] = json!("\"r0\"");
        }
        let is_repeated = self.rng.in_hundred(30);
        if is_repeated || self.rng.in_hundred(20) {
            request["request_id"] = json!(self.rng.uuid());
        }
        let is_trial = self.rng.in_hundred(8);
        request["validate_only"] = json!(is_trial);
        let answer = self.wire.call(&rpc, &request).await;
        self.note(thing, edge, before, &request, &answer);
        self.met.tries += 1;
        let state_before = state(thing.kind, before);
        let listed = listed_verb(before, edge);
        let is_done = match (&answer, listed) {
            (Err(failure), _) if is_stale => {
                assert_eq!(failure.is(), (Code::Aborted, "ETAG_MISMATCH"), "{failure:?}");
                false
            }
            (Ok(answer), Some(verb)) => {
                assert_eq!(verb["open"], true, "{} is blocked and was done", edge.verb);
                assert_eq!(revision(answer), revision(before) + 1, "{answer}");
                assert!(
                    edge.to.contains(state(thing.kind, answer)),
                    "{} leads to {}",
                    edge.verb,
                    answer["state"]
                );
                expect_documents(edge, &request, before, answer);
                self.met.done.insert((thing.kind.name, edge.verb));
                !is_trial
            }
            (Err(failure), Some(verb)) => {
                assert_eq!(
                    verb["open"], false,
                    "{} is open and was refused: {failure:?}",
                    edge.verb
                );
                assert_eq!(failure.is(), (Code::FailedPrecondition, "CASE_BLOCKED"), "{failure:?}");
                let tried: BTreeSet<(String, String)> = failure.blockers.iter().cloned().collect();
                assert_eq!(tried, blockers(verb), "what stands in the way of {}", edge.verb);
                self.met
                    .reasons
                    .extend(failure.reasons().into_iter().map(str::to_owned));
                false
            }
            (Ok(answer), None) => panic!("{} is not legal at {state_before} and was done: {answer}", edge.verb),
            (Err(failure), None) => {
                assert_eq!(failure.is(), (Code::FailedPrecondition, "STATE_WRONG"), "{failure:?}");
                self.met.wrong.insert((thing.kind.name, edge.verb));
                false
            }
        };
        if is_repeated && !is_trial {
            self.met.repeated += 1;
            match (&answer, self.wire.call(&rpc, &request).await) {
                (Ok(first), Ok(again)) => assert_eq!(*first, again, "a repeated {} answers otherwise", edge.verb),
                (Err(first), Err(again)) => assert_eq!((first.is(), &first.blockers), (again.is(), &again.blockers)),
                (first, again) => panic!("{first:?}, and repeated {again:?}"),
            }
        }
        let after = self.read(thing).await;
        match answer {
            Ok(answer) if is_done => {
                assert_eq!(plain(&after), plain(&answer), "the answer and what is read then");
                self.follow(&answer);
            }
            _ => assert_eq!(after, *before, "nothing was done, and it changed"),
        }
        self.fresh = Some((thing.name.clone(), after));
    }

    /// What a verb makes lives on with the others.
    fn follow(&mut self, answer: &Value) {
        let designation = answer["designation"].as_str().unwrap_or_default();
        if !designation.is_empty() && !self.all.iter().any(|thing| thing.name == designation) {
            let thing = CaseRef {
                kind: &super::life_cycles::TALENT,
                name: designation.to_owned(),
            };
            self.keep(&thing);
            self.world.others.push(thing);
        }
    }

    fn note(
        &mut self,
        thing: &CaseRef,
        edge: &Transition,
        before: &Value,
        request: &Value,
        answer: &Result<Value, Failure>,
    ) {
        let mut said = String::new();
        let rest: Vec<String> = request
            .as_object()
            .unwrap()
            .iter()
            .filter(|(field, value)| !["name", "reason"].contains(&field.as_str()) && **value != json!(false))
            .map(|(field, value)| format!("{field}={value}"))
            .collect();
        write!(said, "{} {} {}", edge.verb, thing.name, rest.join(" ")).unwrap();
        write!(said, ": {} r{}", state(thing.kind, before), revision(before)).unwrap();
        match answer {
            Ok(answer) => write!(said, " -> {} r{}", state(thing.kind, answer), revision(answer)).unwrap(),
            Err(failure) => write!(said, " {:?} {:?}", failure.is(), failure.reasons()).unwrap(),
        }
        self.say(said);
    }

    /// Moves the clock on: some days, to the day on which something falls due, or months. Then it waits for what the
    /// register does by itself.
    async fn move_clock(&mut self, case: &Value) {
        let today = self.today();
        let due = case["case"]["due_date"].as_str().unwrap_or_default();
        let due: Option<Date> = due.parse().ok().filter(|day| *day > today);
        let some = i64::try_from(1 + self.rng.below(3)).unwrap();
        let is_near = due.is_some_and(|due| due < today.checked_add(20.days()).unwrap());
        let to = match (self.rng.below(40), due) {
            (0..=19, Some(due)) if is_near => due,
            (20..=24, Some(due)) => due,
            (0..=34, _) => today.checked_add(some.days()).unwrap(),
            (35..=38, _) => today.checked_add(some.months()).unwrap(),
            _ => today.checked_add(1.year()).unwrap(),
        };
        self.turn_to(to).await;
        self.say("the clock moves on");
    }

    /// Turns the clock to a day and waits for what the register does by itself.
    pub async fn turn_to(&mut self, day: Date) {
        self.clock.set(&day.to_string());
        // What is open on one day may be blocked on another.
        self.fresh = None;
        for collection in ["rounds", "nominatingBodies"] {
            let request = json!({"collection": collection, "page_size": 1000});
            for patience in 0.. {
                let due = self
                    .wire
                    .done("mingce.registry.v1.CaseService/ListDueWork", request.clone())
                    .await;
                let is_automatic = |work: &Value| work["automatic"] == true;
                if !due["due_work"].as_array().unwrap().iter().any(is_automatic) {
                    break;
                }
                assert!(patience < 400, "nobody does what is due: {due}");
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
    }

    /// Looks at the history of all that lived in it.
    pub async fn look_back(&mut self) {
        let mut sequences = BTreeSet::new();
        for thing in self.all.clone() {
            let now = self.read(&thing).await;
            let history = super::history::of(self.wire, &thing, 1 + self.rng.below(30)).await;
            super::history::expect_whole(&thing, &now, &history);
            for entry in &history {
                assert!(
                    sequences.insert(entry["sequence"].as_i64().unwrap()),
                    "two entries at one place: {entry}"
                );
            }
        }
        for round in self.world.rounds.clone() {
            let round = self
                .wire
                .done("mingce.registry.v1.CaseService/GetRound", json!({"name": round}))
                .await;
            for cap in round["caps"].as_array().unwrap() {
                assert!(cap["used"].as_i64() <= cap["limit"].as_i64(), "{round}");
            }
        }
    }
}

/// A verb that names a document adds it and leaves the others; and only the decision itself, or a correction, says
/// which number is its.
fn expect_documents(edge: &Transition, request: &Value, before: &Value, answer: &Value) {
    let (none, number) = (Vec::new(), request["document_number"].as_str().unwrap_or_default());
    let [before_it, after_it] = [before, answer].map(|case| case["documents"].as_array().unwrap_or(&none));
    let is_kept = after_it
        .iter()
        .any(|one| one["number"] == number && one["verb"] == edge.verb);
    assert!(
        number.is_empty() || is_kept,
        "{} keeps no {number}: {answer}",
        edge.verb
    );
    if !["approve", "authorise", "confirm", "reject", "correct"].contains(&edge.verb) {
        assert_eq!(answer["document_number"], before["document_number"], "{}", edge.verb);
        assert_eq!(after_it[..before_it.len()], before_it[..], "{}", edge.verb);
    }
}

/// A verb as a read lists it.
fn listed_verb<'a>(read: &'a Value, edge: &Transition) -> Option<&'a Value> {
    listed(read, edge.verb)
}

pub fn listed<'a>(read: &'a Value, named: &str) -> Option<&'a Value> {
    read["verbs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|verb| verb["verb"] == named)
}

pub fn is_open(read: &Value, edge: &Transition) -> bool {
    listed_verb(read, edge).is_some_and(|verb| verb["open"] == true)
}
