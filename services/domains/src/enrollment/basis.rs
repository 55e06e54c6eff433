//! How the first and the last day of a stay are known.

/// The source says so.
pub(super) const REPORTED: &str = "reported";
/// The source tells of the stay and not of its first day.
pub(super) const ENTRY_NOT_REPORTED: &str = "entry date not reported";
/// The stay has ended, and the source does not say when.
pub(super) const EXIT_NOT_REPORTED: &str = "exit date not reported";
/// The student was registered in another district the day after.
pub(super) const REGISTERED_ELSEWHERE: &str = "implied: registered in another district";
/// The district registered the student once more the day after.
pub(super) const REGISTERED_AGAIN: &str = "implied: registered again";
/// Two school years' collections name two schools: the change is put at the boundary of the years.
pub(super) const YEAR_BOUNDARY: &str = "implied: another school in the next school year";
/// Two collections of one school year name two schools: the change is put at the day of the later one.
pub(super) const FIRST_SEEN: &str = "implied: another school in a later collection";

/// What the words for an implied day begin with.
pub const IMPLIED: &str = "implied: ";

/// Whether a day was inferred by a rule and not reported, by its `entry_basis` or `exit_basis`.
pub fn is_implied(basis: &str) -> bool {
    basis.starts_with(IMPLIED)
}
