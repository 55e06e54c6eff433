//! What is said of a file or a record before its fields are looked at.

use super::{
    buffer::{End, RECORD_BYTES_MAX},
    delimited::Broken,
    encoding::NotText,
};
use crate::{
    Finding, Severity,
    layout::{FieldKind, LineEnd, Record},
};

pub(super) fn not_utf8() -> Finding {
    let message = "the file is written in UTF-16 or is no text at all; save it as UTF-8 and send it again";
    Finding::new(0, "encoding.not_utf8", Severity::Fatal, message)
}

pub(super) fn empty() -> Finding {
    Finding::new(0, "file.empty", Severity::Fatal, "the file is empty")
}

pub(super) fn no_header(why: &str) -> Finding {
    Finding::new(1, "header.missing", Severity::Fatal, why)
}

pub(super) fn unexpected_header() -> Finding {
    let message = "the file begins with a header; this layout has none, so the line is passed over";
    Finding::new(1, "header.unexpected", Severity::Warning, message)
}

pub(super) fn returns_alone() -> Finding {
    let message = "the lines end with a carriage return alone, as on old machines; save the file with carriage return and line feed";
    Finding::new(0, "file.line_end", Severity::Fatal, message)
}

pub(super) fn other_delimiter(found: u8, expected: u8) -> Finding {
    let named = |delimiter: u8| match delimiter {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        _ => "bars",
    };
    let message = format!(
        "the values stand between {} where {} are expected: save the file with {1} and send it again",
        named(found),
        named(expected)
    );
    Finding::new(1, "file.delimiter", Severity::Fatal, message)
}

pub(super) fn mainframe() -> Finding {
    let message = "the file is written in EBCDIC, as on mainframes; send it as UTF-8";
    Finding::new(0, "encoding.not_utf8", Severity::Fatal, message)
}

pub(super) fn header_again(line: u32) -> Finding {
    let message = "the header stands here again, as where files were joined; the line is passed over";
    Finding::new(line, "header.again", Severity::Warning, message)
}

pub(super) fn other_header(line: u32) -> Finding {
    let message = "another header stands here: the columns change in the middle of the file. Send its parts one by one";
    Finding::new(line, "header.other", Severity::Fatal, message)
}

pub(super) fn too_long(line: u32) -> Finding {
    let message = format!(
        "the line has more than {RECORD_BYTES_MAX} bytes; its beginning is kept in quarantine, the rest is passed over"
    );
    Finding::new(line, "record.too_long", Severity::Error, message)
}

pub(super) fn no_text(line: u32, why: NotText) -> Finding {
    let message = match why {
        NotText::NotUtf8 => {
            "the record holds bytes that are no UTF-8, although others before it are; save the whole file as UTF-8"
        }
        NotText::Mixed => {
            "the record is written in UTF-8, although others before it are written in Windows-1252; save the whole file as UTF-8"
        }
        NotText::Surrogate => {
            let message = "the record holds half of a character (a lone surrogate), as some programs write letters beyond the common ones; save the file as UTF-8";
            return Finding::new(line, "encoding.surrogate", Severity::Error, message);
        }
    };
    Finding::new(line, "encoding.mixed", Severity::Error, message)
}

pub(super) fn windows_1252(line: u32) -> Finding {
    let message = format!(
        "line {line} holds bytes that are no UTF-8: the file is read as Windows-1252. Check accented letters, and send UTF-8 if you can"
    );
    Finding::new(0, "encoding.windows_1252", Severity::Warning, message)
}

pub(super) fn byte_positions(line: u32) -> Finding {
    let message = format!(
        "line {line} has the right length only if its positions are counted in bytes; accented letters take two. It is read so"
    );
    Finding::new(0, "record.byte_positions", Severity::Warning, message)
}

pub(super) fn extra_columns(line: u32) -> Finding {
    let message = format!(
        "line {line} ends with too many delimiters; nothing stands between them, so they are passed over, here and further on"
    );
    Finding::new(0, "record.extra_columns", Severity::Information, message)
}

pub(super) fn wrong_length(record: &Record, length: usize, end: End, line: u32) -> Finding {
    let wanted = record.length;
    if end == End::File && length < wanted {
        let message = format!(
            "the file ends in the middle of this record, after {length} of {wanted} characters: it was cut off; send it again"
        );
        return Finding::new(line, "file.truncated", Severity::Error, message);
    }
    let marker = match record.fields.last().map(|field| &field.kind) {
        Some(FieldKind::Constant(marker)) if length + marker.len() == wanted => {
            format!(": the end of record marker \"{marker}\" is missing, or a value is too short")
        }
        _ => String::new(),
    };
    let message = format!("the line has {length} characters where {wanted} are expected{marker}");
    Finding::new(line, "record.length", Severity::Error, message)
}

pub(super) fn cut_off_early(line: u32) -> Finding {
    let message = "the file ends in the middle of this record, before it says what kind of record it is: it was cut off; send it again";
    Finding::new(line, "file.truncated", Severity::Error, message)
}

pub(super) fn wrong_columns(found: usize, wanted: usize, line: u32) -> Finding {
    let message = format!(
        "the record has {found} columns where {wanted} are expected: a value is missing, or one holds a delimiter and is not quoted"
    );
    Finding::new(line, "record.columns", Severity::Error, message)
}

pub(super) fn cut_off(column: usize, columns: usize, line: u32) -> Finding {
    let message = format!(
        "the file ends in the middle of this record, in column {column} of {columns}: it was cut off; send it again"
    );
    Finding::new(line, "file.truncated", Severity::Error, message)
}

pub(super) fn unclosed_quote(line: u32) -> Finding {
    let message =
        "a quote is opened in this line and not closed in it, and what follows does not read as its continuation";
    Finding::new(line, "quote.unclosed", Severity::Error, message)
}

pub(super) fn broken_quote(line: u32, broken: Broken) -> Finding {
    match broken {
        Broken::Unclosed(column) => unclosed_quote(line).at_column(column),
        Broken::AfterQuote(column) => {
            let message = "text follows the closing quote; a quote inside a value is written twice";
            Finding::new(line, "quote.misplaced", Severity::Error, message).at_column(column)
        }
    }
}

pub(super) fn other_line_ends(lines: u64, expected: LineEnd) -> Finding {
    let (found, expected) = match expected {
        LineEnd::CrLf => ("a line feed alone", "carriage return and line feed"),
        LineEnd::Lf => ("carriage return and line feed", "a line feed alone"),
    };
    let message = format!("{lines} lines end with {found} where {expected} is the rule; they were read all the same");
    Finding::new(0, "file.line_end", Severity::Information, message)
}

pub(super) fn blank_lines(lines: u64) -> Finding {
    let message = format!("{lines} blank lines were passed over");
    Finding::new(0, "file.blank_lines", Severity::Information, message)
}
