//! The methods of the contract, the rules of their fields, and what the system says of the process that serves them.

use std::fs;

use mingce_proto::names::POOL;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

/// Every method of the register.
pub fn methods() -> Vec<MethodDescriptor> {
    let services = POOL.services().filter(|s| s.full_name().starts_with("mingce."));
    services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

/// A method's name as it is called, for example `mingce.labs.v1.LabService/GetLab`.
pub fn name(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// What the contract allows in a field.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub pattern: Option<String>,
    pub uuid: bool,
    pub min_len: usize,
    pub max_len: Option<usize>,
    pub max_items: Option<usize>,
    pub min_items: usize,
}

/// The rules of a field; of a repeated one also those of its items.
pub fn rules(field: &FieldDescriptor) -> Rules {
    let extension = POOL.get_extension_by_name("buf.validate.field").unwrap();
    let options = field.options();
    if !options.has_extension(&extension) {
        return Rules::default();
    }
    let all = options.get_extension(&extension);
    let all = all.as_message().unwrap();
    let mut rules = Rules::default();
    if let Some(repeated) = below(all, "repeated") {
        rules.max_items = number(&repeated, "max_items");
        rules.min_items = number(&repeated, "min_items").unwrap_or(0);
        if let Some(items) = below(&repeated, "items") {
            of_string(&items, &mut rules);
        }
    }
    of_string(all, &mut rules);
    rules
}

fn of_string(all: &DynamicMessage, rules: &mut Rules) {
    let Some(string) = below(all, "string") else { return };
    let pattern = string.get_field_by_name("pattern").unwrap();
    rules.pattern = pattern.as_str().filter(|p| !p.is_empty()).map(str::to_owned);
    rules.uuid = string
        .get_field_by_name("uuid")
        .is_some_and(|v| v.as_bool() == Some(true));
    rules.min_len = number(&string, "min_len").unwrap_or(0);
    rules.max_len = number(&string, "max_len");
}

fn below(message: &DynamicMessage, field: &str) -> Option<DynamicMessage> {
    message
        .has_field_by_name(field)
        .then(|| message.get_field_by_name(field).unwrap().as_message().unwrap().clone())
}

fn number(message: &DynamicMessage, field: &str) -> Option<usize> {
    let set = message.has_field_by_name(field);
    set.then(|| usize::try_from(message.get_field_by_name(field).unwrap().as_u64().unwrap()).unwrap())
}

/// The message that a field holds.
pub fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(of) => Some(of),
        _ => None,
    }
}

/// A text that matches a pattern: the longest of some.
pub fn matching(pattern: &str, tries: usize) -> String {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = proptest::string::string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap();
    let texts = (0..tries).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    texts.max_by_key(String::len).unwrap()
}

/// The most memory that a process has had, in bytes.
pub fn peak(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// The time on processors that a process has had, in milliseconds.
pub fn worked(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // In hundredths of a second.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}
