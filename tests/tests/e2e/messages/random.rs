//! Random messages for every method: valid, half valid and wrong ones. Whatever is sent, it is never a fault of ours.
//!
//! `MINGCE_MESSAGES` says how many for each method (else 150, or what 20 seconds allow), `MINGCE_MESSAGES_SEED` repeats
//! a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Store, on_both_stores};
use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value};
use tonic::{Code, Status};

use super::contract::{matching, methods, name, rules};
use crate::random_walks::request::Rng;

const ID: &str = "[0-9a-hjkmnp-tv-z]{26}";

/// How many messages a method gets in the test command, and how long that may take in all.
const EACH: usize = 150;
const AT_MOST: Duration = Duration::from_secs(20);

/// How many calls are under way at once.
const AT_ONCE: usize = 8;

const ODD: [&str; 24] = [
    "",
    " ",
    "\0",
    "a\0b",
    "organizations/123",
    "labs/",
    "talents/-",
    "USCC",
    "uscc",
    "ror",
    "orcid",
    "91370200163562681G",
    "0000-0002-1825-0097",
    "11010519491231002X",
    "2024-02-30",
    "2024-13",
    "0000-00-00",
    "9999-12-31",
    "' OR 1=1 --",
    "%_\\*\"",
    "\u{202e}abc\u{200b}",
    "👩‍👩‍👧‍👦",
    "display_name = \"青\" AND (city:青岛 OR NOT x > 3)",
    "create_time desc, display_name",
];

/// Makes random messages.
struct MessageGenerator<'a> {
    rng: Rng,
    /// Resource names that the register has, by the pattern that they match.
    names: &'a BTreeMap<String, Vec<String>>,
}

impl MessageGenerator<'_> {
    fn message(&mut self, of: &MessageDescriptor, deep: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        if of.full_name() == "google.protobuf.FieldMask" {
            let paths = (0..self.rng.below(4)).map(|_| Value::String(self.path()));
            message.set_field_by_name("paths", Value::List(paths.collect()));
            return message;
        }
        for field in of.fields() {
            if !self.rng.in_hundred(if deep < 2 { 75 } else { 45 }) || deep > 6 {
                continue;
            }
            if field.is_list() {
                let count = match self.rng.below(20) {
                    0 => 60,
                    1..=4 => 0,
                    _ => 1 + self.rng.below(3),
                };
                let count = if deep > 3 { count.min(2) } else { count };
                let items = (0..count).map(|_| self.value(&field, deep)).collect();
                message.set_field(&field, Value::List(items));
            } else {
                let value = self.value(&field, deep);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn path(&mut self) -> String {
        let known = [
            "*",
            "city",
            "display_name",
            "names",
            "hosts",
            "employer",
            "uid",
            "talent",
            "nothing",
            "a.b",
        ];
        (*self.rng.one(&known)).to_owned()
    }

    fn value(&mut self, field: &FieldDescriptor, deep: usize) -> Value {
        let whole = [0, 1, 2, 5, 10, 100, 2024, -1, i32::MAX, i32::MIN];
        match field.kind() {
            Kind::Message(of) => Value::Message(self.message(&of, deep + 1)),
            Kind::String => Value::String(self.text(field)),
            Kind::Bytes => Value::Bytes(Bytes::from(vec![0xff; self.rng.below(40)])),
            Kind::Bool => Value::Bool(self.rng.in_hundred(30)),
            Kind::Enum(of) => {
                let all: Vec<i32> = of.values().map(|v| v.number()).collect();
                let wrong = self.rng.in_hundred(5);
                Value::EnumNumber(if wrong {
                    *self.rng.one(&whole)
                } else {
                    *self.rng.one(&all)
                })
            }
            Kind::Double => Value::F64(*self.rng.one(&[0.0, 1.0, 95.5, -1.0, f64::NAN, f64::INFINITY, 1e300])),
            Kind::Float => Value::F32(*self.rng.one(&[0.0, 1.0, -1.0, f32::NAN])),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(*self.rng.one(&whole)),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                let large = [i64::MAX, i64::MIN, 1 << 40];
                let large = *self.rng.one(&large);
                let small = i64::from(*self.rng.one(&whole));
                Value::I64(if self.rng.in_hundred(10) { large } else { small })
            }
            Kind::Uint32 | Kind::Fixed32 => Value::U32(*self.rng.one(&[0, 1, 7, u32::MAX])),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(*self.rng.one(&[0, 1, 7, u64::MAX])),
        }
    }

    fn text(&mut self, field: &FieldDescriptor) -> String {
        let rules = rules(field);
        // Few guess an etag.
        if field.name() == "etag" && self.rng.in_hundred(80) {
            return String::new();
        }
        match self.rng.below(100) {
            0..=4 => String::new(),
            5..=9 => (*self.rng.one(&ODD)).to_owned(),
            10..=12 => {
                let all: Vec<&String> = self.names.values().flatten().collect();
                (*self.rng.one(&all)).clone()
            }
            13..=15 => {
                let length = *self.rng.one(&[61, 101, 301, 320, 501, 2001, 5000]);
                self.rng.one(&["x", "青", "é", "1"]).repeat(length)
            }
            _ => match (&rules.pattern, rules.uuid) {
                (Some(pattern), _) => {
                    let fits = |(kind, _): &(&String, &Vec<String>)| pattern.contains(kind.as_str());
                    let known: Vec<&String> = self.names.iter().filter(fits).flat_map(|(_, names)| names).collect();
                    if known.is_empty() {
                        let tries = 1 + self.rng.below(4);
                        matching(pattern, tries)
                    } else {
                        (*self.rng.one(&known)).clone()
                    }
                }
                (None, true) => self.rng.uuid(),
                (None, false) => self.words(&rules),
            },
        }
    }

    fn words(&mut self, rules: &super::contract::Rules) -> String {
        let words = [
            "青岛大学",
            "海洋",
            "王伟",
            "material",
            "labs",
            "labDesignations",
            "level",
            "2024",
            "国家级",
            "青岛",
            "state",
            "code",
            "date",
            "year",
            "一等奖",
            "talents",
            "uscc",
            "local",
        ];
        let mut text = String::new();
        while text.chars().count() < rules.min_len.max(1) || self.rng.in_hundred(30) {
            let word: &&str = self.rng.one(&words);
            text.push_str(word);
        }
        text.chars().take(rules.max_len.unwrap_or(300)).collect()
    }
}

/// The names of what a sample register has, by the pattern that each matches.
async fn names(caller: &RawClient) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for method in methods().into_iter().filter(|method| method.name().starts_with("List")) {
        let mut request = DynamicMessage::new(method.input());
        if let Some(parent) = method.input().get_field_by_name("parent") {
            let pattern = rules(&parent).pattern.unwrap_or_default();
            let parent = pattern.trim_start_matches('^').split('/').next().unwrap();
            request.set_field_by_name("parent", Value::String(format!("{parent}/-")));
        }
        if method.input().get_field_by_name("page_size").is_some() {
            request.set_field_by_name("page_size", Value::I32(30));
        }
        let bytes = Bytes::from(request.encode_to_vec());
        let Ok(answer) = caller.call(&name(&method), false, vec![bytes]).await else {
            continue;
        };
        let answer = DynamicMessage::decode(method.output(), answer).unwrap();
        for (_, value) in answer.fields() {
            let items = value.as_list().into_iter().flatten().filter_map(Value::as_message);
            for item in items {
                let name = item
                    .get_field_by_name("name")
                    .and_then(|name| name.as_str().map(str::to_owned));
                let Some(name) = name.filter(|name| name.contains('/')) else {
                    continue;
                };
                let kind: Vec<&str> = name
                    .split('/')
                    .map(|part| if part.len() == 26 { ID } else { part })
                    .collect();
                names.entry(kind.join("/")).or_default().push(name);
            }
        }
    }
    names
}

/// What is wrong with an answer, if it is our fault.
fn fault(status: &Status) -> Option<String> {
    let ours = matches!(
        status.code(),
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable | Code::Unimplemented
    );
    ours.then(|| format!("{:?} {}", status.code(), status.message()))
}

fn messages(generator: &mut MessageGenerator<'_>, method: &MethodDescriptor) -> Vec<DynamicMessage> {
    let count = if method.is_client_streaming() {
        1 + generator.rng.below(5)
    } else {
        1
    };
    let mut messages: Vec<_> = (0..count).map(|_| generator.message(&method.input(), 0)).collect();
    // Most streams begin as they should, and number their rows.
    if method.is_client_streaming() && generator.rng.in_hundred(80) {
        for (place, message) in messages.iter_mut().enumerate() {
            if place > 0 {
                message.clear_field_by_name("settings");
            } else if let Some(Value::Message(settings)) = message.get_field_by_name_mut("settings") {
                settings.clear_field_by_name("update_mask");
            }
            message.set_field_by_name("row", Value::I64(i64::try_from(place).unwrap() + 1));
        }
    }
    messages
}

#[allow(clippy::print_stdout)]
async fn random_messages_never_cause_an_internal_error(store: Store) {
    let register = crate::sample::start(store).await;
    let caller = RawClient::to(&register);
    let names = names(&caller).await;
    assert!(names.len() > 6, "{:?}", names.keys());
    let given = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let long = given("MINGCE_MESSAGES");
    let by_time = || u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    let seed = given("MINGCE_MESSAGES_SEED").unwrap_or_else(by_time);
    let mut generator = MessageGenerator {
        rng: Rng::new(seed),
        names: &names,
    };
    let rounds = long.map_or(EACH, |count| usize::try_from(count).unwrap());
    let (methods, begun) = (methods(), Instant::now());
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut calls = tokio::task::JoinSet::new();
    for round in 0..rounds {
        if long.is_none() && begun.elapsed() > AT_MOST {
            println!("{round} of {rounds} rounds in {AT_MOST:?}");
            break;
        }
        for method in &methods {
            let messages = messages(&mut generator, method);
            let (caller, name, streams) = (caller.clone(), name(method), method.is_client_streaming());
            calls.spawn(async move {
                let bytes = messages.iter().map(|m| Bytes::from(m.encode_to_vec())).collect();
                let answer = caller.call(&name, streams, bytes).await;
                (name, messages, answer.err())
            });
            while calls.len() >= AT_ONCE {
                count(calls.join_next().await.unwrap().unwrap(), &mut codes, &mut faults);
            }
        }
    }
    while let Some(done) = calls.join_next().await {
        count(done.unwrap(), &mut codes, &mut faults);
    }
    println!("seed {seed}: {codes:?}");
    assert!(faults.is_empty(), "MINGCE_MESSAGES_SEED={seed}: {faults:#?}");
    assert!(codes["OK"] > 100, "hardly any message was valid: {codes:?}");
    let said = register.stderr();
    assert!(!said.contains("panicked"), "MINGCE_MESSAGES_SEED={seed}: {said}");
}

fn count(
    (name, messages, status): (String, Vec<DynamicMessage>, Option<Status>),
    codes: &mut BTreeMap<String, usize>,
    faults: &mut BTreeMap<String, (usize, String)>,
) {
    let code = status
        .as_ref()
        .map_or("OK".to_owned(), |status| format!("{:?}", status.code()));
    *codes.entry(code).or_default() += 1;
    if let Some(fault) = status.as_ref().and_then(fault) {
        let said = serde_json::to_string(&messages).unwrap_or_default();
        let said: String = said.chars().take(5000).collect();
        let known = faults.entry(format!("{name}: {fault}")).or_insert((0, said));
        known.0 += 1;
    }
}

on_both_stores!(random_messages_never_cause_an_internal_error);
