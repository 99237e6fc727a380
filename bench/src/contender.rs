//! The subjects, and the one loop they are measured in.

use std::hint::black_box;
use std::rc::Rc;

use crate::workload::{Params, Workload};

/// Something that finds a resource by parameters, or makes it.
pub trait Contender {
    type Found<'a>
    where
        Self: 'a;

    fn get_or_create(&mut self, params: &Params) -> Self::Found<'_>;
}

/// The same loop for every contender. Kept out of line, so that filling and measuring run the same code.
#[inline(never)]
pub fn look_up<C: Contender>(contender: &mut C, params: &[Params], indices: &[u32]) {
    for &index in indices {
        black_box(contender.get_or_create(black_box(&params[index as usize])));
    }
}

/// A contender ready to be measured.
pub struct Subject {
    renew: Box<dyn FnMut()>,
    run: Box<dyn FnMut()>,
    /// Operations of one run.
    pub operations: u64,
}

impl Subject {
    /// Fills `state` as the workload asks. `contender` is what is called in the loop.
    pub fn new<S: 'static, C: Contender>(
        workload: &Rc<Workload>,
        mut state: S,
        contender: impl Fn(&mut S) -> &mut C + 'static,
    ) -> Self {
        look_up(contender(&mut state), &workload.params.borrow(), &workload.first);
        let operations = workload.sequence.len() as u64;
        let misses = if workload.misses { operations } else { 0 };
        let (workload, renewed) = (workload.clone(), workload.clone());
        let run = move || {
            let made = workload.forge.made();
            look_up(contender(&mut state), &workload.params.borrow(), &workload.sequence);
            assert_eq!(workload.forge.made() - made, misses, "resources made by {operations} look-ups");
        };
        Self { renew: Box::new(move || renewed.renew()), run: Box::new(run), operations }
    }

    /// A subject with a loop of its own.
    pub fn with_loop(operations: u64, run: impl FnMut() + 'static) -> Self {
        Self { renew: Box::new(|| ()), run: Box::new(run), operations }
    }

    /// To be called before each run, unmeasured.
    pub fn renew(&mut self) {
        (self.renew)();
    }

    /// Runs the workload's sequence once. Panics if it did not hit, or miss, as it should.
    pub fn run(&mut self) {
        (self.run)();
    }
}
