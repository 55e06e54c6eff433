//! Renderers: fonts parsed once, used for many documents by many threads.

use std::{path::PathBuf, sync::OnceLock};

use crate::{
    Error, compose::compose, fonts::FontSet, layout::LAYOUT, model::Summary, paint::paint, text::Typesetter, view::View,
};

/// Where a summary comes from, which decides what it may say of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// From a file, without a disclosure: marked as not issued by the exchange, and without a code.
    #[default]
    File,
    /// From a disclosure that the exchange recorded: carries the code, which must be there.
    Exchange,
}

/// What may differ from document to document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Where the summary comes from.
    pub origin: Origin,
}

/// What a renderer is made with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RendererOptions {
    /// A folder of further TrueType or OpenType fonts, asked after the embedded ones, in the order of their file names.
    pub extra_fonts: Option<PathBuf>,
}

/// Makes documents. Shared by threads; each thread that makes many takes a [`Worker`].
pub struct Renderer {
    fonts: FontSet,
}

impl Renderer {
    /// Parses the fonts.
    pub fn new(options: &RendererOptions) -> Result<Self, Error> {
        Ok(Self { fonts: FontSet::new(options.extra_fonts.as_deref())? })
    }

    /// Renders one document.
    pub fn render(&self, summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
        self.worker().render(summary, options)
    }

    pub(crate) const fn fonts(&self) -> &FontSet {
        &self.fonts
    }

    /// One thread's part of a renderer: it remembers the words it has shaped.
    pub fn worker(&self) -> Worker<'_> {
        Worker { fonts: &self.fonts, setter: Typesetter::new(&self.fonts) }
    }
}

/// See [`Renderer::worker`]. What it remembers changes how fast it is, never what it makes.
pub struct Worker<'r> {
    fonts: &'r FontSet,
    setter: Typesetter<'r>,
}

impl Worker<'_> {
    /// Renders one document.
    pub fn render(&mut self, summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
        let view = View::new(summary, options, &LAYOUT)?;
        let composition = compose(&view, &LAYOUT, &mut self.setter);
        paint(composition, &view, &LAYOUT, self.fonts)
    }
}

/// Renders one document with the embedded fonts.
pub fn render(summary: &Summary, options: RenderOptions) -> Result<Vec<u8>, Error> {
    static RENDERER: OnceLock<Renderer> = OnceLock::new();
    if let Some(renderer) = RENDERER.get() {
        return renderer.render(summary, options);
    }
    let renderer = Renderer::new(&RendererOptions::default())?;
    RENDERER.get_or_init(|| renderer).render(summary, options)
}
