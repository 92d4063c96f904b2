use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};
use sha2::{Digest, Sha384};

const MIGRATIONS: &str = "src/migrations";

fn main() -> Result<(), Box<dyn Error>> {
    napi_build::setup();
    // A new file must rebuild the crate.
    println!("cargo:rerun-if-changed={MIGRATIONS}");
    embed_migrations(Path::new(&env::var("OUT_DIR")?))
}

/// Writes what `src/store/schema/embedded.rs` includes: the texts of all migrations, without their comments and compressed as one, and a
/// table of them.
fn embed_migrations(to: &Path) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(MIGRATIONS)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let (mut texts, mut table) = (String::new(), String::from("&[\n"));
    for file in files {
        let text = without_comments(&fs::read_to_string(&file)?);
        let name = file.file_stem().and_then(|name| name.to_str());
        let parts = name.and_then(|name| name.split_once('_'));
        let (version, description) = parts.ok_or("a migration is named 0001_what_it_adds.sql")?;
        let _ = writeln!(
            table,
            "    Embedded {{ version: {}, description: {:?}, checksum: &{:?}, length: {} }},",
            version.parse::<u32>()?,
            description.replace('_', " "),
            Sha384::digest(&text).as_slice(),
            text.len(),
        );
        texts.push_str(&text);
    }
    let level = CompressionLevel::BestCompression as u8;
    fs::write(
        to.join("migrations.deflated"),
        compress_to_vec(texts.as_bytes(), level),
    )?;
    fs::write(to.join("migrations.rs"), table + "]\n")?;
    Ok(())
}

/// Leaves out the lines that are comments, which would be 15 KB of the addon.
fn without_comments(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect()
}
