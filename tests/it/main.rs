//! The exchange against real databases: what it keeps, what it lets out, and what it refuses to whoever attacks it.

mod agreements;
mod api;
mod concurrency;
mod disclosure;
mod edfi;
mod fences;
mod identity;
mod inspect;
mod intake;
mod ledger;
mod oracle;
mod orders;
mod packs;
mod placement;
mod plans;
mod portal;
mod receipts;
mod scheduler;
mod tidy;
mod twin;
mod two_people;
mod world;
