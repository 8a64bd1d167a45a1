//! Valid requests for any verb, made from the names of the fields that its method takes.

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use prost_reflect::{FieldDescriptor, Kind as FieldKind};
use serde_json::{Value, json};

use super::json_client::method;

/// Pseudo-random numbers from a seed (SplitMix64): the same seed walks the same way.
#[derive(Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0, below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Whether something happens that happens so often in a hundred times.
    pub fn in_hundred(&mut self, times: usize) -> bool {
        self.below(100) < times
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// An id for a request.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

/// What a request can name.
#[derive(Debug, Default)]
pub struct Names {
    /// A lab that can take over.
    pub successor: String,
    /// Grades that the policy knows.
    pub grades: Vec<&'static str>,
    /// Counts what must be new in each request.
    pub used: u32,
}

impl Names {
    /// A number that no request had.
    pub fn new_number(&mut self) -> u32 {
        self.used += 1;
        self.used
    }

    /// A request for a verb on a resource as it was read, without etag and request id. What it gives depends on no
    /// guard: only on what the contract says of the fields.
    pub fn request(&mut self, rpc: &str, on: &Value, today: Date, rng: &mut Rng) -> Value {
        let mut request = json!({});
        for field in method(rpc).input().fields() {
            let value = match field.name() {
                "etag" | "request_id" | "validate_only" => continue,
                "name" => on["name"].clone(),
                "limit" => {
                    let used = used(on, request["year"].as_i64().unwrap());
                    json!(used + i64::try_from(rng.below(2)).unwrap())
                }
                _ => self.value(rpc, &field, today, rng),
            };
            request[field.name()] = value;
        }
        if let Some(outputs) = request["outputs"].as_array() {
            request["no_outputs"] = json!(outputs.is_empty());
        }
        request
    }

    fn value(&mut self, rpc: &str, field: &FieldDescriptor, today: Date, rng: &mut Rng) -> Value {
        let day = |span: Span| json!(today.checked_add(span).unwrap().to_string());
        if let FieldKind::Enum(of) = field.kind() {
            let values: Vec<i32> = of.values().map(|value| value.number()).filter(|n| *n != 0).collect();
            return json!(rng.one(&values));
        }
        match field.name() {
            "reason" => json!("试走"),
            "document_number" => json!(format!("试字〔2024〕{}号", self.new_number())),
            "number" => json!(format!("W-{}", self.new_number())),
            "issuer" => json!(rng.one(&["", "试行科技局"])),
            "due_date" => match rng.below(3) {
                0 => json!(""),
                _ => day(i64::try_from(rng.below(20)).unwrap().days()),
            },
            "decision_date" => match rng.below(2) {
                0 => day(0.days()),
                _ => json!(""),
            },
            "months" => json!(rng.below(2) + 1),
            // A quota is for the year of the call, or the next.
            "year" if rpc.contains("GrantQuota") => json!(i64::from(today.year()) + i64::from(rng.in_hundred(15))),
            "year" => json!(1900 + self.new_number() % 300),
            "summary" | "finding" => json!("试"),
            "output_count" => json!(3),
            "start_date" => day(-400.days()),
            "end_date" if rpc.contains("Evaluate") || rpc.contains("Reevaluate") => day(0.days()),
            "end_date" if rpc.contains("ShortenRectification") => json!(""),
            "end_date" => match rng.below(2) {
                0 => json!(""),
                _ => day(i64::try_from(20 + rng.below(200)).unwrap().days()),
            },
            "outputs" => match rng.below(2) {
                0 => json!([]),
                _ => {
                    let producer = json!({"display_name": "试固定"});
                    json!([{"kind": 1, "title": "试文", "producer": producer, "date": day(-30.days())}])
                }
            },
            "no_outputs" => json!(false),
            "qualitative_score" => json!(rng.below(101)),
            "successor" => json!(self.successor),
            "passed" => json!(rng.in_hundred(50)),
            "grade" if rpc.contains("RenewNotice") => json!(""),
            "grade" => json!(rng.one(&self.grades)),
            "money_fen" => json!(10_000),
            "update_mask" => json!("documentNumber"),
            "lab_designation" | "talent_designation" | "nominating_body" | "recommendation" | "award" => {
                json!({"document_number": format!("试更〔2024〕{}号", self.new_number())})
            }
            other => panic!("{rpc} takes {other}, which this test gives nothing for"),
        }
    }
}

/// How many of a quota are used up.
fn used(body: &Value, year: i64) -> i64 {
    let quotas = body["quotas"].as_array().into_iter().flatten();
    let found = quotas.filter(|quota| quota["year"] == year);
    found.map(|quota| quota["used"].as_i64().unwrap()).sum()
}
