//! What a form says, in reading order, whatever it is made of.

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A heading and its level.
    Heading(u8, String),
    /// A paragraph.
    Paragraph(String),
    /// Heads in reading order, and rows.
    Table { head: Vec<String>, rows: Vec<Vec<String>> },
    /// An item of a list.
    Item(String),
    /// A figure, by its text alternative.
    Figure(String),
}

/// A text as it can be compared. White space and characters that are not seen are left out; of a text in a script that is set in another
/// order than it is spoken in, paper gives the glyphs in the order they are set, so only which characters there are is compared.
pub fn plain(text: &str) -> String {
    let mut kept: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).collect();
    if kept.iter().any(|c| ('\u{590}'..'\u{1e00}').contains(c) || *c >= '\u{fb00}') {
        kept.sort_unstable();
    }
    kept.into_iter().collect()
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}
