//! Attachments that the registry hands to creations and does not know.
#![cfg_attr(not(feature = "store"), expect(dead_code, reason = "for what is built on creations"))]

use std::mem;
use std::sync::PoisonError;

use super::SharedRegistry;
use crate::caching::kernel::Attachment;

impl<D: 'static> SharedRegistry<D> {
    pub(crate) fn attach(&self, attachment: Option<Attachment>) {
        let mut current = self.0.attachment.write().unwrap_or_else(PoisonError::into_inner);
        let last = mem::replace(&mut *current, attachment);
        // Dropped where no lock is held.
        drop(current);
        drop(last);
    }

    pub(crate) fn attachment(&self) -> Option<Attachment> {
        self.0.attachment.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
