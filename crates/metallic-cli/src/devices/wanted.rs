//! What `--device` asks for.

use crate::error::Error;

/// What to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A real GPU if there is one, else the host.
    Auto,
    /// The processor.
    Host,
    /// The first adapter of wgpu.
    AnyAdapter,
    /// The adapter of wgpu whose name has this in it.
    Named(String),
    /// The adapter of this number in the list of `metallic devices`.
    Numbered(usize),
    /// An adapter of wgpu that runs on the processor.
    Software,
}

impl Wanted {
    /// Reads the value of `--device`.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(Self::Auto),
                "host" => Ok(Self::Host),
                "wgpu" => Ok(Self::AnyAdapter),
                "software" => Ok(Self::Software),
                _ => Err(unknown(text)),
            },
            Some(("wgpu", name)) if !name.is_empty() => {
                Ok(name.parse().map_or_else(|_| Self::Named(name.to_owned()), Self::Numbered))
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
    use super::Wanted;

    #[test]
    fn a_device_is_named_by_kind_name_or_number() {
        for (text, wanted) in [
            ("auto", Wanted::Auto),
            ("wgpu", Wanted::AnyAdapter),
            ("wgpu:1", Wanted::Numbered(1)),
            ("wgpu:llvmpipe", Wanted::Named("llvmpipe".to_owned())),
            ("software", Wanted::Software),
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
