//! Holds the surface of the contract to a file that reads as its documentation: `tests/golden/contract.txt`.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use mingce_e2e::binary::{mingce, run, workspace};
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, Value,
};

#[test]
fn the_contract_is_the_accepted_one() {
    let file = workspace().join("tests/golden/contract.txt");
    let present = surface();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &present).unwrap();
    }
    let accepted = fs::read_to_string(&file).unwrap_or_default();
    let (before, after): (HashSet<_>, HashSet<_>) = (accepted.lines().collect(), present.lines().collect());
    let gone: Vec<_> = accepted.lines().filter(|line| !after.contains(line)).collect();
    let new: Vec<_> = present.lines().filter(|line| !before.contains(line)).collect();
    assert!(
        accepted == present,
        "the contract's surface is not the one of {}\nno longer there: {gone:#?}\nnew: {new:#?}\n\
         where this is meant, accept it with 'tests/run accept-contract'",
        file.display()
    );
}

/// As for a client developer who has nothing of this project but the program.
#[test]
fn what_the_command_writes_compiles_by_itself_and_is_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let (out, built) = (folder.path().join("contract"), folder.path().join("built.binpb"));
    let mut command = Command::new(mingce());
    let said = run(command.arg("contract").arg("--out").arg(&out)).succeeded();
    assert!(said.contains("written to"), "{said}");
    let mut build = Command::new(workspace().join(".tools/bin/buf"));
    run(build
        .arg("build")
        .arg(&out)
        .arg("-o")
        .arg(&built)
        .current_dir(folder.path()))
    .succeeded();
    let of = |file: &Path| {
        let pool = DescriptorPool::decode(fs::read(file).unwrap().as_slice()).unwrap();
        let methods = pool.services().flat_map(|service| {
            let methods = service.methods().map(|method| method.full_name().to_owned());
            methods.collect::<Vec<_>>()
        });
        methods
            .filter(|name| name.starts_with("mingce."))
            .collect::<HashSet<_>>()
    };
    let present: HashSet<_> = pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| method.full_name().to_owned())
        .filter(|name| name.starts_with("mingce."))
        .collect();
    assert!(present.len() > 100);
    assert_eq!(of(&built), present);
    assert_eq!(of(&out.join("mingce.binpb")), present);
}

#[test]
fn each_method_names_a_permission_of_its_own_service() {
    for method in pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        if !method.full_name().starts_with("mingce.") {
            continue;
        }
        let package = method
            .parent_service()
            .package_name()
            .split('.')
            .nth(1)
            .unwrap()
            .to_owned();
        // What all cases share belongs to none of the three.
        let package = if method.parent_service().name() == "CaseService" {
            "cases".to_owned()
        } else {
            package
        };
        let permission = permission(&method);
        let parts: Vec<_> = permission.split('.').collect();
        assert!(
            parts.len() == 3 && parts[0] == package,
            "{} asks for `{permission}`",
            method.full_name()
        );
    }
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(mingce_proto::DESCRIPTORS).unwrap()
}

/// Everything that a client can see, one line each, under a full name so that each line stands alone.
fn surface() -> String {
    let mut files: Vec<FileDescriptor> = pool()
        .files()
        .filter(|file| file.package_name().starts_with("mingce."))
        .collect();
    files.sort_by(|a, b| a.name().cmp(b.name()));
    let mut text = String::from(
        "# What the contract offers: methods with their permission, fields with number, type and rules, values of enums.\n",
    );
    for file in files {
        writeln!(text, "\n# {}", file.name()).unwrap();
        for service in file.services() {
            for method in service.methods() {
                method_line(&mut text, &method);
            }
        }
        for extension in file.extensions() {
            writeln!(text, "option {} = {}", extension.full_name(), extension.number()).unwrap();
        }
        for message in file.messages() {
            message_lines(&mut text, &message);
        }
        for values in file.enums() {
            enum_lines(&mut text, &values);
        }
    }
    text
}

fn method_line(text: &mut String, method: &MethodDescriptor) {
    let stream = |is: bool| if is { "stream " } else { "" };
    writeln!(
        text,
        "rpc {}({}{}) {}{} [{}]",
        method.full_name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name(),
        permission(method),
    )
    .unwrap();
}

fn permission(method: &MethodDescriptor) -> String {
    let option = method
        .parent_pool()
        .get_extension_by_name("mingce.registry.v1.permission")
        .unwrap();
    method
        .options()
        .get_extension(&option)
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn message_lines(text: &mut String, message: &MessageDescriptor) {
    if message.is_map_entry() {
        return;
    }
    writeln!(text, "message {}{}", message.full_name(), rules(&message.options())).unwrap();
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    for field in fields {
        let one_of = field
            .containing_oneof()
            .filter(|one_of| !one_of.is_synthetic())
            .map(|one_of| format!(" (one of {})", one_of.name()))
            .unwrap_or_default();
        writeln!(
            text,
            "{}.{} = {} {}{one_of}{}",
            message.full_name(),
            field.name(),
            field.number(),
            kind(&field),
            rules(&field.options())
        )
        .unwrap();
    }
    for range in message.reserved_ranges() {
        writeln!(text, "{} reserves {}..{}", message.full_name(), range.start, range.end).unwrap();
    }
    for nested in message.child_messages() {
        message_lines(text, &nested);
    }
    for nested in message.child_enums() {
        enum_lines(text, &nested);
    }
}

fn enum_lines(text: &mut String, values: &EnumDescriptor) {
    for value in values.values() {
        writeln!(text, "{}.{} = {}", values.full_name(), value.name(), value.number()).unwrap();
    }
}

fn kind(field: &FieldDescriptor) -> String {
    let one = format!("{:?}", field.kind());
    match field.cardinality() {
        _ if field.is_map() => format!("map {one}"),
        Cardinality::Repeated => format!("repeated {one}"),
        _ if field.supports_presence() && field.kind().as_message().is_none() => format!("optional {one}"),
        _ => one,
    }
}

/// The rules of validity among the options, as ` {string {min_len 1}}`.
fn rules(options: &DynamicMessage) -> String {
    let mut rules: Vec<_> = options
        .extensions()
        .filter(|(extension, _)| extension.full_name().starts_with("buf.validate."))
        .map(|(_, value)| format!(" {}", plain(value)))
        .collect();
    rules.sort();
    rules.concat()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Message(message) => {
            let fields: Vec<_> = message
                .fields()
                .map(|(field, value)| format!("{} {}", field.name(), plain(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::List(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::String(text) => format!("{text:?}"),
        Value::Bool(value) => value.to_string(),
        Value::I32(value) | Value::EnumNumber(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}
