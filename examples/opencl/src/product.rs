//! A kernel: matrix products, a program for each inner size.

use std::sync::Arc;

use metallic::PortableKernel;
use metallic::caching::{CacheableKernel, Creation};
use metallic::creation::{Artifact, Content, Fingerprint, PersistentKernel};
use metallic::error::Error;
use opencl3::program::Program;
use serde::{Deserialize, Serialize};

use crate::device::{OpenClDevice, binary};

pub const TILE: usize = 16;
const SOURCE: &str = include_str!("product.cl");

/// Identifies a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProductKey {
    inner: usize,
}

pub struct Product;

impl ProductKey {
    fn options(&self) -> String {
        format!("-DTILE={TILE} -DINNER={}", self.inner)
    }

    fn compile(&self, device: &OpenClDevice) -> Result<Artifact, Error> {
        let program = device.compile(SOURCE, &self.options())?;
        // PoCL compiles for a form of launch when it first sees one, and its binary has what is compiled by then.
        let zeros = vec![0.0; TILE * self.inner];
        device.multiply(&program, [&zeros, &zeros], self.inner, TILE)?;
        binary(&program).map(Artifact::native)
    }
}

impl CacheableKernel<OpenClDevice> for Product {
    type Key = ProductKey;
    type CachedResource = Arc<Program>;
    type Params = usize;

    const CACHE_NAME: &'static str = "product";

    fn create_cache_key(&inner: &usize) -> ProductKey {
        ProductKey { inner }
    }

    fn create_cached_resource(
        key: &ProductKey,
        device: Option<&OpenClDevice>,
    ) -> Result<Arc<Program>, Error> {
        let device = device.ok_or_else(|| Error::kernel("a program needs a device"))?;
        device.compile(SOURCE, &key.options()).map(Arc::new)
    }

    fn create(key: &ProductKey, cx: &mut Creation<'_, Self, OpenClDevice>) -> Result<Arc<Program>, Error> {
        let device = cx.device().ok_or_else(|| Error::kernel("a program needs a device"))?;
        let load = |artifact: &Artifact| {
            let code = artifact.payload(Artifact::NATIVE).unwrap_or_default();
            // SAFETY: this driver has given these bytes, for this device: they were made just now, or the store has compared all
            // of them, and the names of driver and device, with what they were when they were made.
            unsafe { device.load(code) }.map(Arc::new)
        };
        load(&cx.artifact(|| key.compile(device))?).or_else(|refusal| {
            cx.reject(&refusal.to_string());
            load(&cx.artifact(|| key.compile(device))?)
        })
    }
}

impl PortableKernel<OpenClDevice> for Product {
    const SCHEMA: u32 = 1;
}

impl PersistentKernel<OpenClDevice> for Product {
    fn fingerprint(device: &OpenClDevice) -> Fingerprint {
        Fingerprint::new()
            .with_layer(Fingerprint::BUILD, &device.build)
            .with_layer("driver", &device.driver)
            .with_layer("device", &device.name)
    }

    fn content(key: &ProductKey, _: &OpenClDevice) -> Option<Content> {
        Some(Content::new().with("source", SOURCE).with("options", key.options()))
    }
}
