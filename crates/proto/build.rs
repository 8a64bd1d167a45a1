//! Compiles the contract: messages and services (tonic), rules of validity (buf.validate) and the descriptor set that
//! reflection serves. protox reads the sources; `buf/validate/validate.proto` comes from a crate's descriptors.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost_build::{Service, ServiceGenerator};
use prost_reflect::DescriptorPool;
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

    let services = || tonic_prost_build::configure().codec_path("crate::codec::Checked");
    prost_build::Config::new()
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .bytes(["."])
        .include_file("mod.rs")
        .service_generator(Box::new(Services {
            clients: services().build_server(false).service_generator(),
            servers: services().build_client(false).service_generator(),
        }))
        .compile_fds(compiler.file_descriptor_set())?;
    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_bytes(encoded)
        .fail_on_runtime_only(true)
        .compile()?;
    Ok(())
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
    let pool = DescriptorPool::decode(encoded)?;
    let mut set = Vec::new();
    for file in pool.files() {
        // Dynamic messages keep the extensions (permissions, rules) that the generated types would drop.
        let descriptor = pool
            .get_message_by_name("google.protobuf.FileDescriptorProto")
            .ok_or("no descriptor.proto")?;
        let mut dynamic = prost_reflect::DynamicMessage::decode(descriptor, file.encode_to_vec().as_slice())?;
        dynamic.clear_field_by_name("source_code_info");
        let body = prost::Message::encode_to_vec(&dynamic);
        prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut set);
        prost::encoding::encode_varint(body.len() as u64, &mut set);
        set.extend_from_slice(&body);
    }
    Ok(set)
}
