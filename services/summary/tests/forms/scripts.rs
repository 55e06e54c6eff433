//! Names that the embedded fonts have no glyphs for.

use std::{fs, path::Path};

use summary::{Batch, Form, Language, Renderer, RendererOptions, render_path};

use super::{all, options, paper, renderer};

/// Where Debian's package `fonts-noto-cjk` puts it; the image and the package of the exchange bring the same file.
const NOTO_CJK: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";

#[test]
fn what_the_embedded_fonts_lack_is_known_before_a_name_needs_it() {
    assert_eq!(renderer().missing_scripts(), ["Chinese", "Japanese", "Korean"]);
}

#[test]
#[expect(clippy::disallowed_macros, reason = "what was passed over is said")]
fn names_in_chinese_japanese_and_korean_are_set_in_noto_where_it_is() {
    if !Path::new(NOTO_CJK).exists() {
        eprintln!("{NOTO_CJK} is not there: skipped");
        return;
    }
    let fonts = RendererOptions { extra_fonts: Some(NOTO_CJK.into()) };
    let (renderer, again) = (Renderer::new(&fonts).expect("fonts"), Renderer::new(&fonts).expect("fonts"));
    assert!(renderer.missing_scripts().is_empty());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("summaries-cjk");
    fs::create_dir_all(&folder).expect("a folder");
    for (name, summary) in all().into_iter().filter(|(name, _)| name.starts_with("scripts")) {
        let pdf = renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
        assert!(paper::replaced(&pdf).is_empty(), "{name}: {:?}", paper::replaced(&pdf));
        assert!(pdf == again.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF"), "{name}");
        // For validators that are no part of the build: see deploy/check-summaries.
        fs::write(folder.join(&name).with_extension("pdf"), pdf).expect("a file");
    }
}

#[test]
fn a_run_over_files_counts_the_characters_that_no_font_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut summary, out) = (all().swap_remove(1).1, folder.path().join("out"));
    for (file, name) in [("a.json", "王小明"), ("b.json", "Sample, One"), ("c.json", "김")] {
        summary.client.name = summary::model::Cell::Value(name.to_owned());
        fs::write(folder.path().join(file), serde_json::to_vec(&summary).expect("JSON")).expect("a file");
    }
    let counts = |form| {
        let batch = Batch { jobs: 1, form, ..Batch::default() };
        let report = render_path(folder.path(), &out, &batch, &|_, _| {}).expect("a report");
        report.written.iter().map(|one| one.without_glyph).collect::<Vec<_>>()
    };
    assert_eq!(counts(Form::Pdf), [3, 0, 1], "in the body; a running head repeats the name");
    assert_eq!(counts(Form::OnePage), [3, 0, 1]);
    assert_eq!(counts(Form::Html), [0, 0, 0], "a page is read with its reader's own fonts");
}
