//! The outline and the links lead where they say.

use summary::{Form, Language};

use super::{
    all, options,
    piece::plain,
    places::{Element, Places, Target},
    renderer,
};

const LANGUAGES: [Language; 3] = [Language::English, Language::Spanish, Language::Portuguese];

/// How far above a heading's baseline a place to jump to may be, in points: the heading is then at the top of what is seen.
const ABOVE_MAX: f32 = 40.0;

fn leads_to(target: &Target, heading: &Element) -> bool {
    target.page == heading.page && (0.0..ABOVE_MAX).contains(&(heading.y - target.y))
}

#[test]
fn the_outline_names_each_heading_and_leads_to_it() {
    let renderer = renderer();
    for (name, summary) in all() {
        for language in LANGUAGES {
            for form in [Form::Pdf, Form::OnePage] {
                let places = Places::of(&renderer.render(&summary, options(form, language)).expect("a PDF"));
                let headings: Vec<Element> =
                    places.elements().into_iter().filter(|element| element.kind.starts_with('H')).collect();
                let outline = places.outline();
                let said: Vec<String> = outline.iter().map(|entry| plain(&entry.title)).collect();
                let read: Vec<String> = headings.iter().map(|heading| plain(&heading.text)).collect();
                assert_eq!(said, read, "{name}, {language:?}, {form:?}");
                for (entry, heading) in outline.iter().zip(&headings) {
                    assert_eq!(entry.depth, if heading.kind == "H3" { 2 } else { 1 }, "{name}: {}", entry.title);
                    assert!(leads_to(&entry.target, heading), "{name}: {entry:?} for {heading:?}");
                }
            }
        }
    }
}

#[test]
fn each_recent_block_leads_to_its_history_and_says_its_page() {
    const LED: [(usize, usize); 4] = [(0, 5), (1, 6), (2, 7), (3, 8)];
    let renderer = renderer();
    for (name, summary) in all() {
        for language in LANGUAGES {
            let places = Places::of(&renderer.render(&summary, options(Form::Pdf, language)).expect("a PDF"));
            let headings = places.elements().into_iter().filter(|element| element.kind == "H3");
            // The blocks in the order of the report; the trend stands beside them and is none.
            let trend = ["Attendance Trend", "Tendencia de asistencia", "Tendência de frequência"].map(plain);
            let blocks: Vec<Element> =
                headings.filter(|heading| !trend.contains(&plain(&heading.text))).take(9).collect();
            let links = places.links();
            assert_eq!(links.len(), LED.len(), "{name}, {language:?}");
            for (link, (recent, history)) in links.iter().zip(LED) {
                let (from, to) = (&blocks[recent], &blocks[history]);
                assert_eq!(link.page, from.page, "{name}: the link stands at its block");
                assert!(leads_to(&link.target, to), "{name}: {link:?} for {to:?}");
                let page = link.says.rsplit(' ').next().and_then(|page| page.parse::<usize>().ok());
                assert_eq!(page, Some(to.page + 1), "{name}: {}", link.says);
            }
        }
    }
}

#[test]
fn each_recent_block_of_the_page_leads_to_its_history() {
    const LED: [(&str, &str); 4] = [
        ("attendance", "Attendance History"),
        ("special-education", "Special Education Services History"),
        ("tests", "Test Score History"),
        ("discipline", "Disciplinary Action History"),
    ];
    let renderer = renderer();
    for (name, summary) in all() {
        let html = renderer.render(&summary, options(Form::Html, Language::English)).expect("a page");
        let html = String::from_utf8(html).expect("text");
        let links: Vec<&str> =
            html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().expect("an end")).collect();
        assert_eq!(links, LED.map(|(id, _)| id), "{name}");
        for (id, title) in LED {
            let heading = format!("<h3 id=\"{id}\">{title}</h3>");
            assert_eq!(html.matches(&heading).count(), 1, "{name}: {id}");
            assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{name}: {id} is one place");
        }
    }
}
