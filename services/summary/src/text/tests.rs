use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static FONTS: LazyLock<FontSet> = LazyLock::new(|| FontSet::new(None).expect("the embedded fonts are read"));

const STYLE: Style = Style { weight: Weight::Regular, size: 9.0, leading: 1.25 };

fn wrap(text: &str, width: f32) -> Vec<Arc<Line>> {
    Typesetter::new(&FONTS).wrap(text, STYLE, Base::Auto, width)
}

fn texts(text: &str, width: f32) -> Vec<String> {
    wrap(text, width).iter().map(|line| line.text()).collect()
}

#[test]
fn lines_break_where_words_end() {
    assert_eq!(
        texts("Specific Learning Disability / Dyslexia", 60.0),
        ["Specific ", "Learning ", "Disability / ", "Dyslexia"]
    );
    assert_eq!(texts("one", 90.0), ["one"]);
    assert!(texts("", 90.0).is_empty());
}

#[test]
fn a_word_wider_than_the_line_is_broken_between_clusters() {
    let lines = texts(&"e\u{301}".repeat(100), 40.0);
    assert!(lines.len() > 5);
    assert!(lines.iter().all(|line| !line.starts_with('\u{301}')));
    assert_eq!(lines.concat(), "e\u{301}".repeat(100));
}

#[test]
fn runs_stand_where_they_are_seen_and_follow_each_other_as_they_are_read() {
    fn check(text: &str, seen: &[&str], read: &[&str]) {
        let line = Typesetter::new(&FONTS).line_of(text, STYLE, Base::Auto);
        let texts = |runs: &[Run]| runs.iter().map(|run| run.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&line.runs), read, "{text}");
        let mut by_place = line.runs.clone();
        by_place.sort_by(|a, b| a.x.total_cmp(&b.x));
        assert_eq!(texts(&by_place), seen, "{text}");
    }
    check("Noa לוי end", &["Noa ", "לוי", " end"], &["Noa ", "לוי", " end"]);
    check("לוי, נועה", &["נועה", ", ", "לוי"], &["לוי", ", ", "נועה"]);
    check("נועה 123", &["123", " ", "נועה"], &["נועה", " ", "123"]);
    check("ab לוי 12", &["ab ", "12", " ", "לוי"], &["ab ", "לוי", " ", "12"]);
}

#[test]
fn what_no_face_has_is_replaced_and_its_text_kept() {
    let line = Typesetter::new(&FONTS).line_of("Kim 김\u{e000}", STYLE, Base::Auto);
    let actual: Vec<&str> = line.runs.iter().filter_map(|run| run.actual.as_deref()).collect();
    assert_eq!(actual, ["김", "\u{e000}"]);
    assert!(line.runs.iter().all(|run| run.glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() != 0)));
}

#[test]
fn every_script_shipped_is_drawn_without_replacement() {
    let odd = include_str!("../../fixtures/odd-texts.txt");
    let replaced: Vec<String> = odd
        .lines()
        .filter(|text| {
            Typesetter::new(&FONTS).line_of(&clean(text), STYLE, Base::Auto).runs.iter().any(|run| run.actual.is_some())
        })
        .map(|text| text.chars().take(4).collect())
        .collect();
    assert_eq!(replaced, ["예시, ", "👩\u{200d}👩\u{200d}", "←→ ∑"]);
}

proptest! {
    #[test]
    fn any_text_is_set_within_its_width(text in "\\PC{0,120}", width in 12.0f32..300.0) {
        for line in wrap(&text, width) {
            let clusters = line.text().graphemes(true).count();
            prop_assert!(line.width <= width + 0.01 || clusters <= 2, "{} > {width}", line.width);
            prop_assert!(line.width.is_finite() && line.height > 0.0);
        }
    }

    #[test]
    fn no_letter_is_lost(text in "[a-zA-Z0-9À-žА-я ,.'/()-]{0,200}", width in 12.0f32..300.0) {
        prop_assert_eq!(texts(&text, width).concat(), text);
    }

    #[test]
    fn glyphs_lie_inside_their_text(text in "\\PC{0,60}") {
        for line in wrap(&text, 100.0) {
            for run in &line.runs {
                prop_assert!(run.glyphs.iter().all(|glyph| run.text.get(glyph.text_range.clone()).is_some_and(|part| !part.is_empty())));
            }
        }
    }
}
