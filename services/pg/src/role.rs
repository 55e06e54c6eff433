//! Who a transaction acts as.

use std::fmt;

/// A context's database role. The login may become any of these for one transaction, and holds none of their
/// privileges by itself. The roles are made by the first migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Batches, raw files, findings, quarantine.
    Intake,
    /// Names, birth dates, state identifiers, rosters, the crosswalk.
    Identity,
    /// Facts and the read model made from them.
    History,
    /// Organizations, calendars, code tables.
    Reference,
    /// Agreements, releases, certifications, orders.
    Agreements,
    /// Reads what an agreement grants, under row-level security.
    Disclosure,
    /// Adds to the ledger and reads it; may change nothing.
    Ledger,
    /// Leases and job rows.
    Scheduler,
    /// The state agency's own stewards, through `inspect`.
    Steward,
    /// People signed in to the portal.
    Portal,
    /// Stays in facilities, as an agency reports them.
    Placement,
    /// Owns every object. The application's login is not a member: this works on an administrator's connection only.
    Owner,
}

impl Role {
    /// Every role, the owner last.
    pub const ALL: [Self; 12] = [
        Self::Intake,
        Self::Identity,
        Self::History,
        Self::Reference,
        Self::Agreements,
        Self::Disclosure,
        Self::Ledger,
        Self::Scheduler,
        Self::Steward,
        Self::Portal,
        Self::Placement,
        Self::Owner,
    ];

    /// The role's name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intake => "throughline_intake",
            Self::Identity => "throughline_identity",
            Self::History => "throughline_history",
            Self::Reference => "throughline_reference",
            Self::Agreements => "throughline_agreements",
            Self::Disclosure => "throughline_disclosure",
            Self::Ledger => "throughline_ledger",
            Self::Scheduler => "throughline_scheduler",
            Self::Steward => "throughline_steward",
            Self::Portal => "throughline_portal",
            Self::Placement => "throughline_placement",
            Self::Owner => "throughline_owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
