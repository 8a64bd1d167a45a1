//! Watches a register under attack: what its memory does, and how a good caller fares.
//!
//! `MINGCE_ATTACK_P99=2` also holds the 99th percentile of the good caller's times to so many times that of before the
//! attack. That is for a quiet machine: the attack itself runs on it.

use std::env;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mingce_e2e::Register;
use mingce_proto::labs::ListLabsRequest;
use tokio::task::JoinHandle;
use tonic::Status;

/// What the memory may grow by.
const GROWS: usize = 64 << 20;

/// How many calls the good caller makes before the attack.
const QUIET: usize = 400;

/// So many calls has a 99th percentile that a handful of them do not make.
const ENOUGH: usize = 1000;

/// Looks on from its beginning to its end.
pub struct MemoryMonitor {
    status: String,
    before: usize,
    over: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    quiet: Duration,
    caller: JoinHandle<(Vec<Duration>, Vec<Status>)>,
}

/// The 99th percentile.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100]
}

impl MemoryMonitor {
    /// Begins to look on, and a good caller to call.
    pub async fn begin(register: &Register) -> Self {
        // Once before, so that what is made for the first call of all is there.
        list(register.labs()).await.unwrap();
        let mut quiet = Vec::new();
        for _ in 0..QUIET {
            let began = Instant::now();
            list(register.labs()).await.unwrap();
            quiet.push(began.elapsed());
            // A fixed wait: the pace of the good caller.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let process = format!("/proc/{}", register.pid());
        let over = Arc::new(AtomicBool::new(false));
        let (labs, ends) = (register.labs(), Arc::clone(&over));
        let calls = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&calls);
        let caller = tokio::spawn(async move {
            let (mut served, mut refused) = (Vec::new(), Vec::new());
            while !ends.load(Ordering::SeqCst) {
                let began = Instant::now();
                match list(labs.clone()).await {
                    Ok(()) => served.push(began.elapsed()),
                    Err(status) => refused.push(status),
                }
                made.fetch_add(1, Ordering::SeqCst);
                // A fixed wait: the same pace.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (served, refused)
        });
        // From here on the peak is counted anew.
        fs::write(format!("{process}/clear_refs"), "5").unwrap();
        let status = format!("{process}/status");
        let before = memory(&status, "VmRSS:");
        Self {
            status,
            before,
            over,
            calls,
            quiet: p99(quiet),
            caller,
        }
    }

    /// Waits until the good caller has made enough calls for a percentile, its first ones among them, where one is held
    /// to anything. For an attack that stands.
    pub async fn stands(&self) {
        let began = Instant::now();
        while env::var("MINGCE_ATTACK_P99").is_ok()
            && self.calls.load(Ordering::SeqCst) < ENOUGH
            && began.elapsed() < Duration::from_secs(30)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The good caller was served and never refused, and the memory has not grown. What it may be again when the attack
    /// is over.
    #[allow(clippy::print_stdout)]
    pub async fn end(self) -> RetainedMemory {
        // The attack stands: a last call, from its beginning to its end, while it does.
        let (made, began) = (self.calls.load(Ordering::SeqCst), Instant::now());
        while self.calls.load(Ordering::SeqCst) < made + 2 && began.elapsed() < Duration::from_secs(30) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let peak = memory(&self.status, "VmHWM:");
        self.over.store(true, Ordering::SeqCst);
        let (served, refused) = self.caller.await.unwrap();
        assert!(
            refused.is_empty(),
            "{} refused, {} served: {:?}",
            refused.len(),
            served.len(),
            refused[0]
        );
        assert!(!served.is_empty(), "nobody was served");
        let grown = peak.saturating_sub(self.before);
        assert!(
            grown < GROWS,
            "grown by {} MiB from {} MiB",
            grown >> 20,
            self.before >> 20
        );
        let calls = served.len();
        let (quiet, attacked) = (self.quiet, p99(served));
        println!(
            "p99 of {QUIET} calls before: {quiet:.1?}, of {calls} in the attack: {attacked:.1?}; grown by {} MiB",
            grown >> 20
        );
        if let Ok(most) = env::var("MINGCE_ATTACK_P99") {
            let most: f64 = most.parse().unwrap();
            assert!(
                attacked <= quiet.mul_f64(most),
                "p99 {attacked:.1?}, before {quiet:.1?}"
            );
        }
        RetainedMemory(self.status, self.before)
    }
}

/// What the register kept of an attack.
pub struct RetainedMemory(String, usize);

impl RetainedMemory {
    /// Waits until most of it is free for others. The allocator gives back when it is asked for more, each thread what
    /// is its own, so several call meanwhile.
    pub async fn given_back(self, register: &Register) {
        let began = Instant::now();
        loop {
            let mut lists = tokio::task::JoinSet::new();
            for _ in 0..8 {
                lists.spawn(list(register.labs()));
            }
            while let Some(listed) = lists.join_next().await {
                listed.unwrap().unwrap();
            }
            let kept = memory(&self.0, "VmRSS:").saturating_sub(self.1);
            if kept < GROWS / 2 {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{} MiB are kept", kept >> 20);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn list(
    mut labs: mingce_proto::labs::lab_service_client::LabServiceClient<tonic::transport::Channel>,
) -> Result<(), Status> {
    let request = ListLabsRequest {
        page_size: 1,
        ..ListLabsRequest::default()
    };
    labs.list_labs(request).await.map(|_| ())
}

fn memory(status: &str, what: &str) -> usize {
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}
