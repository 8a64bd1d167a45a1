//! The log: to stderr, compact for people or JSON for machines, filtered by RUST_LOG.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::start_error::StartError;

/// What is logged where RUST_LOG says nothing: failures of calls and what an operator should know.
const DEFAULT: &str = "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,h2=warn,hyper=warn";

/// The form of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// One line for people.
    #[default]
    Compact,
    /// One JSON object in each line.
    Json,
}

/// Starts the log of this process.
///
/// # Errors
/// Where RUST_LOG cannot be read, or a log was started before.
#[expect(clippy::disallowed_methods, reason = "the log is set up before flags are read")]
pub fn init(format: Format) -> Result<(), StartError> {
    let filter = filter(std::env::var("RUST_LOG").ok().as_deref())?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        Format::Compact => builder.compact().with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    started.map_err(|error| StartError::Telemetry(error.to_string()))
}

fn filter(wish: Option<&str>) -> Result<EnvFilter, StartError> {
    let wish = wish.filter(|text| !text.trim().is_empty()).unwrap_or(DEFAULT);
    EnvFilter::try_new(wish)
        .map_err(|error| StartError::Telemetry(format!("RUST_LOG={wish}: {error}; right is for example {DEFAULT}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_and_none_is_the_default() {
        assert_eq!(
            filter(Some(" ")).unwrap().to_string(),
            filter(None).unwrap().to_string()
        );
        assert!(filter(None).unwrap().to_string().contains("sqlx=warn"));
        let error = filter(Some("mingce=loud")).unwrap_err().to_string();
        assert!(error.contains("mingce=loud") && error.contains(DEFAULT), "{error}");
    }
}
