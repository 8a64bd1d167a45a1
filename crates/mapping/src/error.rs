//! Why a mapping or a file as a whole cannot be used. What is wrong with one row is a [`Refusal`](crate::Refusal).

use std::{fmt, io};

/// What is wrong with a file, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
}

/// One thing in both languages.
pub(crate) fn said(en: impl Into<String>, zh: impl Into<String>) -> Said {
    Said {
        en: en.into(),
        zh: zh.into(),
    }
}

/// Why a workbook cannot be read.
pub(crate) fn broken(error: impl std::fmt::Display) -> Said {
    said(
        format!("a broken workbook: {error}; fetch or copy it again, or open it and save it as .xlsx"),
        format!("工作簿已损坏（{error}）；请重新下载或复制，或打开后另存为 .xlsx"),
    )
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

impl std::error::Error for Said {}

impl From<Said> for io::Error {
    fn from(said: Said) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, said)
    }
}

impl From<io::Error> for Said {
    /// What a reader of ours said, or what the system says.
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Said>()) {
            Some(said) => said.clone(),
            None => said(error.to_string(), format!("无法读取（{error}）")),
        }
    }
}

/// A mapping or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mapping's text is wrong at a place.
    #[error("mapping, {place}: {problem}")]
    Mapping {
        /// Where, for example `part 2 (talents), names[1].text`.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// `--as` names nothing that is known.
    #[error(
        "no mapping {name:?}{meant}: give a mapping that ships ({shipped}), a collection ({collections}) or the path of a TOML file"
    )]
    UnknownMapping {
        /// What was asked for.
        name: String,
        /// The mappings that ship.
        shipped: String,
        /// The collections.
        collections: String,
        /// The collection that the name is another spelling of, in words; empty for none.
        meant: String,
    },
    /// A column that the mapping speaks of is not in the file.
    #[error("{source_name}: no column {column:?}; there are {present}{}", hint.en)]
    ColumnMissing {
        /// The file.
        source_name: String,
        /// The header that was looked for.
        column: String,
        /// The headers that there are.
        present: String,
        /// Where the headers seem to be, in words; empty where that is not seen.
        hint: Box<Said>,
    },
    /// The file cannot be read as what it is.
    #[error("{source_name}: {problem}")]
    Source {
        /// The file.
        source_name: String,
        /// What is wrong and where.
        problem: Box<Said>,
    },
    /// The operating system refused.
    #[error("{name}: {error}")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// A value cannot be written in the format that was asked for.
    #[error("{0}")]
    Write(String),
}

impl Error {
    /// An error of the mapping at `place`.
    pub(crate) fn mapping(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Error::Mapping {
            place: place.into(),
            problem: problem.into(),
        }
    }

    /// An error of the file `name`.
    pub(crate) fn source(name: &str, problem: impl Into<Said>) -> Self {
        Error::Source {
            source_name: name.to_owned(),
            problem: Box::new(problem.into()),
        }
    }

    /// The same in Chinese. What is wrong with the text of a mapping stays in English, as its keys are.
    pub fn chinese(&self) -> String {
        match self {
            Error::Mapping { place, problem } => format!("映射有误，{place}：{problem}"),
            Error::UnknownMapping {
                name,
                shipped,
                collections,
                ..
            } => format!(
                "没有名为 {name:?} 的映射：请给出自带的映射（{shipped}）、一个集合（{collections}），或 TOML 文件的路径"
            ),
            Error::ColumnMissing {
                source_name,
                column,
                present,
                hint,
            } => format!("{source_name}：没有“{column}”这一列；现有的列：{present}{}", hint.zh),
            Error::Source { source_name, problem } => format!("{source_name}：{}", problem.zh),
            Error::Io { name, error } => {
                let what = match error.kind() {
                    io::ErrorKind::NotFound => "文件不存在",
                    io::ErrorKind::PermissionDenied => "没有读写权限",
                    _ => "系统无法读写该文件",
                };
                format!("{name}：{what}（{error}）")
            }
            Error::Write(problem) => problem.clone(),
        }
    }

    /// An error of the operating system with the file `name`.
    pub(crate) fn io(name: &str, error: io::Error) -> Self {
        Error::Io {
            name: name.to_owned(),
            error,
        }
    }
}
