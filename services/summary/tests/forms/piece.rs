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

/// A text as it can be compared, in the order in which it is read: without white space and characters that are not seen.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).collect()
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}
