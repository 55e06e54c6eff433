//! Reading: bytes to items.

pub(crate) mod transform;
mod value;
