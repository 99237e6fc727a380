//! The value of `--device`.

use crate::error::Error;

/// The device to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A real GPU if there is one, else the host.
    Auto,
    /// The processor.
    Host,
    /// An adapter of wgpu.
    Wgpu(WantedAdapter),
}

/// Which adapter of wgpu to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedAdapter {
    /// The first one.
    Any,
    /// The first one that has this in its name, interface or driver.
    Named(String),
    /// The one of this number in the list of `metallic devices`.
    Numbered(usize),
    /// The first one that runs on the processor.
    Software,
}

impl Wanted {
    /// The values of `--device` without a name or a number.
    pub(crate) const WORDS: [&str; 4] = ["auto", "host", "wgpu", "software"];

    /// Reads the value of `--device`.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is not a device.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(Self::Auto),
                "host" => Ok(Self::Host),
                "wgpu" => Ok(Self::Wgpu(WantedAdapter::Any)),
                "software" => Ok(Self::Wgpu(WantedAdapter::Software)),
                _ => Err(unknown(text)),
            },
            Some(("wgpu", name)) if !name.is_empty() => {
                let named = || WantedAdapter::Named(name.to_owned());
                Ok(Self::Wgpu(name.parse().map_or_else(|_| named(), WantedAdapter::Numbered)))
            }
            Some(_) => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> Error {
    let forms = "auto, host, wgpu, wgpu:NAME, wgpu:NUMBER, software";
    Error::Usage(format!("--device {text}: there is no such device; there are: {forms}"))
}

#[cfg(test)]
mod tests {
    use super::{Wanted, WantedAdapter};

    #[test]
    fn a_device_is_named_by_kind_name_or_number() {
        for (text, wanted) in [
            ("auto", Wanted::Auto),
            ("wgpu", Wanted::Wgpu(WantedAdapter::Any)),
            ("wgpu:1", Wanted::Wgpu(WantedAdapter::Numbered(1))),
            ("wgpu:llvmpipe", Wanted::Wgpu(WantedAdapter::Named("llvmpipe".to_owned()))),
            ("software", Wanted::Wgpu(WantedAdapter::Software)),
        ] {
            assert_eq!(Wanted::parse(text).expect(text), wanted);
        }
        for text in ["", "cuda", "wgpu:", "host:1"] {
            let error = Wanted::parse(text).expect_err(text);
            assert!(error.to_string().contains("there are: auto, host"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
