//! How long the codec takes for one resource: `cargo run --release -p fhir --example codec_throughput [FILE…]`.
//! Without files, the fixtures of `fixtures/fhir/codec`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

use fhir::codec::{Format, decode_tree, encode_xml};
use serde_json::Value;

fn main() -> io::Result<()> {
    let mut files: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fhir/codec");
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
        files.sort();
    }
    eprintln!("microseconds: JSON in, per KB (serde_json alone) | XML out | XML in");
    for file in files {
        let value: Value = serde_json::from_slice(&fs::read(&file)?)?;
        let name = value
            .get("resourceType")
            .and_then(Value::as_str)
            .unwrap_or("Patient");
        let body = serde_json::to_vec(&value)?;
        let json = micros(|| decode_tree(&body, Format::Json, name).is_ok());
        let plain = micros(|| serde_json::from_slice::<Value>(&body).is_ok());
        let Ok(tree) = decode_tree(&body, Format::Json, name) else {
            continue;
        };
        let Ok(xml) = encode_xml(&tree) else { continue };
        let out = micros(|| encode_xml(&tree).is_ok());
        let back = micros(|| decode_tree(xml.as_bytes(), Format::Xml, name).is_ok());
        eprintln!(
            "{json:7.1}, {:5.1} ({plain:7.1}) | {out:7.1} | {back:7.1}  {} bytes  {}",
            json * 1024.0 / body.len() as f64,
            body.len(),
            file.file_name().unwrap_or_default().display()
        );
    }
    Ok(())
}

/// The best of many short rounds, per call: on a busy machine some are not interrupted.
fn micros(mut work: impl FnMut() -> bool) -> f64 {
    const CALLS: u32 = 20;
    (0..400)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..CALLS {
                black_box(work());
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .fold(f64::INFINITY, f64::min)
}
