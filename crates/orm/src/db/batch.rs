//! How calls that wait come to share a statement or a transaction.

use tokio::sync::mpsc;

/// The weight from which a batch takes no more: the rows of about one piece of an import.
const MAX_WEIGHT: usize = 1024;

/// What waits in a queue, at most so many; none once the queue has ended. Whoever is about to ask gets the chance to do so
/// first, where others run: that is no wait, and fewer statements are shared by more. Nothing is added once what was taken
/// weighs [`MAX_WEIGHT`]: the pieces of several imports then follow each other, and while one is written the next is prepared.
pub(crate) async fn drain_batch<T>(queue: &mut mpsc::Receiver<T>, most: usize, weight: impl Fn(&T) -> usize) -> Vec<T> {
    let Some(first) = queue.recv().await else {
        return Vec::new();
    };
    let (mut weighs, mut waiting) = (weight(&first), vec![first]);
    for has_yielded in [false, true] {
        while waiting.len() < most
            && weighs < MAX_WEIGHT
            && let Ok(another) = queue.try_recv()
        {
            weighs += weight(&another);
            waiting.push(another);
        }
        if !has_yielded && waiting.len() < most && weighs < MAX_WEIGHT {
            tokio::task::yield_now().await;
        }
    }
    waiting
}
