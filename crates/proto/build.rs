//! Compiles the contract: messages and services (tonic), rules of validity (buf.validate) and the descriptor set that
//! reflection serves. protox reads the sources; `buf/validate/validate.proto` comes from a crate's descriptors.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script what it has to know there"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost_build::{Service, ServiceGenerator};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};
use protox::Compiler;
use protox::file::{ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(root.clone()));
    resolver.add(DescriptorSetFileResolver::decode(
        prost_protovalidate_types::DESCRIPTOR_POOL.encode_to_vec().as_slice(),
    )?);
    resolver.add(GoogleFileResolver::new());

    let mut files = Vec::new();
    sources(&root, &root, &mut files)?;
    files.sort();
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?;
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), without_source(&encoded)?)?;
    let names = compiler
        .file_descriptor_set()
        .file
        .into_iter()
        .filter_map(|file| file.name);
    fs::write(out.join("files.rs"), texts(&root, names)?)?;

    let pool = DescriptorPool::decode(encoded.as_slice())?;
    let choices = choices(&pool);
    let services = |codec| tonic_prost_build::configure().codec_path(codec);
    let mut config = prost_build::Config::new();
    for choice in &choices {
        // A move is then as large as a pointer, and not as its largest request.
        config.boxed(format!(".{}.{}.{}", choice.message, choice.oneof, choice.field));
    }
    config
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .bytes(["."])
        .enable_type_names()
        .include_file("mod.rs")
        .service_generator(Box::new(Services {
            clients: services("crate::codec::Checked")
                .build_server(false)
                .service_generator(),
            servers: services("crate::codec::Weighed")
                .build_client(false)
                .service_generator(),
        }))
        .compile_fds(compiler.file_descriptor_set())?;
    fs::write(out.join("sizes.rs"), sizes(&pool))?;
    fs::write(out.join("choices.rs"), conversions(&choices))?;
    fs::write(out.join("heads.rs"), heads(&pool))?;
    fs::write(out.join("mutations.rs"), mutations(&pool))?;
    fs::write(out.join("cases.rs"), cases(&pool))?;

    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_bytes(without_choices(&encoded)?)
        .fail_on_runtime_only(true)
        .compile()?;
    let rules = out.join("validate_impl.rs");
    fs::write(&rules, bounded(&fs::read_to_string(&rules)?)?)?;
    Ok(())
}

/// The text of each file of the contract and of what it imports, which another crate carries, as the source of a table.
fn texts(root: &Path, names: impl Iterator<Item = String>) -> Result<String, Box<dyn Error>> {
    let types = folder_of("prost-protovalidate-types")?.join("proto");
    let mut table = "&[\n".to_owned();
    for name in names {
        let text = match name.split('/').next() {
            // Every generator has these of its own.
            Some("google") => continue,
            Some("buf") => fs::read_to_string(types.join(&name))?,
            _ => fs::read_to_string(root.join(&name))?,
        };
        table += &format!("    ({name:?}, {text:?}),\n");
    }
    Ok(table + "]\n")
}

/// Where cargo has the sources of a package. All fetched crates lie side by side, and one of them says where it is.
fn folder_of(package: &str) -> Result<PathBuf, Box<dyn Error>> {
    let known = protoc_bin_vendored::protoc_bin_path()?;
    let beside = known.ancestors().nth(3).ok_or("protoc lies nowhere")?;
    let is_it = |name: &str| {
        let version = name.strip_prefix(package).and_then(|rest| rest.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut folders = Vec::new();
    for entry in fs::read_dir(beside)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_it) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders
        .pop()
        .ok_or_else(|| format!("{package} is not in {}", beside.display()))?)
}

/// A field of a oneof.
struct Choice {
    message: String,
    oneof: String,
    field: String,
    of: String,
}

/// The fields of all oneofs of the contract, each a message.
fn choices(pool: &DescriptorPool) -> Vec<Choice> {
    let mut choices = Vec::new();
    for message in own(pool) {
        for field in message.fields() {
            let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
            if let (Some(oneof), Kind::Message(of)) = (oneof, field.kind()) {
                choices.push(Choice {
                    message: message.full_name().to_owned(),
                    oneof: oneof.name().to_owned(),
                    field: field.name().to_owned(),
                    of: of.full_name().to_owned(),
                });
            }
        }
    }
    choices
}

/// The contract's own messages.
fn own(pool: &DescriptorPool) -> impl Iterator<Item = MessageDescriptor> + '_ {
    pool.all_messages()
        .filter(|message| message.full_name().starts_with("mingce."))
}

/// A message as one of the choices that it is for.
fn conversions(choices: &[Choice]) -> String {
    let one = |choice: &Choice| {
        let (message, of) = (path(&choice.message), path(&choice.of));
        let (module, variant) = message.rsplit_once("::").map_or(("", ""), |(module, _)| {
            (module, choice.message.rsplit('.').next().unwrap_or_default())
        });
        let kind = format!("{module}::{}::{}", snake(variant), camel(&choice.oneof));
        format!(
            "impl From<{of}> for {message} {{\n    fn from(request: {of}) -> Self {{\n        Self {{ {}: Some({kind}::{}(Box::new(request))) }}\n    }}\n}}\n",
            choice.oneof,
            camel(&choice.field)
        )
    };
    choices.iter().map(one).collect()
}

/// How many bytes each message takes by itself, without what it points to.
fn sizes(pool: &DescriptorPool) -> String {
    let known = [
        ("google.protobuf.Any", "::prost_types::Any".to_owned()),
        ("google.protobuf.FieldMask", "::prost_types::FieldMask".to_owned()),
        ("google.protobuf.Timestamp", "::prost_types::Timestamp".to_owned()),
    ];
    let own = own(pool).map(|message| (message.full_name().to_owned(), path(message.full_name())));
    let all = own.chain(known.map(|(name, path)| (name.to_owned(), path)));
    let lines: String = all
        .map(|(name, path)| format!("    ({name:?}, ::core::mem::size_of::<{path}>()),\n"))
        .collect();
    format!("pub(super) const SIZES: &[(&str, usize)] = &[\n{lines}];\n")
}

/// Whether it is a resource: the fields 1 to 8 and 100 of all resources are the same.
fn is_resource(message: &MessageDescriptor) -> bool {
    let has = |number: u32, name: &str| message.get_field(number).is_some_and(|field| field.name() == name);
    has(1, "name") && has(4, "revision") && has(8, "survivor") && has(100, "sequence")
}

/// The resources of the contract.
fn heads(pool: &DescriptorPool) -> String {
    let resources = own(pool).filter(is_resource);
    resources
        .map(|message| format!("headed!({});\n", path(message.full_name())))
        .collect()
}

/// The resources of the contract that have a state and verbs, and the cases among them.
fn cases(pool: &DescriptorPool) -> String {
    let mut lines = String::new();
    for message in own(pool).filter(is_resource) {
        let has = |names: &[&str]| names.iter().all(|name| message.get_field_by_name(name).is_some());
        if has(&["state", "verbs", "case", "documents", "document_number"]) {
            lines += &format!("case_message!({});\n", path(message.full_name()));
        } else if has(&["state", "verbs"]) {
            lines += &format!("stateful_message!({});\n", path(message.full_name()));
        }
    }
    lines
}

/// The requests of the contract that change something: each is the message of one method alone.
fn mutations(pool: &DescriptorPool) -> String {
    let mut lines = String::new();
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        let request = method.input();
        let has = |names: &[&str]| names.iter().all(|name| request.get_field_by_name(name).is_some());
        if method.is_client_streaming() || !has(&["request_id", "validate_only"]) {
            continue;
        }
        let path = path(request.full_name());
        lines += &format!("mutation!({path}, {:?});\n", method.name());
        if has(&["name", "etag", "reason"]) {
            lines += &format!("resource_mutation!({path});\n");
            if has(&["document_number", "issuer"]) {
                lines += &format!("documented_mutation!({path});\n");
            }
        }
    }
    lines
}

/// The Rust type of a message of the contract.
fn path(message: &str) -> String {
    let mut parts: Vec<&str> = message.split('.').collect();
    let name = parts.pop().unwrap_or_default();
    let modules: Vec<String> = parts.into_iter().map(snake).collect();
    format!("crate::{}::{name}", modules.join("::"))
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn camel(name: &str) -> String {
    let upper = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('_').map(upper).collect()
}

/// The rules, which look no further once enough is wrong: who is told of 33 wrong fields mends nothing by the 34th, and to
/// tell of each of many thousand costs far more than to read them.
fn bounded(rules: &str) -> Result<String, Box<dyn Error>> {
    const LOOP: &str = ".iter().enumerate() {\n";
    let stop = "if violations.len() > crate::MOST_VIOLATIONS { break; }\n";
    let bounded = rules.replace(LOOP, &format!("{LOOP}{stop}"));
    if bounded.matches(stop).count() < 50 {
        return Err("the generated rules have another form: their loops are not found".into());
    }
    Ok(bounded)
}

/// Clients get messages; servers answer with `Reply`, which may hold a message that is encoded already.
struct Services {
    clients: Box<dyn ServiceGenerator>,
    servers: Box<dyn ServiceGenerator>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, mut service: Service, code: &mut String) {
        self.clients.generate(service.clone(), code);
        self.clients.finalize(code);
        for method in &mut service.methods {
            method.output_type = format!("crate::codec::Reply<super::{}>", method.output_type);
        }
        self.servers.generate(service, code);
        self.servers.finalize(code);
    }
}

/// The contract's files below `folder`, as paths from `root`.
fn sources(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(root, &path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path.strip_prefix(root)?.to_path_buf());
        }
    }
    Ok(())
}

/// The same descriptor set without comments and positions, which no reader at run time wants.
fn without_source(encoded: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    edited(encoded, |file| file.clear_field_by_name("source_code_info"))
}

/// The same with nothing in the messages that are a choice among others, of which the generator of the rules knows nothing: what
/// stands in them is checked by who takes it out.
fn without_choices(encoded: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    edited(encoded, |file| {
        let own = file
            .get_field_by_name("name")
            .is_some_and(|name| name.as_str().is_some_and(|name| name.starts_with("mingce/")));
        let Some(Value::List(messages)) = file.get_field_by_name_mut("message_type") else {
            return;
        };
        for message in messages.iter_mut().filter_map(Value::as_message_mut) {
            if own && is_choice(message) {
                message.clear_field_by_name("field");
                message.clear_field_by_name("oneof_decl");
            }
        }
    })
}

/// Whether a message has a choice. A field that is `optional` stands in one of its own, which is none.
fn is_choice(message: &DynamicMessage) -> bool {
    let fields = message.get_field_by_name("field");
    let fields = fields.as_ref().and_then(|fields| fields.as_list()).unwrap_or_default();
    let is_optional = |field: &DynamicMessage| {
        let optional = field.get_field_by_name("proto3_optional");
        optional.and_then(|value| value.as_bool()).unwrap_or_default()
    };
    let fields = fields.iter().filter_map(Value::as_message);
    fields
        .into_iter()
        .any(|field| field.has_field_by_name("oneof_index") && !is_optional(field))
}

/// The descriptor set with each of its files changed.
fn edited(encoded: &[u8], edit: impl Fn(&mut DynamicMessage)) -> Result<Vec<u8>, Box<dyn Error>> {
    let pool = DescriptorPool::decode(encoded)?;
    let mut set = Vec::new();
    for file in pool.files() {
        // Dynamic messages keep the extensions (permissions, rules) that the generated types would drop.
        let descriptor = pool
            .get_message_by_name("google.protobuf.FileDescriptorProto")
            .ok_or("no descriptor.proto")?;
        let mut dynamic = DynamicMessage::decode(descriptor, file.encode_to_vec().as_slice())?;
        edit(&mut dynamic);
        let body = prost::Message::encode_to_vec(&dynamic);
        prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut set);
        prost::encoding::encode_varint(body.len() as u64, &mut set);
        set.extend_from_slice(&body);
    }
    Ok(set)
}
