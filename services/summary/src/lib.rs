//! The Client School Records Summary: what a probation officer reads before a hearing, as an accessible, archivable PDF.
//!
//! A [`model::Summary`] goes in, bytes come out, and nothing else has a say: no clock, no randomness, no locale, no thread
//! count. The same summary, layout, fonts and version of this crate give the same bytes on any machine.
//!
//! The way through: `model` (the record, and its JSON `school-records-summary/1`) → `view` (every value formatted once) →
//! `layout.toml` (wording, sections, columns, sizes, colours: all that a designer touches) → `compose` with `table`, `chart`
//! and `text` (widths, lines, heads, structure) → `flow` (pages) → `paint` (PDF/A-2a and PDF/UA-1 in one file) → `pack`. From the view another way leads to `html`.
//!
//! It never decides what may be seen: that was done before a summary existed. A summary read from a file is rendered as "not
//! issued by the exchange" ([`Origin::File`]) and carries no verification code, whatever the file says.

mod batch;
mod brief;
mod chart;
mod compose;
mod config;
mod error;
mod flow;
mod fonts;
mod frame;
mod from_disclosure;
mod html;
mod layout;
mod listing;
mod message;
pub mod model;
mod pack;
mod paint;
mod render;
pub mod sign;
pub mod stamped;
mod table;
mod tags;
mod text;
mod view;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Failure, RenderReport, Written, render_path};
pub use config::{Config, Signature, TimeStamp, Token, WhenUnavailable};
pub use error::Error;
pub use from_disclosure::{from_disclosure, latest_stay};
pub use html::Marks;
pub use layout::Language;
pub use listing::{Listing, ListingColumn, ListingPage, listing_page};
pub use message::to_message;
pub use model::{Summary, from_json};
pub use render::{
    Form, Origin, RenderOptions, Renderer, RendererOptions, WEB_STYLE, WebBlock, Worker, issue, render, web_blocks,
    web_part, web_titles,
};
