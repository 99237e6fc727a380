//! Compiled pipelines kept across processes, as Metal's binary archives.

use std::{env, fs};

use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::{AnyClass, ProtocolObject};
use objc2_foundation::{NSArray, NSError, NSProcessInfo, NSString, NSURL};
use objc2_metal::{
    MTLBinaryArchive, MTLBinaryArchiveDescriptor, MTLComputePipelineDescriptor, MTLComputePipelineState,
    MTLDevice, MTLPipelineOption,
};

use super::compile::{COMPILATION, MetalPipeline, specialize};
use super::key::MetalPipelineKey;
use super::private_file::PrivateFile;
use crate::caching::Creation;
use crate::creation::{Artifact, Fingerprint, PersistentKernel};
use crate::device::Device;
use crate::error::MetalError;

type Archive = Retained<ProtocolObject<dyn MTLBinaryArchive>>;
type Pipeline = Retained<ProtocolObject<dyn MTLComputePipelineState>>;

/// The rest of what an archive depends on. Compiler and driver are the system's, whose version has the number of its build.
pub(super) fn fingerprint(device: &Device) -> Fingerprint {
    let system = NSProcessInfo::processInfo().operatingSystemVersionString();
    Fingerprint::new()
        .with_layer("compiler", concat!("metallic ", env!("CARGO_PKG_VERSION"), ", default options"))
        .with_layer("os", format!("{} {} {system}", env::consts::OS, env::consts::ARCH))
        .with_layer("device", device.name().to_string())
}

/// Returns `true` if the system has binary archives, as macOS has from version 11 on.
pub(super) fn are_supported() -> bool {
    AnyClass::get(c"MTLBinaryArchiveDescriptor").is_some()
}

/// Creates from the stored archive, or compiles into one and stores that. A device that keeps no archives compiles as without a
/// store.
pub(super) fn create<K: PersistentKernel>(
    key: &MetalPipelineKey,
    cx: &mut Creation<'_, K, Device>,
) -> Result<MetalPipeline, MetalError> {
    let device = cx.device().ok_or(MetalError::DeviceNotAvailable)?;
    autoreleasepool(|_| {
        let descriptor = MTLComputePipelineDescriptor::new();
        let function = specialize(key, device)?;
        descriptor.setComputeFunction(Some(&function));
        if let Some(stored) = cx.stored() {
            // An artifact without that payload is not one of ours, and no archive is empty.
            match load(stored.payload(Artifact::NATIVE).unwrap_or_default(), &descriptor, device) {
                Ok(pipeline) => return Ok(MetalPipeline::of(pipeline)),
                Err(refusal) => cx.reject(&refusal),
            }
        }
        let archive = compile_archive(&descriptor, device);
        if let Ok(archive) = &archive {
            descriptor.setBinaryArchives(Some(&NSArray::from_slice(&[&**archive])));
        }
        let pipeline = pipeline(&descriptor, MTLPipelineOption::None, device)
            .map_err(|error| MetalError::ns_error(COMPILATION, &error))?;
        if let Some(bytes) = archive.ok().and_then(|archive| serialize(&archive)) {
            cx.store(bytes);
        }
        Ok(MetalPipeline::of(pipeline))
    })
}

/// Makes the pipeline of an archive of these bytes, and compiles nothing.
///
/// # Errors
/// The system's word, or Metal's: the archive is damaged, of another system or device, or does not have the pipeline.
fn load(
    bytes: &[u8],
    descriptor: &MTLComputePipelineDescriptor,
    device: &Device,
) -> Result<Pipeline, String> {
    let file = PrivateFile::within(&env::temp_dir()).map_err(|error| error.to_string())?;
    fs::write(file.path(), bytes).map_err(|error| error.to_string())?;
    let refusal = |error: Retained<NSError>| error.localizedDescription().to_string();
    let archive = open(Some(&file), device).map_err(refusal)?;
    descriptor.setBinaryArchives(Some(&NSArray::from_slice(&[&*archive])));
    let pipeline = pipeline(descriptor, MTLPipelineOption::FailOnBinaryArchiveMiss, device);
    descriptor.setBinaryArchives(None);
    // Metal may read the file until the pipeline is there.
    drop(file);
    pipeline.map_err(refusal)
}

fn compile_archive(
    descriptor: &MTLComputePipelineDescriptor,
    device: &Device,
) -> Result<Archive, Retained<NSError>> {
    let archive = open(None, device)?;
    archive.addComputePipelineFunctionsWithDescriptor_error(descriptor)?;
    Ok(archive)
}

/// Opens the archive in a file, or an empty one.
fn open(file: Option<&PrivateFile>, device: &Device) -> Result<Archive, Retained<NSError>> {
    let descriptor = MTLBinaryArchiveDescriptor::new();
    descriptor.setUrl(file.map(url).as_deref());
    device.newBinaryArchiveWithDescriptor_error(&descriptor)
}

/// The bytes of an archive, which Metal gives out in a file alone. `None` if it does not: then nothing is kept.
fn serialize(archive: &ProtocolObject<dyn MTLBinaryArchive>) -> Option<Vec<u8>> {
    let file = PrivateFile::within(&env::temp_dir()).ok()?;
    archive.serializeToURL_error(&url(&file)).ok()?;
    fs::read(file.path()).ok()
}

fn url(file: &PrivateFile) -> Retained<NSURL> {
    NSURL::fileURLWithPath(&NSString::from_str(&file.path().to_string_lossy()))
}

fn pipeline(
    descriptor: &MTLComputePipelineDescriptor,
    options: MTLPipelineOption,
    device: &Device,
) -> Result<Pipeline, Retained<NSError>> {
    device.newComputePipelineStateWithDescriptor_options_reflection_error(descriptor, options, None)
}
