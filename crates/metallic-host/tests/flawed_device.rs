//! The findings of conformance of a device with two flaws in its keys.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use metallic::caching::{Composition, SharedRegistry};
use metallic::creation::Sample;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::for_each_operation;
use metallic::kernels::add::{AddKernel, AddParams};
use metallic::kernels::gelu::{GeluApproximation, GeluKernel, GeluParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::Dtype;
use metallic_conformance::{Checked, Found, check, check_all};
use metallic_host::{HostDevice, HostTensor};

/// A host whose plans say what they were compiled from, which is their key. With `is_flawed`, sums are compiled at a level of
/// optimisation that no key has, and that rises with each plan; and both forms of GELU are compiled to the same.
struct Compiling {
    host: HostDevice,
    is_flawed: bool,
    level: AtomicU32,
}

impl Compiling {
    fn new(is_flawed: bool) -> Self {
        Self { host: HostDevice::new(), is_flawed, level: AtomicU32::new(0) }
    }

    fn compile<O: Operation>(&self, key: &O::Key) -> Composition {
        let source = format!("{key:?}");
        let is_add = self.is_flawed && O::NAME == AddKernel::NAME;
        let is_gelu = self.is_flawed && O::NAME == GeluKernel::NAME;
        let source = if is_gelu { source.replace("Tanh", "any").replace("None", "any") } else { source };
        let level = if is_add { self.level.fetch_add(1, Ordering::Relaxed) } else { 3 };
        Composition::new().with("source", source).with("level", level)
    }
}

#[derive(Clone)]
struct Compiled<P> {
    plan: P,
    made_of: Composition,
}

impl ComputeDevice for Compiling {
    type Tensor = HostTensor;

    fn supports(&self, dtype: Dtype) -> bool {
        self.host.supports(dtype)
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<HostTensor, MetalError> {
        self.host.zeros(elements, dtype)
    }

    fn write(&self, tensor: &mut HostTensor, offset: usize, values: &[f32]) -> Result<(), MetalError> {
        self.host.write(tensor, offset, values)
    }

    fn read(&self, tensor: &HostTensor, range: Range<usize>) -> Result<Vec<f32>, MetalError> {
        self.host.read(tensor, range)
    }

    fn copy(
        &self,
        from: &HostTensor,
        from_offset: usize,
        to: &mut HostTensor,
        to_offset: usize,
        elements: usize,
    ) -> Result<(), MetalError> {
        self.host.copy(from, from_offset, to, to_offset, elements)
    }

    fn synchronize(&self) -> Result<(), MetalError> {
        self.host.synchronize()
    }
}

macro_rules! compile_each {
    ($($operation:ty),+) => { $(
        impl Runs<$operation> for Compiling {
            type Plan = Compiled<<HostDevice as Runs<$operation>>::Plan>;

            fn plan(&self, key: &<$operation as Operation>::Key) -> Result<Self::Plan, MetalError> {
                let plan = <HostDevice as Runs<$operation>>::plan(&self.host, key)?;
                Ok(Compiled { plan, made_of: self.compile::<$operation>(key) })
            }

            fn run(
                &self,
                plan: &Self::Plan,
                key: &<$operation as Operation>::Key,
                call: <$operation as Operation>::Call<'_, HostTensor>,
            ) -> Result<(), MetalError> {
                <HostDevice as Runs<$operation>>::run(&self.host, &plan.plan, key, call)
            }

            fn plan_composition(plan: &Self::Plan) -> Option<Composition> {
                Some(plan.made_of.clone())
            }
        }
    )+ };
}

for_each_operation!(compile_each);

/// The findings of each operation, or the panic that ends its check.
fn found(device: &Compiling) -> Vec<(&'static str, Result<Found, String>)> {
    let mut all = Vec::new();
    macro_rules! find_each {
        ($($operation:ty),+) => { $(
            let checked = catch_unwind(AssertUnwindSafe(|| <$operation as Checked>::change_inputs(device)));
            let message = |panic: Box<dyn std::any::Any + Send>| {
                *panic.downcast::<String>().expect("a check panics with a text")
            };
            all.push((<$operation as Operation>::NAME, checked.map_err(message)));
        )+ };
    }
    for_each_operation!(find_each);
    all
}

#[test]
fn of_a_device_whose_plans_are_their_keys_each_changed_input_is_in_key_and_plan() {
    check_all(&Compiling::new(false), 4);
    for (operation, found) in found(&Compiling::new(false)) {
        let found = found.unwrap_or_else(|panic| panic!("{panic}"));
        assert!(found.key_and_plan > 0, "{operation}: {found:?}");
        assert_eq!(found.key_alone, [""; 0], "{operation}");
    }
}

#[test]
fn a_key_that_lacks_an_input_and_one_that_has_one_too_many_are_found_and_no_others() {
    let right = found(&Compiling::new(false));
    for ((operation, found), (_, right)) in found(&Compiling::new(true)).into_iter().zip(right) {
        match operation {
            "add" => {
                let panic = found.expect_err("the level is not in the key");
                let begin =
                    "add: AddParams { dtype: F32 }: the same key, and another plan when it is created again";
                assert_eq!(panic, format!("{begin}: level is `1`, was `0`"));
            }
            "gelu" => {
                let found = found.expect("a key that is too specific is not wrong");
                let params = GeluParams { approximation: GeluApproximation::None, dtype: Dtype::F32 };
                assert_eq!(found.key_alone, [format!("gelu: {params:?}")]);
            }
            _ => assert_eq!(found, right, "{operation}"),
        }
    }
}

#[test]
#[should_panic(expected = "add: AddParams { dtype: F32 }: the same key, and another plan")]
fn the_checks_of_an_operation_end_at_a_key_that_lacks_an_input() {
    check::<AddKernel, _>(&Compiling::new(true), 4);
}

#[test]
fn verification_of_a_registry_finds_the_same_two() -> Result<(), MetalError> {
    let registry = SharedRegistry::with_device(Compiling::new(true));
    for dtype in [Dtype::F32, Dtype::F16] {
        registry.get_or_create::<AddKernel>(&AddParams { dtype }, None)?;
    }
    for approximation in [GeluApproximation::None, GeluApproximation::Tanh] {
        registry.get_or_create::<GeluKernel>(&GeluParams { approximation, dtype: Dtype::F32 }, None)?;
    }
    let add = registry.verify::<AddKernel>(&Sample::all());
    let labels: Vec<_> = add.incomplete.iter().map(|(label, _)| &**label).collect();
    assert_eq!(labels, ["add:AddKey{dtype:F16}", "add:AddKey{dtype:F32}"]);
    assert!(
        add.incomplete.iter().all(|(_, changes)| changes.len() == 1 && changes[0].starts_with("level is "))
    );
    assert!(add.over_specific.is_empty() && !add.is_clean(), "{add}");

    let gelu = registry.verify::<GeluKernel>(&Sample::all());
    assert!(gelu.is_clean() && gelu.same == 2, "{gelu}");
    let both = ["None", "Tanh"].map(|form| format!("gelu:GeluKey{{approximation:{form},dtype:F32}}").into());
    assert_eq!(gelu.over_specific, [both]);
    Ok(())
}
