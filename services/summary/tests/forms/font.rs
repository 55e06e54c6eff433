//! A font of our own for characters that no embedded one has: the outlines of an embedded font under other characters.

/// The tables of a font file, by tag, with another table of characters in place of its own: `characters` get its glyphs from the fourth on.
pub fn under_other_characters(font: &[u8], characters: &str) -> Vec<u8> {
    let u16_at = |at: usize| u16::from_be_bytes([font[at], font[at + 1]]);
    let u32_at = |at: usize| u32::from_be_bytes([font[at], font[at + 1], font[at + 2], font[at + 3]]) as usize;
    let entries = (0..usize::from(u16_at(4))).map(|table| 12 + 16 * table);
    let mut tables: Vec<([u8; 4], Vec<u8>)> = entries
        .map(|entry| {
            let tag = font[entry..entry + 4].try_into().expect("a tag");
            let (start, length) = (u32_at(entry + 8), u32_at(entry + 12));
            (tag, if &tag == b"cmap" { cmap(characters) } else { font[start..start + length].to_vec() })
        })
        // What shaping does with the font's own script means nothing to these characters.
        .filter(|(tag, _)| ![*b"GSUB", *b"GPOS", *b"GDEF"].contains(tag))
        .collect();
    tables.sort_by_key(|(tag, _)| *tag);
    let mut out = font[..4].to_vec();
    out.extend((tables.len() as u16).to_be_bytes());
    out.extend([0; 6]);
    let mut offset = 12 + 16 * tables.len();
    for (tag, data) in &tables {
        out.extend(tag);
        out.extend([0; 4]);
        out.extend((offset as u32).to_be_bytes());
        out.extend((data.len() as u32).to_be_bytes());
        offset += data.len().next_multiple_of(4);
    }
    for (_, data) in tables {
        out.extend(&data);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// A table of characters, format 12: one group each.
fn cmap(characters: &str) -> Vec<u8> {
    let mut sorted: Vec<u32> = characters.chars().map(u32::from).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let groups: Vec<u8> = (4_u32..)
        .zip(sorted)
        .flat_map(|(glyph, character)| [character, character, glyph].map(u32::to_be_bytes).concat())
        .collect();
    let head: [&[u8]; 3] = [&[0, 0, 0, 1], &[0, 3, 0, 10], &12_u32.to_be_bytes()];
    let length = 16 + groups.len() as u32;
    let table = [length, 0, groups.len() as u32 / 12].map(u32::to_be_bytes).concat();
    [&head.concat()[..], &[0, 12, 0, 0], &table, &groups].concat()
}
