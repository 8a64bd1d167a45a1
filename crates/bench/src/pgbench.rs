//! What PostgreSQL alone can do: pgbench with the statements that the register sends for one call, on a copy of its rows.
//!
//! The copy's ids and sort keys are numbers, so that pgbench can choose any row. Its rows lie in the order of the
//! register's, and it has the same indexes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::calls::Kind;
use crate::cpu::{Used, Watch};
use crate::postgres::Postgres;

const COPY: &str = "
CREATE SCHEMA limits;
CREATE TABLE limits.talents (LIKE public.talents INCLUDING ALL EXCLUDING INDEXES);
CREATE TABLE limits.ledger (LIKE public.ledger INCLUDING ALL);
CREATE TABLE limits.requests (LIKE public.requests INCLUDING ALL);
CREATE TABLE limits.talents_keys (LIKE public.talents_keys INCLUDING ALL);
CREATE TABLE limits.talents_values (LIKE public.talents_values INCLUDING ALL);
CREATE SEQUENCE limits.ledger_sequence;
CREATE SEQUENCE limits.person START 1000000000;
CREATE TEMP TABLE numbered AS SELECT id,
    row_number() OVER (ORDER BY id) AS number, row_number() OVER (ORDER BY sort_key, id) AS place FROM public.talents;
CREATE INDEX ON numbered (id);
ANALYZE numbered;
CREATE TEMP TABLE copied AS SELECT t.*, n.number, n.place FROM public.talents t JOIN numbered n ON n.id = t.id ORDER BY n.number;
UPDATE copied SET id = lpad(number::text, 26, '0'), sort_key = lpad(place::text, 26, '0');
ALTER TABLE copied DROP COLUMN number, DROP COLUMN place;
INSERT INTO limits.talents SELECT * FROM copied ORDER BY id;
SELECT replace(indexdef, ' ON public.', ' ON limits.') FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'talents'
\\gexec
VACUUM ANALYZE limits.talents;
CHECKPOINT;
";

const GET: &str = "
\\set n random(1, :persons)
SELECT t.id, t.body FROM limits.talents t WHERE t.id = lpad(:n::text, 26, '0');
";

const PAGE: &str = "
\\set n random(0, :persons - 51)
SELECT t.body, t.sort_key, t.id FROM limits.talents t WHERE t.record_status = 1
AND (t.sort_key, t.id) > (lpad(:n::text, 26, '0'), '') ORDER BY t.sort_key, t.id LIMIT 51;
";

/// Makes the script of a create: what the register looks up and writes for one person that came with a request id, in
/// one transaction. The register's ledger numbers come from one row that every writer must lock; here they come from a
/// sequence, which no other transaction waits for.
const CREATE: &str = r"
SELECT substr(resource, 9) AS person FROM public.requests WHERE resource LIKE 'talents/%' LIMIT 1
\gset
SELECT '\set place random(1, :persons)';
SELECT 'BEGIN;';
SELECT 'SELECT nextval(''limits.person'') AS person \gset';
SELECT 'SELECT digest FROM limits.requests WHERE request_id = :person::text AND actor = '''';';
SELECT 'SELECT t.body FROM limits.talents_keys k JOIN limits.talents t ON t.id = k.id WHERE k.key = '
    || quote_literal(key || '/') || ' || :person::text FOR UPDATE OF t, k;'
FROM public.talents_keys WHERE id = :'person';
SELECT format($$SELECT 'INSERT INTO limits.%1$s (%2$s) VALUES (' || concat_ws(', ', %3$s) || ');' FROM public.%1$s t WHERE %4$s$$,
    table_name,
    string_agg(column_name, ', ' ORDER BY ordinal_position),
    string_agg(CASE
        WHEN column_name = 'sort_key' THEN $$'lpad(:place::text, 26, ''0'')'$$
        WHEN column_name = 'sequence' THEN $$'nextval(''limits.ledger_sequence'')'$$
        WHEN column_name = 'id' THEN $$'lpad(:person::text, 26, ''0'')'$$
        WHEN column_name = 'resource' THEN $$'''talents/'' || lpad(:person::text, 26, ''0'')'$$
        WHEN column_name = 'request_id' THEN $$':person::text'$$
        WHEN column_name = 'key' THEN $$quote_literal(t.key || '/') || ' || :person::text'$$
        ELSE format('quote_nullable(t.%I::text)', column_name) END, ', ' ORDER BY ordinal_position),
    CASE WHEN table_name IN ('ledger', 'requests') THEN 't.resource = ' || quote_literal('talents/' || :'person')
        ELSE 't.id = ' || quote_literal(:'person') END)
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name IN ('talents', 'talents_keys', 'talents_values', 'requests', 'ledger')
GROUP BY table_name ORDER BY table_name = 'ledger', table_name = 'requests', table_name
\gexec
SELECT 'COMMIT;';
";

/// Copies the register's persons for [`measure`], and answers how many there are.
///
/// # Errors
/// Where a statement fails.
pub async fn prepare(postgres: &Postgres, database: &str) -> Result<u64> {
    postgres.psql(database, COPY).await?;
    let count = postgres.psql(database, "SELECT count(*) FROM limits.talents").await?;
    count.trim().parse().context("the copy cannot be counted")
}

/// What pgbench said.
#[derive(Debug)]
pub struct Said {
    /// Transactions.
    pub transactions: u64,
    /// Transactions per second, without the time of connecting.
    pub per_second: f64,
    /// What was used of the machine.
    pub used: Used,
}

/// Runs the statements of a call with so many clients.
///
/// # Errors
/// Where pgbench or a transaction of it fails.
pub async fn measure(
    postgres: &Postgres,
    database: &str,
    kind: Kind,
    clients: usize,
    time: Duration,
    persons: u64,
) -> Result<Said> {
    let script = match kind {
        Kind::Get => GET.to_owned(),
        Kind::Page => PAGE.to_owned(),
        _ => postgres.psql(database, CREATE).await?,
    };
    let counting = Watch {
        server: None,
        database: Some(postgres.pid()),
    }
    .begin()?;
    let said = postgres.pgbench(database, &script, clients, time, persons).await?;
    let used = counting.end()?;
    let transactions = number(&said, "number of transactions actually processed: ")?;
    let failed = number(&said, "number of failed transactions: ").unwrap_or(0.0);
    ensure!(failed == 0.0 && transactions > 0.0, "pgbench had failures\n{said}");
    if kind == Kind::Create {
        let count = "SELECT (SELECT count(*) FROM limits.ledger), (SELECT count(*) FROM limits.requests), \
                     (SELECT count(*) FROM limits.talents), (SELECT count(DISTINCT id) FROM limits.talents_keys)";
        let counted = postgres.psql(database, count).await?;
        let counted: Vec<u64> = counted.trim().split('|').filter_map(|word| word.parse().ok()).collect();
        let all = matches!(counted.as_slice(), [entries, requests, rows, keys]
            if *entries == rows - persons && entries == requests && entries == keys && *entries >= transactions as u64);
        ensure!(
            all,
            "{transactions} transactions left {counted:?} rows in ledger, requests, talents and keys"
        );
    }
    Ok(Said {
        transactions: transactions as u64,
        per_second: number(&said, "tps = ")?,
        used,
    })
}

fn number(said: &str, before: &str) -> Result<f64> {
    let line = said.lines().find_map(|line| line.strip_prefix(before));
    let word = line.and_then(|rest| rest.split([' ', '/']).next());
    word.and_then(|word| word.parse().ok())
        .with_context(|| format!("pgbench did not say {before:?}\n{said}"))
}
