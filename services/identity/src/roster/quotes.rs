//! Records of several lines: values that go over lines, told from quotation marks that nobody closed.

/// Whether each quotation mark that opens a value of a record, as it stands in the file, is closed where the value ends.
pub(super) fn is_whole(raw: &[u8]) -> bool {
    let mut rest = raw.trim_ascii_start();
    loop {
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            match rest.iter().position(|byte| *byte == b',') {
                Some(comma) => rest = rest.get(comma + 1..).unwrap_or_default(),
                None => return true,
            }
            continue;
        };
        let mut at = 0;
        // A doubled mark stands for itself.
        let end = loop {
            let Some(mark) = quoted.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'"')) else {
                return false;
            };
            if quoted.get(at + mark + 1) != Some(&b'"') {
                break at + mark + 1;
            }
            at += mark + 2;
        };
        match quoted.get(end) {
            Some(b',') => rest = quoted.get(end + 1..).unwrap_or_default(),
            Some(b'\n') | None => return true,
            Some(_) => return false,
        }
    }
}

/// Whether a value of several lines holds what looks like the end of its own record and the beginning of another, or a whole one in between: then
/// a quotation mark is missing although the columns can be counted.
pub(super) fn has_swallowed(record: &csv::ByteRecord, columns: usize) -> bool {
    let commas = |line: &[u8]| line.split(|byte| *byte == b',').count() - 1;
    record.iter().enumerate().filter(|(_, value)| value.contains(&b'\n')).any(|(column, value)| {
        let lines: Vec<usize> = value.split(|byte| *byte == b'\n').map(commas).collect();
        let (Some((first, rest)), Some(last)) = (lines.split_first(), lines.last()) else { return false };
        let between = rest.iter().take(rest.len().saturating_sub(1));
        column + first + 1 >= columns && *last >= column || between.into_iter().any(|commas| commas + 1 >= columns)
    })
}
