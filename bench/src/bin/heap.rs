//! Prints the bytes of heap that a full cache takes, for each of its entries.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use metallic_bench::scenario::groups;
use metallic_bench::table;

/// The system's allocator, counting the bytes that were asked for and not given back.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls go to the system's allocator as they come.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZES: [usize; 2] = [1000, 100_000];

fn main() {
    let hits = groups().into_iter().find(|group| group.name == "hit").expect("hits are measured");
    let mut rows = Vec::new();
    for row in hits.rows.iter().filter(|row| !row.name.contains("sink") && !row.name.contains("cache_mut")) {
        let mut cells = vec![row.name.to_owned()];
        for size in SIZES {
            let workload = (hits.workload)(size);
            let before = LIVE.load(Ordering::Relaxed);
            let subject = row.build(&workload);
            let bytes = LIVE.load(Ordering::Relaxed) - before;
            cells.push(format!("{:.1}", bytes as f64 / size as f64));
            drop(subject);
        }
        let ours = row.name.starts_with("registry");
        cells.push(if ours { "112 at 1000".into() } else { String::new() });
        rows.push(cells);
    }
    table::print("Heap, bytes an entry", &table::header("entries", &SIZES, "bar"), &rows);
}
