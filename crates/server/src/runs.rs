//! The runs that imports go on with in several streams: what their rows meant so far. Kept in memory alone, and few of them: after a
//! restart the streams that follow are a run of their own.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use mingce_orm::seen::Seen;

/// How many runs are remembered at once.
const RUNS: usize = 16;
/// How many bytes of memory they take together, before the oldest is let go.
const BYTES: usize = 64 << 20;

struct Run {
    /// Its collection, and what its streams call it.
    name: (&'static str, String),
    seen: Arc<Mutex<Seen>>,
}

/// The one that was gone on with last is the last.
static OPEN: LazyLock<Mutex<Vec<Run>>> = LazyLock::new(Mutex::default);

/// What the rows of a run of this name meant so far. Streams without a name are runs of their own.
pub(crate) fn of(collection: &'static str, name: &str) -> Arc<Mutex<Seen>> {
    if name.is_empty() {
        return Arc::default();
    }
    let name = (collection, name.to_owned());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = open.iter().position(|run| run.name == name);
    let run = known.map_or_else(
        || Run {
            name,
            seen: Arc::default(),
        },
        |place| open.remove(place),
    );
    let seen = Arc::clone(&run.seen);
    open.push(run);
    let bytes = |run: &Run| run.seen.lock().unwrap_or_else(PoisonError::into_inner).bytes();
    let mut taken: usize = open.iter().map(bytes).sum();
    while open.len() > RUNS || (taken > BYTES && open.len() > 1) {
        taken -= bytes(&open.remove(0)).min(taken);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_collection_and_name_until_many_others_went_on() {
        let first = of("labs", "a run");
        assert!(Arc::ptr_eq(&first, &of("labs", "a run")));
        assert!(!Arc::ptr_eq(&first, &of("talents", "a run")));
        assert!(!Arc::ptr_eq(&of("labs", ""), &of("labs", "")));
        for other in 0..RUNS {
            of("labs", &format!("run {other}"));
        }
        assert!(!Arc::ptr_eq(&first, &of("labs", "a run")));
    }
}
