//! Attachments that the registry hands to creations and does not know.
#![cfg_attr(not(feature = "store"), expect(dead_code, reason = "for what is built on creations"))]

use super::SharedRegistry;
use crate::caching::kernel::Attachment;

impl<D: 'static> SharedRegistry<D> {
    pub(crate) fn attach(&self, attachment: Option<Attachment>) {
        self.0.attachment.set(attachment);
    }

    pub(crate) fn attachment(&self) -> Option<Attachment> {
        self.0.attachment.get()
    }
}
