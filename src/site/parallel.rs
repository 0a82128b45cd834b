//! The same work on many files, over all cores.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More than this many read no faster, and each holds a buffer.
const MOST_THREADS: usize = 8;

/// The results of `work` on each of `items`, in their order. Each thread has a `tool` of its own, made once.
pub(super) fn map<I: Sync, R: Send, T>(
    items: &[I],
    tool: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, &I) -> R + Sync,
) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
    let next = AtomicUsize::new(0);
    let run = || {
        let mut tool = tool();
        let mut done = Vec::new();
        loop {
            // One at a time: among thousands of small files may be one that takes as long as all of them.
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(&mut tool, item)));
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(run)).collect();
        let mut results = run();
        for other in others {
            match other.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_items_order() {
        let items: Vec<usize> = (0..1000).collect();
        let doubled = map(&items, || 2, |factor, item| item * *factor);
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(map(&[0; 0], || (), |(), item| *item).is_empty());
    }
}
