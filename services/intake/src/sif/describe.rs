//! The description of StudentContact as a page.

use std::fmt::{self, Write};

use reference::tables::{TableStatus, Tables};

use super::{
    census, facts,
    shape::{Holds, OBJECTS, STUDENT_CONTACT, Shape},
};
use crate::layout::Status;

/// The page of StudentContact: Markdown, made from the description that reads and writes it.
pub fn page() -> String {
    let mut page = String::new();
    // Cannot fail: writing to a String.
    let _written = write_page(&mut page);
    page
}

/// The page of the objects of students and schools.
pub fn objects_page() -> String {
    let mut page = "# SIF 2.x objects of students and schools\n\n\
        - Form: XML in UTF-8, without document type declaration; objects or events, alone or in a SIF_Message\n\
        - Objects name each other by RefId: those of one delivery are loaded together, in any order of files\n\
        - Loaded and checked (`intake load`, `intake check`); not converted and not produced\n\n\
        | Object | What it becomes |\n|---|---|\n"
        .to_owned();
    for (name, what) in facts::objects() {
        page.extend(["| ", name, " | ", what, " |\n"]);
    }
    page.push_str("\nAll others are counted and passed over.\n");
    let described: Vec<&str> =
        facts::objects().map(|(name, _)| name).filter(|name| *name != "StudentContact").collect();
    page + &OBJECTS.page(&described)
}

fn write_page(out: &mut String) -> fmt::Result {
    let layout = &*STUDENT_CONTACT;
    writeln!(out, "# {}\n\n{}\n", layout.title, layout.about.trim())?;
    let status = match layout.status {
        Status::Verified => "as the source publishes it",
        Status::Provisional => "provisional: completed where the source is silent",
    };
    writeln!(out, "- Layout: `{}`, version {}, {status}\n- After: {}", layout.id, layout.version, layout.source)?;
    writeln!(out, "- Form: XML in UTF-8, without document type declaration")?;
    for note in &layout.notes {
        writeln!(out, "- {note}")?;
    }
    let files: Vec<String> =
        census::FILES.iter().map(|file| format!("`{file}.csv` (layout `census-{file}`)")).collect();
    writeln!(out, "- A census set is a folder with {}", files.join(", "))?;
    for (title, shape) in [("The object", &layout.object), ("The message around it", &layout.head)] {
        writeln!(out, "\n## {title}\n\nM mandatory, O optional, C one of several, R may repeat.\n")?;
        writeln!(
            out,
            "| # | Element | Flag | Holds | Table | From the census | Remarks |\n|---|---|---|---|---|---|---|"
        )?;
        let mut number = 0;
        let mut result = Ok(());
        shape.walk(&mut |part| {
            if !part.path.is_empty() {
                number += 1;
                result = result.and_then(|()| write_line(out, number, part));
            }
        });
        result?;
    }
    write_tables(out)
}

fn write_line(out: &mut String, number: u32, part: &Shape) -> fmt::Result {
    let holds = match part.holds {
        Holds::Elements => "elements",
        Holds::Guid => "32 hexadecimal digits",
        Holds::Text => "text",
        Holds::Date => "date YYYY-MM-DD",
        Holds::Integer => "whole number",
        Holds::Code => "code",
        Holds::Constant => "constant",
        Holds::Any => "anything",
    };
    let constant = part.constant.as_ref().map(|text| format!(" `{text}`")).unwrap_or_default();
    let table = part.table.as_ref().map(|table| format!("[{table}](#{table})")).unwrap_or_default();
    writeln!(
        out,
        "| {number} | `{}` | {} | {holds}{constant} | {table} | {} | {} |",
        part.path,
        part.flag,
        part.census.as_deref().unwrap_or_default(),
        part.about
    )
}

fn write_tables(out: &mut String) -> fmt::Result {
    let Some(tables) = Tables::builtin("sif") else {
        return Ok(());
    };
    let mut named: Vec<&str> = vec!["relationship_name"];
    STUDENT_CONTACT.object.walk(&mut |part| named.extend(part.table.as_deref()));
    writeln!(out, "\n## Code tables")?;
    for table in tables.iter().filter(|table| named.contains(&table.id.as_str())) {
        writeln!(out, "\n### <a id=\"{}\"></a>{}", table.id, table.title)?;
        for edition in table.editions() {
            let status = match edition.status {
                TableStatus::Verified => "verified",
                TableStatus::Provisional => "provisional",
            };
            writeln!(out, "\n{status}: {}.\n", edition.source)?;
            for code in &edition.codes {
                writeln!(out, "- `{}` {}", code.code, code.label)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_that_is_read_stands_on_the_page() {
        let page = objects_page();
        for (name, what) in facts::objects() {
            assert!(facts::wants(name) && page.contains(&format!("| {name} | {what} |")), "{name}");
        }
        assert!(!facts::wants("StaffPersonal"));
    }
}
