//! Records that have troubled pages, five of each kind, from a seed. Everybody in them is invented.

use serde_json::{Map, Value, json};

use super::piece::{Piece, plain};

/// A kind of record, and how it is made.
type Kind = (&'static str, fn(&mut Dice) -> Value);

const KINDS: [Kind; 10] = [
    ("typical", |dice| record(dice, "Sample, Quillon", 12)),
    ("scripts", scripts),
    ("both-directions", both_directions),
    ("emoji", |dice| named(dice, &["Sample 🦊 Fox", "👩‍👩‍👧‍👦 School", "🏳️‍🌈👍🏽", "☃︎ ✊🏿 1️⃣ District"])),
    ("control", |dice| {
        named(dice, &["Sam\u{1}ple\u{7f}", "a\tb\r\nc", "\u{202e}evil\u{202c} name", "\u{feff}x\u{2028}y\u{0}z"])
    }),
    ("long-names", long_names),
    ("no-data", no_data),
    ("discipline-300", |dice| with_rows(dice, "discipline", 300)),
    ("one-day", one_day),
    ("states", states),
];

/// Fifty records by name.
pub fn all() -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (at, (name, make)) in KINDS.iter().enumerate() {
        for seed in 1..=5 {
            let mut dice = Dice(at as u64 * 1_000 + seed);
            let mut record = make(&mut dice);
            for block in record["history"].as_object_mut().into_iter().flatten() {
                shuffle(&mut dice, block.1);
            }
            out.push((format!("{name}-{seed}"), record));
        }
    }
    out
}

/// Everything as long as a record may be.
pub fn hostile() -> Value {
    let mut json = with_rows(&mut Dice(77), "discipline", 40);
    let long = "Wwwww ".repeat(330);
    for field in ["name", "sasid", "gender", "race_ethnicity"] {
        json["client"][field] = long.clone().into();
    }
    for field in ["school", "district", "grade", "free_lunch", "special_ed", "language"] {
        json["summary"][field] = long.clone().into();
    }
    for field in ["notice", "agreement", "recipient"] {
        json[field] = long.clone().into();
    }
    json["withheld"] = (0..500).map(|at| format!("{at} {}", "w".repeat(190))).collect();
    let row =
        json!({"school": long, "district": long, "date": "2026-01-02", "type": long, "sanction": long, "days": 1});
    json["recent"]["discipline"] =
        json!({"state": "reported", "reported_by": long, "as_reported_on": "2026-10-01", "rows": vec![row; 30]});
    let row = json!({"school": long, "district": long, "year": "2025-26", "type": long, "math": 1, "math_level": long});
    json["recent"]["tests"] = json!(vec![row; 30]);
    json
}

/// Chance from a seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len() as u64) as usize]
    }
}

/// Brings the rows of a block into any order: the page has its own.
fn shuffle(dice: &mut Dice, block: &mut Value) {
    let rows = if block.is_array() { Some(block) } else { block.get_mut("rows") };
    let rows = rows.and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default();
    for last in (1..rows.len()).rev() {
        rows.swap(last, dice.roll(last as u64 + 1) as usize);
    }
}

const SCHOOLS: [&str; 5] =
    ["Fernwick Elementary", "Osier Brook School", "Dunmarrow Middle School", "Tallis High", "Ashby Vale Academy"];
const DISTRICTS: [&str; 3] = ["Fernwick School District", "Regional District 99", "Tallis Public Schools"];
const INCIDENTS: [&str; 4] = ["Bullying", "Leaving grounds", "Vaping / Tobacco", "Insubordination"];
const SANCTIONS: [&str; 4] = ["In-school suspension", "Out-of-school suspension", "Detention", "Expulsion"];

fn school_year(back: u64) -> String {
    let first = 2025 - back;
    format!("{first}-{:02}", (first + 1) % 100)
}

fn attendance(dice: &mut Dice, years: u64) -> Value {
    (0..years)
        .map(|back| {
            let scheduled = 176 + dice.roll(7);
            let attended = scheduled - dice.roll(60);
            let pct = (attended * 1_000 / scheduled) as f64 / 10.0;
            json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "town": "Fernwick", "year": school_year(back),
                "scheduled": scheduled, "attended": attended, "pct": pct})
        })
        .collect()
}

fn tests(dice: &mut Dice, years: u64) -> Value {
    (0..years)
        .map(|back| {
            json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "year": school_year(back), "type": dice.of(&["SBAC", "NGSS", "CMT"]),
                "reading": 2_000 + dice.roll(900), "reading_level": format!("Level {}", 1 + dice.roll(4)), "math": null, "math_level": null})
        })
        .collect()
}

fn special_education(dice: &mut Dice, years: u64) -> Value {
    (0..years)
        .map(|back| {
            json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "year": school_year(back),
                "disability": "Specific Learning Disability / Dyslexia", "hours": (dice.roll(300) as f64) / 10.0})
        })
        .collect()
}

fn discipline(dice: &mut Dice, rows: u64) -> Value {
    (0..rows)
        .map(|_| {
            let date = format!("20{:02}-{:02}-{:02}", 14 + dice.roll(12), 1 + dice.roll(12), 1 + dice.roll(28));
            json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "date": date, "type": dice.of(&INCIDENTS),
                "sanction": dice.of(&SANCTIONS), "days": dice.roll(20) as f64 / 2.0})
        })
        .collect()
}

fn schools(dice: &mut Dice, count: u64) -> Value {
    (0..count)
        .map(|at| {
            let exit = (at + 1 < count).then(|| format!("{}-06-{:02}", 2014 + at, 10 + dice.roll(12)));
            json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "entry_date": format!("{}-08-{:02}", 2013 + at, 20 + dice.roll(9)),
                "exit_date": exit, "exit_reason": exit.as_ref().map(|_| "Moved out of district")})
        })
        .collect()
}

fn head(rows: &Value, count: usize) -> Value {
    rows.as_array().expect("rows").iter().take(count).cloned().collect()
}

fn record(dice: &mut Dice, name: &str, years: u64) -> Value {
    let (attendance, tests) = (attendance(dice, years), tests(dice, years.min(9)));
    let (special, rows) = (special_education(dice, years.min(6)), dice.roll(12));
    let discipline = discipline(dice, rows);
    let current = json!({"school": dice.of(&SCHOOLS), "district": dice.of(&DISTRICTS), "grade": "11", "free_lunch": "Reduced",
        "special_ed": "Yes – active IEP", "language": "Spanish"});
    json!({
        "format": "school-records-summary/1", "report_date": "2026-11-20",
        "client": {"name": name, "dob": "2009-03-0".to_owned() + dice.of(&["1", "2", "3"]), "sasid": format!("99{:08}", dice.roll(100_000_000)),
            "gender": "Female", "race_ethnicity": "Two or more races", "as_reported_on": "2026-10-01", "reported_by": dice.of(&DISTRICTS)},
        "summary": current,
        "recent": {"attendance": head(&attendance, 1), "special_ed": head(&special, 1), "tests": head(&tests, 1), "discipline": head(&discipline, 1)},
        "history": {"schools": schools(dice, years.min(7)), "attendance": attendance, "special_ed": special, "tests": tests, "discipline": discipline},
        "agreement": "Agreement on Records of Supervised Students (sample)", "recipient": "Probation Office of Fernwick",
        "withheld": ["Homeless status", "Section 504 plan"], "code": format!("00000000-0000-4000-8000-{:012}", dice.roll(1_000_000)),
    })
}

fn scripts(dice: &mut Dice) -> Value {
    let names = [
        "Проба, Олена",
        "Δοκιμή, Ελένη",
        "דוגמה, נועה",
        "مثال، ليلى",
        "उदाहरण, कृष्ण",
        "উদাহরণ, বাংলা",
        "ตัวอย่าง น้ำใจ",
        "ምሳሌ፣ አማርኛ",
        "ნიმუში, ნინო",
        "예시, 김지민",
        "王小明",
        "例 花子",
        "Đặng Thị Mẫu",
    ];
    let mut json = named(dice, &names);
    json["client"]["lang"] = dice.of(&["uk", "el", "he", "ar", "hi", "ko", "zh-Hant"]).into();
    json
}

fn both_directions(dice: &mut Dice) -> Value {
    named(
        dice,
        &["Levi לוי 12 נועה [ab] — end", "نموذج ABC ١٢٣ 456", "(דוגמה) School 7", "School \"مثال\" No. 3, North"],
    )
}

/// Names and schools from a list, all over the record.
fn named(dice: &mut Dice, names: &[&str]) -> Value {
    let mut json = record(dice, dice_name(names, 0), 9);
    for (at, row) in json["history"]["attendance"].as_array_mut().expect("rows").iter_mut().enumerate() {
        row["school"] = dice_name(names, at).into();
        row["district"] = dice_name(names, at + 1).into();
    }
    for (at, row) in json["history"]["schools"].as_array_mut().expect("rows").iter_mut().enumerate() {
        row["school"] = dice_name(names, at + 2).into();
    }
    json["client"]["name"] = dice.of(names).into();
    json["recipient"] = dice.of(names).into();
    json["withheld"] = json!(names);
    json
}

fn dice_name<'a>(names: &[&'a str], at: usize) -> &'a str {
    names[at % names.len()]
}

fn long_names(dice: &mut Dice) -> Value {
    let spaced: String = "Saint Cunegund of the Upper Marsh ".repeat(6).chars().take(200).collect();
    let solid: String = "Llanfairgogogoch".repeat(13).chars().take(200).collect();
    named(dice, &[&spaced, &solid])
}

fn no_data(dice: &mut Dice) -> Value {
    let code = format!("00000000-0000-4000-8000-{:012}", dice.roll(1_000_000));
    json!({"format": "school-records-summary/1", "report_date": "2026-11-20", "client": {}, "summary": {}, "recent": {}, "history": {}, "code": code})
}

fn with_rows(dice: &mut Dice, block: &str, rows: u64) -> Value {
    let mut json = record(dice, "Sample, Many Rows", 13);
    json["history"][block] = discipline(dice, rows);
    json
}

fn one_day(dice: &mut Dice) -> Value {
    let mut json = no_data(dice);
    json["client"] = json!({"name": "Sample, One Day", "dob": "2019-10-30", "sasid": "9900000001"});
    json["summary"] = json!({"school": "Fernwick Elementary", "grade": "K"});
    json["history"]["schools"] = json!([{"school": "Fernwick Elementary", "district": "Fernwick School District", "entry_date": "2026-11-20",
        "exit_date": "2026-11-20", "exit_reason": "Moved out of state", "entry_date_inferred": "first sighting"}]);
    json["history"]["attendance"] =
        json!([{"school": "Fernwick Elementary", "year": "2026-27", "scheduled": 1, "attended": 1, "pct": 100}]);
    json["recent"]["attendance"] = json["history"]["attendance"].clone();
    json
}

fn states(dice: &mut Dice) -> Value {
    let mut json = record(dice, "Sample, All States", 60);
    json["history"]["tests"] = json!({"state": "not_permitted"});
    json["recent"]["tests"] = json!({"state": "not_permitted"});
    json["history"]["special_ed"] =
        json!({"state": "suppressed", "as_reported_on": "2026-11-19", "reported_by": "Regional District 99"});
    json["recent"]["special_ed"] = json!({"state": "suppressed", "received_on": "2026-11-20"});
    let awaited = |of: Option<&str>| {
        json!({"collection": "PSIS October collection 2026-27", "as_of": "2026-10-01", "due": "2026-10-31",
        "expected_of": of})
    };
    json["history"]["discipline"] = json!({"state": "reported", "reported_by": "3 districts", "rows": [], "received_on": "2026-11-01",
        "awaited": awaited(None)});
    let rows = json["recent"]["attendance"].take();
    json["recent"]["attendance"] = json!({"rows": rows, "awaited": awaited(Some("Fernwick School District"))});
    json["recent"]["discipline"] = json!({"state": "not_reported"});
    for row in json["history"]["attendance"].as_array_mut().expect("rows").iter_mut().skip(1) {
        row["pct"] = json!({"suppressed": true});
        row["attended"] = Value::Null;
    }
    json["summary"] = json!({"state": "not_reported", "awaited": awaited(Some("Regional District 99"))});
    json["client"]["not_permitted"] = json!(["race_ethnicity"]);
    json["client"].as_object_mut().expect("an object").remove("race_ethnicity");
    json
}

/// A block: where the record has it, the heading it stands under, the fields in the order of the columns, and what its rows are ordered by.
struct Block(&'static str, &'static str, &'static [&'static str], Order);

enum Order {
    OldestFirst(&'static str),
    NewestFirst(&'static str),
}
use Order::{NewestFirst, OldestFirst};

const BLOCKS: [Block; 9] = [
    Block(
        "/recent/attendance",
        "Most Recent Attendance Available",
        &["school", "year", "town", "scheduled", "attended", "pct"],
        NewestFirst("year"),
    ),
    Block(
        "/recent/special_ed",
        "Most Recent Special Education Services Available",
        &["school", "district", "year", "disability", "hours"],
        NewestFirst("year"),
    ),
    Block("/recent/tests", "Most Recent Test Scores Available", TESTS, NewestFirst("year")),
    Block("/recent/discipline", "Most Recent Disciplinary Action Available", DISCIPLINE, NewestFirst("date")),
    Block(
        "/history/schools",
        "School History",
        &["school", "district", "entry_date", "exit_date", "exit_reason"],
        OldestFirst("entry_date"),
    ),
    Block(
        "/history/attendance",
        "Attendance History",
        &["school", "year", "district", "scheduled", "attended", "pct"],
        NewestFirst("year"),
    ),
    Block(
        "/history/special_ed",
        "Special Education Services History",
        &["school", "district", "year", "disability", "hours"],
        NewestFirst("year"),
    ),
    Block("/history/tests", "Test Score History", TESTS, NewestFirst("year")),
    Block("/history/discipline", "Disciplinary Action History", DISCIPLINE, NewestFirst("date")),
];
/// The cards: where the record has them, their labels and fields.
const CARDS: [(&str, &[&str], &[&str]); 2] = [
    (
        "/client",
        &["Client Name", "DOB", "SASID", "Gender", "Race/Ethnicity"],
        &["name", "dob", "sasid", "gender", "race_ethnicity"],
    ),
    (
        "/summary",
        &["School Name", "School District", "Current grade", "Free Lunch Status", "Special Ed Status", "Language"],
        &["school", "district", "grade", "free_lunch", "special_ed", "language"],
    ),
];
const TESTS: &[&str] = &[
    "school",
    "district",
    "year",
    "type",
    "writing",
    "writing_level",
    "reading",
    "reading_level",
    "math",
    "math_level",
    "science",
    "science_level",
];
const DISCIPLINE: &[&str] = &["school", "district", "date", "type", "sanction", "days"];

/// Holds what was read back against the record, formatted here once more and by nothing of the crate.
pub fn hold_against_record(name: &str, pieces: &[Piece], record: &Value) {
    for (pointer, labels, fields) in CARDS {
        hold_card(name, pieces, record, (pointer, labels, fields));
    }
    for Block(pointer, title, fields, order) in BLOCKS {
        let expected = rows_as_printed(record, pointer, fields, &order);
        let block = record.pointer(pointer).unwrap_or(&Value::Null);
        let pieces = region(pieces, &Piece::Heading(3, plain(title))).unwrap_or_else(|| panic!("{name}: no {title}"));
        let Some(Piece::Table { rows, .. }) = pieces.iter().find(|piece| matches!(piece, Piece::Table { .. })) else {
            panic!("{name}: no table under {title}");
        };
        assert_eq!(*rows, expected, "{name}: {title}");
        hold_provenance(name, pieces, block, &record["report_date"]);
    }
    let withheld: Vec<String> =
        texts(&record["withheld"]).map(|text| plain(&printed_text(text))).filter(|text| !text.is_empty()).collect();
    let items = pieces.iter().filter_map(|piece| if let Piece::Item(text) = piece { Some(text) } else { None });
    assert!(items.eq(&withheld), "{name}: what was withheld");
    let figures =
        pieces.iter().filter_map(|piece| if let Piece::Figure(alt) = piece { Some(alt.clone()) } else { None });
    let expected: Vec<String> = trend(record).into_iter().chain(timeline(record)).map(|alt| plain(&alt)).collect();
    assert_eq!(figures.collect::<Vec<_>>(), expected, "{name}: the charts in words");
}

/// All rows of a block as they are printed, in the order of the report.
fn rows_as_printed(record: &Value, pointer: &str, fields: &[&str], order: &Order) -> Vec<Vec<String>> {
    let none = json!({"state": "not_reported"});
    let block = record.pointer(pointer).unwrap_or(&none);
    let mut rows: Vec<Value> = rows_of(block).cloned().collect();
    put_in_order(&mut rows, order);
    let printed = |row: &Value| {
        fields.iter().map(|field| cell(row.as_object().expect("a row"), field, &not_permitted(block))).collect()
    };
    let mut printed: Vec<Vec<String>> = rows.iter().map(printed).collect();
    match state(block) {
        None if rows.is_empty() => printed.push(vec![plain("None recorded")]),
        None => {}
        Some(words) => printed.push(vec![plain(words)]),
    }
    printed
}

/// So many of the blocks are on the one-page print, the first ones.
const BRIEF: usize = 5;

/// Holds the one-page print against the record: each cell is the record's, or begins as it does and ends in an ellipsis; of the rows of a
/// block the newest are there, in the report's order, and where some are left out it says of how many.
pub fn hold_brief_against_record(name: &str, pieces: &[Piece], record: &Value) {
    let is_cell = |shown: &String, whole: &String| {
        shown == whole || shown.strip_suffix('…').is_some_and(|begin| !begin.is_empty() && whole.starts_with(begin))
    };
    let is_row = |shown: &Vec<String>, whole: &Vec<String>| {
        shown.len() == whole.len() && shown.iter().zip(whole).all(|(shown, whole)| is_cell(shown, whole))
    };
    for Block(pointer, title, fields, order) in BLOCKS.iter().take(BRIEF) {
        let whole = rows_as_printed(record, pointer, fields, order);
        let region = region(pieces, &Piece::Heading(3, plain(title))).unwrap_or_else(|| panic!("{name}: no {title}"));
        let Some(Piece::Table { rows, .. }) = region.iter().find(|piece| matches!(piece, Piece::Table { .. })) else {
            panic!("{name}: no table under {title}");
        };
        assert!(!rows.is_empty() && rows.len() <= whole.len(), "{name}: {title}");
        let left_out = whole.len() - rows.len();
        let newest = match order {
            NewestFirst(_) => &whole[..rows.len()],
            OldestFirst(_) => &whole[left_out..],
        };
        let holds = rows.iter().zip(newest).all(|(shown, whole)| is_row(shown, whole));
        assert!(holds, "{name}: {title}: {rows:?} of {newest:?}");
        let says = plain(&format!("{} of {} shown", rows.len(), whole.len()));
        let is_said = region.iter().any(|piece| matches!(piece, Piece::Paragraph(text) if text.starts_with(&says)));
        assert_eq!(is_said, left_out > 0, "{name}: {title}: what is left out is said");
    }
    for (pointer, labels, fields) in CARDS {
        let card = record.pointer(pointer).expect("a card");
        let labels: Vec<String> = labels.iter().map(|label| plain(label)).collect();
        let found = pieces.iter().find_map(|piece| match piece {
            Piece::Table { head, rows } if *head == labels => Some(rows),
            _ => None,
        });
        if state(card).is_some() {
            assert!(found.is_none(), "{name}: {pointer}");
            continue;
        }
        let fields = fields.iter().map(|field| cell(card.as_object().expect("a card"), field, &not_permitted(card)));
        let whole: Vec<String> = fields.collect();
        assert!(found.is_some_and(|rows| rows.len() == 1 && is_row(&rows[0], &whole)), "{name}: {pointer}: {found:?}");
    }
}

/// What stands from a heading to the next one.
fn region<'p>(pieces: &'p [Piece], heading: &Piece) -> Option<&'p [Piece]> {
    let start = pieces.iter().position(|piece| piece == heading)?;
    let rest = &pieces[start + 1..];
    let end = rest.iter().position(|piece| matches!(piece, Piece::Heading(..))).unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Why a block has no rows, in words.
fn state(block: &Value) -> Option<&'static str> {
    match block.get("state").and_then(Value::as_str).unwrap_or("reported") {
        "reported" => None,
        "not_reported" => Some("Not reported"),
        "not_permitted" => Some("Not permitted under the agreement"),
        "suppressed" => Some("Suppressed by the source"),
        other => panic!("{other}"),
    }
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn not_permitted(block: &Value) -> Vec<&str> {
    texts(&block["not_permitted"]).collect()
}

/// Rows without what orders them come last.
fn put_in_order(rows: &mut [Value], order: &Order) {
    let (OldestFirst(key) | NewestFirst(key)) = *order;
    let newest_first = matches!(order, NewestFirst(_));
    rows.sort_by(|a, b| match (a[key].as_str(), b[key].as_str()) {
        (Some(a), Some(b)) if newest_first => b.cmp(a),
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}

fn hold_card(name: &str, pieces: &[Piece], record: &Value, (pointer, labels, fields): (&str, &[&str], &[&str])) {
    let card = record.pointer(pointer).expect("a card");
    let region = match pointer {
        "/client" => &pieces[..pieces.iter().position(|piece| matches!(piece, Piece::Heading(2, _))).expect("a part")],
        _ => region(pieces, &Piece::Heading(2, plain("Summary"))).expect("the summary"),
    };
    let labels: Vec<String> = labels.iter().map(|label| plain(label)).collect();
    let tables: Vec<&Piece> = region.iter().filter(|piece| matches!(piece, Piece::Table { .. })).collect();
    if let Some(words) = state(card) {
        assert!(tables.is_empty() && region.contains(&Piece::Paragraph(plain(words))), "{name}: {pointer}");
    } else {
        let fields = fields.iter().map(|field| cell(card.as_object().expect("a card"), field, &not_permitted(card)));
        assert_eq!(tables, [&Piece::Table { head: labels, rows: vec![fields.collect()] }], "{name}: {pointer}");
    }
    hold_provenance(name, region, card, &record["report_date"]);
}

/// One paragraph says how old a block is and who reported it, where anything is known of that, and who has not reported what was due.
fn hold_provenance(name: &str, region: &[Piece], block: &Value, report_date: &Value) {
    let day = |value: &Value| value.as_str().map(|day| day.parse::<chrono::NaiveDate>().expect("a day"));
    let (reported, received) = (day(&block["as_reported_on"]), day(&block["received_on"]));
    let age = reported.or(received).map(|on| (day(report_date).expect("a day") - on).num_days());
    let age = match age {
        Some(0) => ", the day of this report".to_owned(),
        Some(1) => ", 1 day before this report".to_owned(),
        Some(days) if days > 1 => format!(", {days} days before this report"),
        _ => String::new(),
    };
    let of = |day: chrono::NaiveDate| date(&day.to_string());
    let expected = match (reported, received, block["reported_by"].as_str()) {
        (Some(on), _, Some(by)) => Some(format!("As reported {} by {by}{age}", of(on))),
        (Some(on), _, None) => Some(format!("As reported {}{age}", of(on))),
        (None, Some(on), Some(by)) => Some(format!("Received {}{age}; reported by {by}", of(on))),
        (None, Some(on), None) => Some(format!("Received {}{age}", of(on))),
        (None, None, Some(by)) => Some(format!("As reported by {by}")),
        (None, None, None) => None,
    };
    let awaited = block.get("awaited").filter(|awaited| !awaited.is_null()).map(|awaited| {
        let who = awaited["expected_of"].as_str().unwrap_or("any district");
        let collection = awaited["collection"].as_str().expect("a collection");
        let [as_of, due] = ["as_of", "due"].map(|name| of(day(&awaited[name]).expect("a day")));
        format!("Not yet reported by {who}: {collection}, as of {as_of}, due {due}")
    });
    let expected = match (expected, awaited) {
        (Some(reported), Some(awaited)) => Some(format!("{reported}. {awaited}")),
        (reported, awaited) => reported.or(awaited),
    };
    let expected: Vec<String> = expected.iter().map(|text| plain(text)).collect();
    let is_said = |text: &str| ["Asreported", "Received", "Notyetreported"].iter().any(|word| text.starts_with(word));
    let found = region.iter().filter_map(|piece| match piece {
        Piece::Paragraph(text) if is_said(text) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(found.collect::<Vec<_>>(), expected, "{name}");
}

fn rows_of(block: &Value) -> impl Iterator<Item = &Value> {
    block.as_array().or_else(|| block["rows"].as_array()).into_iter().flatten()
}

/// The trend in words; in these records each row of a year that has a rate has its days too.
fn trend(record: &Value) -> Option<String> {
    let mut years: std::collections::BTreeMap<&str, (f64, f64, Vec<f64>)> = std::collections::BTreeMap::new();
    for row in rows_of(&record["history"]["attendance"]) {
        let Some(rate) = row["pct"].as_f64() else { continue };
        let year = years.entry(row["year"].as_str().expect("a year")).or_default();
        year.0 += row["attended"].as_f64().expect("days");
        year.1 += row["scheduled"].as_f64().expect("days");
        year.2.push(rate);
    }
    let rates: Vec<(&str, f64)> = years
        .into_iter()
        .map(|(year, (attended, scheduled, rates))| match rates[..] {
            [rate] => (year, rate),
            _ => (year, attended * 100.0 / scheduled),
        })
        .collect();
    let low = rates.iter().filter(|(_, rate)| *rate <= 90.0).count();
    let says = match low {
        0 => "None is at or below 90 percent, the line of chronic absence.".to_owned(),
        _ => format!("{low} of {} are at or below 90 percent, the line of chronic absence.", rates.len()),
    };
    let values: Vec<String> = rates.iter().map(|(year, rate)| format!("{year} {}", percent(*rate))).collect();
    (!rates.is_empty()).then(|| {
        let values = values.join("; ");
        format!(
            "Bar chart of attendance by school year, oldest first, on a scale from 0 to 100 percent. {values}. {says}"
        )
    })
}

/// The timeline in words.
fn timeline(record: &Value) -> Option<String> {
    let mut rows: Vec<Value> = rows_of(&record["history"]["schools"]).cloned().collect();
    put_in_order(&mut rows, &OldestFirst("entry_date"));
    let is_open = |row: &Value| row["exit_date"].is_null() && row["exit_date_missing"].is_null();
    let open = rows.iter().filter(|row| is_open(row)).count();
    let dated: Vec<&Value> = rows.iter().filter(|row| row["entry_date"].is_string()).collect();
    let day = |row: &Value, field: &str| {
        let inferred = if row[format!("{field}_inferred")].is_string() { " (inferred)" } else { "" };
        row[field].as_str().map(|day| date(day) + inferred)
    };
    let spell = |(at, row): (usize, &&Value)| {
        let text = |field: &str| row[field].as_str().map_or("–".to_owned(), printed_text);
        let entry = day(row, "entry_date").expect("a day");
        let stay = match day(row, "exit_date") {
            Some(exit) => format!("{entry} to {exit}"),
            None if open == 1 && is_open(row) && at + 1 == dated.len() => {
                format!("{entry} to present, no exit date reported")
            }
            None => format!("from {entry}, exit date not reported"),
        };
        format!("{}, {}: {stay}", text("school"), text("district"))
    };
    let spells: Vec<String> = dated.iter().enumerate().map(spell).collect();
    let undated = match rows.len() - dated.len() {
        0 => String::new(),
        count => format!(" Not drawn, because no entry date was reported: {count}."),
    };
    (!dated.is_empty()).then(|| format!("Timeline of enrollments, oldest first. {}.{undated}", spells.join("; ")))
}

/// Half away from zero, on the digits as they stand.
fn percent(rate: f64) -> String {
    let tenths = ((rate * 10_000.0).round() as i64 + 500) / 1_000;
    format!("{}.{}%", tenths / 10, tenths % 10)
}

fn date(day: &str) -> String {
    let parts: Vec<u32> = day.split('-').map(|part| part.parse().expect("a number")).collect();
    format!("{}/{}/{}", parts[1], parts[2], parts[0])
}

fn printed_text(text: &str) -> String {
    text.chars().filter_map(printed).collect()
}

fn cell(row: &Map<String, Value>, field: &str, not_permitted: &[&str]) -> String {
    if not_permitted.contains(&field) {
        return plain("Not permitted");
    }
    let mut text = match row.get(field) {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::Object(_)) => "Suppressed".to_owned(),
        Some(Value::Number(number)) if field == "pct" => percent(number.as_f64().expect("a number")),
        Some(Value::Number(number)) => number.as_f64().expect("a number").to_string(),
        Some(Value::String(day)) if field.contains("date") || field == "dob" => date(day),
        Some(Value::String(text)) => printed_text(text),
        Some(other) => panic!("{other}"),
    };
    if row.get(&format!("{field}_inferred")).is_some_and(Value::is_string) {
        text.push_str("(inferred)");
    }
    plain(&text)
}

fn printed(c: char) -> Option<char> {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{feff}' => None,
        _ if c.is_whitespace() => Some(' '),
        _ if c.is_control() => Some(char::REPLACEMENT_CHARACTER),
        _ => Some(c),
    }
}
