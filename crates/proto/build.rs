//! Compiles the contract: messages and services (tonic), rules of validity (buf.validate) and the descriptor set that
//! reflection serves. protox reads the sources; `buf/validate/validate.proto` comes from a crate's descriptors.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

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

    tonic_prost_build::configure()
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .codec_path("crate::codec::Checked")
        .bytes(".")
        .include_file("mod.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_bytes(encoded)
        .fail_on_runtime_only(true)
        .compile()?;
    Ok(())
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
