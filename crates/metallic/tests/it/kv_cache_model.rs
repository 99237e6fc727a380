//! The KV cache beside a list of rows, over random operations on a device that fails now and then.

use metallic::Dtype;
use metallic::caching::CacheRegistrySlot;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::slots::{KvCacheConfig, KvCacheState};
use proptest::prelude::*;

use crate::vec_device::{VecDevice, VecTensor};

#[derive(Clone, Debug)]
enum Op {
    /// Reserves, writes and advances, so many positions.
    Step(usize),
    /// Reserves and writes as many as it is the first number, and advances over no more than the second.
    PartOfStep(usize, usize),
    Truncate(usize),
    Reset,
    Clear,
    /// The device has so many allocations and copies left.
    Fail(u64, u64),
    Recover,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1_usize..12).prop_map(Op::Step),
        2 => (1_usize..40, 0_usize..40).prop_map(|(written, counted)| Op::PartOfStep(written, counted)),
        2 => (0_usize..80).prop_map(Op::Truncate),
        1 => Just(Op::Reset),
        1 => Just(Op::Clear),
        2 => (0_u64..12, 0_u64..20).prop_map(|(allocations, copies)| Op::Fail(allocations, copies)),
        3 => Just(Op::Recover),
    ]
}

/// The expected content: by layer, keys and values, sequence, position, the elements of that row.
struct Model {
    layers: usize,
    batch: usize,
    width: usize,
    rows: Vec<[Vec<Vec<Vec<f32>>>; 2]>,
    len: usize,
}

impl Model {
    fn new(layers: usize, batch: usize, width: usize) -> Self {
        let rows = (0..layers).map(|_| [vec![Vec::new(); batch], vec![Vec::new(); batch]]).collect();
        Self { layers, batch, width, rows, len: 0 }
    }

    fn truncate(&mut self, len: usize) {
        self.len = len.min(self.len);
        self.rows.iter_mut().flatten().flatten().for_each(|rows| rows.truncate(len));
    }

    /// Writes fresh rows to all tensors, of which the first `counted` are kept.
    fn write(
        &mut self,
        cache: &mut KvCacheState<VecTensor>,
        device: &VecDevice,
        next: &mut f32,
        written: usize,
        counted: usize,
    ) {
        for (layer, rows) in self.rows.iter_mut().enumerate() {
            let tensors = cache.layer_mut(layer).unwrap();
            let capacity = tensors.capacity;
            for (tensor, rows) in [tensors.keys, tensors.values].into_iter().zip(rows) {
                for (sequence, rows) in rows.iter_mut().enumerate() {
                    for position in 0..written {
                        let row: Vec<f32> = (0..self.width).map(|column| *next + column as f32).collect();
                        *next += 8.0;
                        let at = (sequence * capacity + self.len + position) * self.width;
                        device.write(tensor, at, &row).unwrap();
                        if position < counted {
                            rows.push(row);
                        }
                    }
                }
            }
        }
        self.len += counted;
        cache.advance(counted).unwrap();
    }

    fn check(&self, cache: &KvCacheState<VecTensor>, device: &VecDevice) -> Result<(), TestCaseError> {
        prop_assert_eq!(cache.len(), self.len);
        prop_assert_eq!(cache.bytes(), device.live_bytes(), "only its tensors are there");
        prop_assert!(cache.bytes() <= cache.config().max_bytes());
        prop_assert!(cache.capacity() <= cache.config().max_positions());
        prop_assert_eq!(cache.metrics().peak_bytes, device.most_live_bytes());
        if cache.capacity() == 0 {
            prop_assert_eq!(self.len, 0);
            return Ok(());
        }
        for (layer, rows) in self.rows.iter().enumerate() {
            let tensors = cache.layer(layer).unwrap();
            for (tensor, rows) in [tensors.keys, tensors.values].into_iter().zip(rows) {
                for (sequence, rows) in rows.iter().enumerate() {
                    let at = sequence * tensors.capacity * self.width;
                    let held = device.read(tensor, at..at + self.len * self.width).unwrap();
                    prop_assert_eq!(held, rows.concat());
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn it_holds_what_a_list_of_rows_holds(
        (layers, batch, width) in (1_usize..4, 1_usize..4, 1_usize..4),
        max_positions in 1_usize..100,
        max_bytes in 1_u64..20_000,
        padding in prop_oneof![3 => Just(0_u64), 1 => 1_u64..200],
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let device = VecDevice::default();
        device.set_padding(padding);
        let config = KvCacheConfig::new(layers, width, Dtype::F32, max_bytes)
            .with_batch(batch)
            .with_max_positions(max_positions);
        let most = config.max_positions();
        let mut cache = KvCacheState::new(config);
        let mut model = Model::new(layers, batch, width);
        let (mut next, mut failing, mut refusals, mut failures) = (0.0, false, 0, 0);
        for op in ops {
            match op {
                Op::Step(_) | Op::PartOfStep(..) => {
                    let (written, counted) = match op {
                        Op::Step(positions) => (positions, positions),
                        Op::PartOfStep(written, counted) => (written, counted.min(written)),
                        _ => unreachable!(),
                    };
                    let before = (cache.capacity(), cache.bytes());
                    match cache.reserve(&device, written) {
                        Ok(()) => {
                            prop_assert!(cache.capacity() >= model.len + written);
                            model.check(&cache, &device)?;
                            model.write(&mut cache, &device, &mut next, written, counted);
                        }
                        Err(error) => {
                            prop_assert_eq!((cache.capacity(), cache.bytes()), before);
                            match error {
                                MetalError::KvCacheFull { positions, max_positions, needed_bytes, limit_bytes } => {
                                    refusals += 1;
                                    prop_assert_eq!((positions, max_positions), (model.len + written, most));
                                    prop_assert_eq!(limit_bytes, max_bytes);
                                    prop_assert!(positions > most || needed_bytes > limit_bytes);
                                }
                                MetalError::Device { .. } => {
                                    failures += 1;
                                    prop_assert!(failing);
                                }
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                }
                Op::Truncate(len) => {
                    cache.truncate(len);
                    model.truncate(len);
                }
                Op::Reset => {
                    cache.reset();
                    model.truncate(0);
                }
                Op::Clear => {
                    cache.clear_slot();
                    model.truncate(0);
                    prop_assert_eq!(device.live_bytes(), 0);
                }
                Op::Fail(allocations, copies) => {
                    failing = true;
                    device.fail_after_allocations(allocations);
                    device.fail_after_copies(copies);
                }
                Op::Recover => {
                    failing = false;
                    device.fail_after_allocations(None);
                    device.fail_after_copies(None);
                }
            }
            model.check(&cache, &device)?;
            prop_assert_eq!((cache.metrics().refusals, cache.metrics().failed_growths), (refusals, failures));
        }
        prop_assert_eq!((cache.layers(), cache.batch()), (model.layers, model.batch));
    }
}
