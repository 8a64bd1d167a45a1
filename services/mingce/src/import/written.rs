//! The files that an import writes beside: refused rows, and the records that were made because rows named them.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use mingce_mapping::{Mapping, RefusedWriter, Source, Table};

use super::{ImportArgs, Summary};
use crate::lang::Lang;
use crate::replaced::replace;

/// Checks the names of the files before anything is sent.
pub fn check(args: &ImportArgs, source: &Source, lang: Lang) -> Result<()> {
    let file = args.file.canonicalize().ok();
    for (flag, path) in [("--refused", &args.refused), ("--created", &args.created)] {
        let Some(path) = path else { continue };
        let same = file.is_some() && path.canonicalize().ok() == file;
        ensure!(
            !same,
            match lang {
                Lang::En => format!("{flag} names the file that is imported: name another"),
                Lang::Zh => format!("{flag} 就是要导入的文件：请另取文件名"),
            }
        );
    }
    if let Some(path) = &args.refused {
        match (source.is_json(), ending(path).as_str()) {
            (false, "xlsx" | "csv") | (true, "jsonl" | "ndjson") => {}
            (false, _) => bail!(
                lang.choose(
                    "--refused 写出 .xlsx 或 .csv：请用这样的扩展名",
                    "--refused writes .xlsx or .csv: name a file that ends so"
                )
                .to_owned()
            ),
            (true, _) => bail!(
                lang.choose(
                    "导入的文件是 JSON 行，--refused 也写出 JSON 行：请用 .jsonl 扩展名",
                    "--refused writes JSON lines where the file has such: name a file that ends in .jsonl"
                )
                .to_owned()
            ),
        }
    }
    if let Some(path) = &args.created {
        ensure!(
            ["xlsx", "csv"].contains(&ending(path).as_str()),
            lang.choose(
                "--created 写出 .xlsx 或 .csv：请用这样的扩展名",
                "--created writes .xlsx or .csv: name a file that ends so"
            )
            .to_owned()
        );
        ensure!(
            args.refused.as_ref() != Some(path),
            lang.choose(
                "--refused 与 --created 是同一个文件：请分开",
                "--refused and --created name one file: name two"
            )
            .to_owned()
        );
    }
    Ok(())
}

fn ending(path: &Path) -> String {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.unwrap_or_default()
}

/// Writes the refused rows beside the target first, so that a file that is there is replaced whole or not at all. Where nothing
/// was refused, the file of an earlier run goes: nobody shall mend its rows again.
pub fn refused(
    args: &ImportArgs,
    mapping: &Mapping,
    source: &Source,
    summary: &Summary,
    lang: Lang,
) -> Result<Option<String>> {
    let Some(path) = &args.refused else { return Ok(None) };
    if summary.refused() == 0 {
        return match std::fs::remove_file(path) {
            Ok(()) => Ok(Some(match lang {
                Lang::En => format!("nothing was refused; {} of an earlier run was removed", path.display()),
                Lang::Zh => format!("没有被拒的行；已删除上次的 {}", path.display()),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
        };
    }
    let writer = RefusedWriter::new(mapping, source, &summary.refusals);
    replace(path, |file| {
        let out = std::io::BufWriter::new(file);
        match ending(path).as_str() {
            "xlsx" => writer.write_xlsx(out)?,
            _ => writer.write(out)?,
        }
        Ok(())
    })?;
    let (rows, file) = (writer.len(), path.display());
    Ok(Some(match lang {
        Lang::En => format!("{rows} rows were written to {file}; mend them and import that file in the same way"),
        Lang::Zh => format!("{rows} 行已写入 {file}；改好后以同样方式导入该文件"),
    }))
}

/// Writes the records that were made, or would be.
pub fn created(args: &ImportArgs, summary: &Summary, lang: Lang) -> Result<Option<String>> {
    let Some(path) = &args.created else { return Ok(None) };
    let header = ["collection", "display_name", "key", "name"].map(str::to_owned);
    replace(path, |file| {
        let out = std::io::BufWriter::new(file);
        let mut table = match ending(path).as_str() {
            "xlsx" => Table::xlsx(out, "created", header.len())?,
            _ => Table::csv(out, ',')?,
        };
        table.row(&header)?;
        for made in &summary.made {
            let cells = [&made.collection, &made.display_name, &made.key, &made.name];
            table.row(&cells.map(|text| text.clone()))?;
        }
        Ok(table.finish()?)
    })?;
    let (records, file) = (summary.made.len(), path.display());
    Ok(Some(match lang {
        Lang::En => format!("{records} records were written to {file}"),
        Lang::Zh => format!("{records} 条记录已写入 {file}"),
    }))
}
