//! The processor's counter: on x86-64 the time stamp counter, elsewhere none.
//!
//! Miri has no such instruction, and takes the operating system's clock.

/// Reads the counter; without [`is_usable`], a number without meaning.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
#[expect(unsafe_code, reason = "the standard library has no safe way to read the counter")]
pub(crate) fn read() -> u64 {
    // SAFETY: `rdtsc` is part of every x86-64 processor and touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
pub(crate) fn read() -> u64 {
    0
}

/// Checks that the counter runs at one speed at all times (CPUID 80000007h, EDX bit 8: AMD64 manual, volume 3, appendix E)
/// and that the operating system, which compares it between the processors, has not given it up.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[allow(unused_unsafe, reason = "`__cpuid` is unsafe for older compilers only")]
#[expect(unsafe_code, reason = "the standard library has no safe `cpuid` for older compilers")]
pub(super) fn is_usable() -> bool {
    use core::arch::x86_64::__cpuid;
    const LEAF: u32 = 0x8000_0007;
    // SAFETY: every x86-64 processor has `cpuid`.
    let invariant = unsafe { __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & (1 << 8) != 0 };
    // Absent on systems other than Linux and in some sandboxes: then the processor's word counts.
    let sources = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    invariant
        && std::fs::read_to_string(sources).map_or(true, |names| names.split_whitespace().any(|n| n == "tsc"))
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
pub(super) fn is_usable() -> bool {
    false
}
