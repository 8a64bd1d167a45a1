//! What the rows of runs meant so far, for calls that go on with a run. That of an import is kept in its database, and here while its calls
//! come; that of a dry run, which writes nothing, is here alone.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mingce_orm::write::run_notes::RunNotes;
use mingce_orm::{Error, Store};

/// How many bytes of memory the runs of each sort take together, before the one that was not gone on with for longest is let go.
const BYTES: usize = 64 << 20;
/// An import that nobody goes on with is let go after so long: the database has what it meant.
const IDLE: Duration = Duration::from_secs(60);
/// A dry run after so long.
const IDLE_DRY: Duration = Duration::from_secs(600);

/// The run, or the id of the import; its collection, and which part of it.
type Name = (String, &'static str, i32);

struct Run {
    name: Name,
    seen: Arc<Mutex<RunNotes>>,
    used: Instant,
}

/// Runs of one sort. The one that was gone on with last is the last.
#[derive(Default)]
struct Runs(Mutex<Vec<Run>>);

static IMPORTS: LazyLock<Runs> = LazyLock::new(Runs::default);
static DRY: LazyLock<Runs> = LazyLock::new(Runs::default);

impl Runs {
    fn get(&self, name: &Name) -> Option<Arc<Mutex<RunNotes>>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = open.iter().position(|run| run.name == *name)?;
        let mut run = open.remove(place);
        run.used = Instant::now();
        let seen = Arc::clone(&run.seen);
        open.push(run);
        Some(seen)
    }

    /// What is known of a run; `seen` where nothing is.
    fn get_or(&self, name: Name, seen: RunNotes) -> Arc<Mutex<RunNotes>> {
        if let Some(known) = self.get(&name) {
            return known;
        }
        let seen = Arc::new(Mutex::new(seen));
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(Run {
            name,
            seen: Arc::clone(&seen),
            used: Instant::now(),
        });
        let bytes = |run: &Run| run.seen.lock().unwrap_or_else(PoisonError::into_inner).bytes();
        let mut taken: usize = open.iter().map(bytes).sum();
        while taken > BYTES && open.len() > 1 {
            taken -= bytes(&open.remove(0)).min(taken);
        }
        seen
    }

    /// Lets go those that nobody has gone on with for so long, and that no call holds.
    fn let_go(&self, idle: Duration) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|run| run.used.elapsed() < idle || Arc::strong_count(&run.seen) > 1);
    }
}

/// What the rows of an import meant so far. `is_new`: this is its first call.
pub(crate) async fn of_import(store: &Store, name: Name, is_new: bool) -> Result<Arc<Mutex<RunNotes>>, Error> {
    if let Some(known) = IMPORTS.get(&name) {
        return Ok(known);
    }
    let seen = if is_new {
        RunNotes::default()
    } else {
        store.seen((&name.0, name.1, name.2)).await?
    };
    Ok(IMPORTS.get_or(name, seen.kept()))
}

/// What the rows of a dry run meant so far. One without a name is a run of its own.
pub(crate) fn of_dry(name: Name) -> Arc<Mutex<RunNotes>> {
    if name.0.is_empty() {
        return Arc::default();
    }
    DRY.get_or(name, RunNotes::default())
}

/// Gives back the memory of runs that nobody goes on with.
pub fn let_go() {
    IMPORTS.let_go(IDLE);
    DRY.let_go(IDLE_DRY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_name_collection_and_part_however_many_others_there_are() {
        let runs = Runs::default();
        let of = |name: &str, part: i32| runs.get_or((name.to_owned(), "labs", part), RunNotes::default());
        let first = of("a run", 0);
        for other in 0..1000 {
            of(&format!("run {other}"), 0);
        }
        assert!(Arc::ptr_eq(&first, &of("a run", 0)));
        assert!(!Arc::ptr_eq(&first, &of("a run", 1)));
        assert!(!Arc::ptr_eq(
            &of_dry((String::new(), "labs", 0)),
            &of_dry((String::new(), "labs", 0))
        ));
    }

    #[test]
    fn memory_is_given_back_once_nobody_goes_on() {
        let runs = Runs::default();
        let held = runs.get_or(("held".to_owned(), "labs", 0), RunNotes::default());
        runs.get_or(("idle".to_owned(), "labs", 0), RunNotes::default());
        runs.let_go(Duration::from_secs(60));
        assert!(runs.get(&("idle".to_owned(), "labs", 0)).is_some());
        runs.let_go(Duration::ZERO);
        assert!(runs.get(&("idle".to_owned(), "labs", 0)).is_none());
        assert!(
            runs.get(&("held".to_owned(), "labs", 0))
                .is_some_and(|seen| Arc::ptr_eq(&seen, &held))
        );
    }
}
