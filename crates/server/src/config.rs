//! How a server listens and what it bears.

use std::time::Duration;

use crate::clock::Clock;
use crate::layer::deadline::Times;
use crate::transport::accept::Limits;

/// How a server listens and what it bears. The defaults suit a public port.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// How long a unary call may take that says nothing of it. Streams then have the maximum.
    pub default_deadline: Duration,
    /// How long any call may take.
    pub maximum_deadline: Duration,
    /// How long the message of a unary call may take to come in.
    pub request_time: Duration,
    /// Calls that run at once; one more is refused.
    pub in_flight: u32,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address (of IPv6: from one /64).
    pub connections_per_address: usize,
    /// Calls that run at once on one connection; further ones wait in the client.
    pub streams_per_connection: u32,
    /// How long a new connection may say nothing.
    pub first_bytes: Duration,
    /// How often a connection is asked whether it still lives.
    pub keep_alive: Duration,
    /// How long it may take to answer that.
    pub keep_alive_timeout: Duration,
    /// Bytes that a caller may send ahead on one stream.
    pub stream_window: u32,
    /// Bytes that a caller may send ahead on one connection.
    pub connection_window: u32,
    /// Largest request of a unary call, in bytes.
    pub unary_bytes: usize,
    /// Largest message of a stream, in bytes.
    pub message_bytes: usize,
    /// Memory that the large requests of all calls together may take, in bytes. Each call has 64 KiB beside it.
    pub request_memory: usize,
    /// Memory that calls may take whose requests have not come whole yet, in bytes. A connection may have a quarter of it.
    pub half_open_memory: usize,
    /// Memory that answers may take which wait to be read, in bytes. A connection may have half of it.
    pub answer_memory: usize,
    /// When the server ends: how long health says so before connections are refused.
    pub drain_notice: Duration,
    /// When the server ends: how long calls may still run.
    pub drain_limit: Duration,
    /// The time that calls are made at.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50051".to_owned(),
            default_deadline: Duration::from_secs(30),
            maximum_deadline: Duration::from_secs(600),
            request_time: Duration::from_secs(10),
            in_flight: 1024,
            connections: 1280,
            connections_per_address: 256,
            streams_per_connection: 100,
            first_bytes: Duration::from_secs(5),
            keep_alive: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(10),
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            unary_bytes: 256 * 1024,
            message_bytes: 1024 * 1024,
            request_memory: 256 << 20,
            half_open_memory: 24 << 20,
            answer_memory: 24 << 20,
            drain_notice: Duration::from_millis(250),
            drain_limit: Duration::from_secs(10),
            clock: Clock::default(),
        }
    }
}

/// Open files that are not for connections: the database's, the log's, the runtime's.
const OTHER_FILES: usize = 48;
/// So many connections are taken in any case.
const FEWEST: usize = 8;

/// How many connections are taken where the system lets the program have so many open files.
fn within(files: usize, wanted: usize) -> usize {
    wanted.min(files.saturating_sub(OTHER_FILES).max(FEWEST))
}

impl Config {
    pub(crate) fn times(&self) -> Times {
        Times {
            default: self.default_deadline,
            maximum: self.maximum_deadline,
            request: self.request_time,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let files = rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX);
        let connections = within(usize::try_from(files).unwrap_or(usize::MAX), self.connections);
        if connections < self.connections {
            tracing::warn!(
                "{connections} connections are taken at most: the system lets this program have {files} open files"
            );
        }
        Limits {
            connections,
            per_address: self.connections_per_address,
            streams: self.streams_per_connection,
            first_bytes: self.first_bytes,
            stream_window: self.stream_window,
            connection_window: self.connection_window,
            keep_alive: self.keep_alive,
            keep_alive_timeout: self.keep_alive_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_open_files_for_the_database() {
        assert_eq!(within(2048, 1280), 1280);
        assert_eq!(within(1024, 1280), 976);
        assert_eq!(within(64, 1280), 16);
        assert_eq!(within(32, 1280), 8);
    }
}
