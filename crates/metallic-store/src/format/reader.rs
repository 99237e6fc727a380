use super::{FormatError, too_long};

/// Reads fields off the front of a slice whose whole length is known to be there.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FormatError::Malformed(field))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        self.take(N, field)?.try_into().map_err(|_| FormatError::Malformed(field))
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, FormatError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A length in two bytes, then text of that length.
    pub(crate) fn text(&mut self, field: &'static str, limit: usize) -> Result<String, FormatError> {
        let len = usize::from(self.u16(field)?);
        too_long(field, len as u64, limit as u64)?;
        let bytes = self.take(len, field)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| FormatError::Malformed(field))
    }

    /// A text that is not empty.
    pub(crate) fn name(&mut self, field: &'static str, limit: usize) -> Result<String, FormatError> {
        let name = self.text(field, limit)?;
        if name.is_empty() { Err(FormatError::Malformed(field)) } else { Ok(name) }
    }

    /// A count in two bytes.
    pub(crate) fn count(&mut self, field: &'static str, limit: usize) -> Result<usize, FormatError> {
        let count = usize::from(self.u16(field)?);
        too_long(field, count as u64, limit as u64)?;
        Ok(count)
    }
}
