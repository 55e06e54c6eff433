//! Values that must not be printed.

use std::fmt;

/// Personal data in the hand of the program: prints `***`, has no `Display` and no `Serialize`. Only a store, a format or
/// a wire conversion opens it, with [`Masked::expose`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Masked<T>(T);

impl<T> Masked<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens it. Every caller is a place to look at in review.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Opens it for good.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
