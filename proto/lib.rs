//! The contract with clients: messages and services generated from the `.proto` files beside this file, and nothing else.

/// Types shared by many interfaces.
pub mod google {
    /// Common types.
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}

/// Interfaces of the exchange, by area and version.
pub mod throughline {
    /// Histories.
    pub mod history {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.history.v1");
        }
    }
    /// Feeds.
    pub mod feed {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.feed.v1");
        }
    }
    /// The ledger.
    pub mod ledger {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.ledger.v1");
        }
    }
    /// Review of doubtful matches.
    pub mod review {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.review.v1");
        }
    }
    /// Summaries.
    pub mod summary {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.summary.v1");
        }
    }
    /// Rosters.
    pub mod roster {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("throughline.roster.v1");
        }
    }
}

pub use throughline::{feed, history, ledger, review, roster, summary};

/// The compiled descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
