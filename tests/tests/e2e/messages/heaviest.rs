//! The heaviest messages that the wire can carry: as many elements of two or three bytes as fit, in each repeated field
//! of each method. None makes the process grow by more than its share, or work for long.

use std::env;

use mingce_e2e::raw_client::RawClient;
use mingce_e2e::{Register, Store};
use prost::bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use tonic::Code;

use super::contract::{message_of, methods, name, peak, rules, worked};

/// The most that the process may grow by, whatever comes one after the other.
const GROWTH: usize = 64 << 20;

/// How many milliseconds a processor may work for a call, and for each KiB of it. Tests run a program that is not
/// optimized, on machines that do other things too. `MINGCE_HEAVY_MS` gives the second: 0.1 is the bound of an
/// optimized program on a quiet machine, where a call may take two ticks of the clock that counts.
fn bounds() -> (u64, f64) {
    match env::var("MINGCE_HEAVY_MS") {
        Ok(text) => (20, text.parse().unwrap()),
        Err(_) => (300, 2.0),
    }
}

/// How large the requests of a method may be, by what it says itself.
async fn limit(caller: &RawClient, method: &str, streams: bool) -> usize {
    for limit in [4 << 20, 1 << 20, 256 << 10] {
        // A text in a field that no message has.
        let mut bytes = Vec::new();
        delimited(19_000, &vec![b'x'; limit - 16], &mut bytes);
        let answer = caller.call(method, streams, vec![bytes.into()]).await;
        if !answer.is_err_and(|status| status.code() == Code::ResourceExhausted) {
            return limit;
        }
    }
    panic!("{method} takes nothing");
}

fn delimited(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// The ways to the repeated fields of a message: the fields from the outermost on.
fn ways(of: &MessageDescriptor, way: &mut Vec<FieldDescriptor>, all: &mut Vec<Vec<FieldDescriptor>>) {
    if way.len() > 4 || way.iter().any(|field| field.parent_message() == of) {
        return;
    }
    for field in of.fields() {
        way.push(field.clone());
        if field.is_list() {
            all.push(way.clone());
        }
        if let Some(of) = message_of(&field) {
            ways(&of, way, all);
        }
        way.pop();
    }
}

/// A message of about `size` bytes with as many `element`s as fit at the end of a way, at most `most` of them.
fn heavy(way: &[FieldDescriptor], element: &[u8], size: usize, most: usize) -> Vec<u8> {
    let (last, before) = way.split_last().unwrap();
    let mut one = Vec::new();
    delimited(last.number(), element, &mut one);
    let count = ((size - 64) / one.len()).min(most);
    let mut message = one.repeat(count);
    for field in before.iter().rev() {
        let mut around = Vec::new();
        delimited(field.number(), &message, &mut around);
        message = around;
    }
    message
}

/// Elements that say nothing, and such that break a rule.
fn elements(field: &FieldDescriptor) -> Vec<Vec<u8>> {
    let Kind::Message(of) = field.kind() else {
        return vec![Vec::new(), b"?".to_vec()];
    };
    let mut broken = Vec::new();
    for inner in of
        .fields()
        .filter(|inner| matches!(inner.kind(), Kind::String) && !inner.is_list())
    {
        if rules(&inner).pattern.is_some() {
            delimited(inner.number(), b"?", &mut broken);
        }
    }
    vec![Vec::new(), broken]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_message_costs_more_than_its_share() {
    let register = Register::start(Store::Sqlite).await;
    let caller = RawClient::to(&register);
    let mut known = std::collections::HashSet::new();
    let (mut calls, mut dearest) = (0, (0, String::new()));
    let mut begun: Option<usize> = None;
    let (each_call, each_kib) = bounds();
    for method in methods() {
        let (method_name, streams) = (name(&method), method.is_client_streaming());
        let mut all = Vec::new();
        ways(&method.input(), &mut Vec::new(), &mut all);
        if all.is_empty() {
            continue;
        }
        let limit = limit(&caller, &method_name, streams).await;
        let before = *begun.get_or_insert_with(|| peak(register.pid()));
        for way in all {
            let path: Vec<&str> = way.iter().map(FieldDescriptor::name).collect();
            let last = way.last().unwrap();
            // What many methods have in common is tried once for each size and form of it.
            if !known.insert((last.full_name().to_owned(), limit, streams, way.len() == 1)) {
                continue;
            }
            for element in elements(last) {
                for most in [usize::MAX, rules(last).max_items.unwrap_or(usize::MAX)] {
                    let message = heavy(&way, &element, limit, most);
                    let kib = message.len() as f64 / 1024.0;
                    let worked_before = worked(register.pid());
                    let answer = caller.call(&method_name, streams, vec![Bytes::from(message)]).await;
                    let took = worked(register.pid()) - worked_before;
                    if let Err(status) = &answer {
                        let code = status.code();
                        let internal = [Code::Internal, Code::Unknown, Code::Unavailable].contains(&code);
                        assert!(!internal, "{method_name} {path:?}: {status:?}");
                    }
                    let may = each_call + (each_kib * kib) as u64;
                    assert!(
                        took <= may,
                        "{method_name} {path:?}, {kib} KiB: worked {took} ms, may {may}"
                    );
                    let grown = peak(register.pid()) - before;
                    assert!(grown < GROWTH, "{method_name} {path:?}, {kib} KiB: {grown} bytes more");
                    calls += 1;
                    if took > dearest.0 {
                        dearest = (took, format!("{method_name} {path:?} {kib} KiB"));
                    }
                }
            }
        }
    }
    let grown = peak(register.pid()) - begun.unwrap();
    println!("{calls} calls, {grown} bytes more, the dearest {dearest:?}");
    assert!(calls > 100, "{calls}");
}
