//! Kernels whose keys mean the same in another process, and on another machine.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caching::CacheableKernel;
use crate::creation::Supervisor;
use crate::device::Device;
use crate::kernels::{Operation, Runs};

/// A kernel with a portable key: one of plain values, without handles, numbers of buffers, identities or paths.
///
/// Kernels are portable by type: a kernel that does not implement this cannot be recorded, warmed up or stored.
///
/// ```
/// use metallic::PortableKernel;
/// # use metallic::caching::CacheableKernel;
/// # use metallic::{Device, error::MetalError};
/// # struct Shader;
/// #[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
/// struct ShaderKey {
///     width: u32,
/// }
/// # impl CacheableKernel for Shader {
/// #     type Key = ShaderKey;
/// #     type CachedResource = ();
/// #     type Params = u32;
/// #     const CACHE_NAME: &'static str = "shader";
/// #     fn create_cache_key(&width: &u32) -> ShaderKey { ShaderKey { width } }
/// #     fn create_cached_resource(_: &ShaderKey, _: Option<&Device>) -> Result<(), MetalError> { Ok(()) }
/// # }
///
/// impl PortableKernel for Shader {
///     const SCHEMA: u32 = 1;
/// }
/// ```
pub trait PortableKernel<D = Device>:
    CacheableKernel<D, Key: Serialize + DeserializeOwned + Send + Sync>
{
    /// The version of the meaning of keys and artifacts. To be raised when the fields of the key, their order, or what they say
    /// change: what was recorded or stored under another version is then passed over.
    const SCHEMA: u32;

    /// Has `supervisor` watch over the creations in the caches that a device has for itself, if it has any. Called when the kernel
    /// is registered in a registry of the device.
    fn supervise_device(_device: &D, _supervisor: &Supervisor) {}
}

impl<O, D> PortableKernel<D> for O
where
    O: Operation<Key: Serialize + DeserializeOwned + Send + Sync>,
    D: Runs<O>,
{
    const SCHEMA: u32 = O::SCHEMA;

    fn supervise_device(device: &D, supervisor: &Supervisor) {
        device.supervise(supervisor);
    }
}
