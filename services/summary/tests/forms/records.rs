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
            out.push((format!("{name}-{seed}"), make(&mut Dice(at as u64 * 1_000 + seed))));
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

/// Blocks: where the record has them, the heading they stand under, and the fields in the order of the columns.
const BLOCKS: [(&str, &str, &[&str]); 9] = [
    (
        "/recent/attendance",
        "Most Recent Attendance Available",
        &["school", "year", "town", "scheduled", "attended", "pct"],
    ),
    (
        "/recent/special_ed",
        "Most Recent Special Education Services Available",
        &["school", "district", "year", "disability", "hours"],
    ),
    ("/recent/tests", "Most Recent Test Scores Available", TESTS),
    ("/recent/discipline", "Most Recent Disciplinary Action Available", DISCIPLINE),
    ("/history/schools", "School History", &["school", "district", "entry_date", "exit_date", "exit_reason"]),
    ("/history/attendance", "Attendance History", &["school", "year", "district", "scheduled", "attended", "pct"]),
    (
        "/history/special_ed",
        "Special Education Services History",
        &["school", "district", "year", "disability", "hours"],
    ),
    ("/history/tests", "Test Score History", TESTS),
    ("/history/discipline", "Disciplinary Action History", DISCIPLINE),
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
    for (pointer, title, fields) in BLOCKS {
        let none = json!({"state": "not_reported"});
        let block = record.pointer(pointer).unwrap_or(&none);
        let state = block.get("state").and_then(Value::as_str).unwrap_or("reported");
        let not_permitted: Vec<&str> =
            block["not_permitted"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let rows = block.as_array().or_else(|| block["rows"].as_array()).cloned().unwrap_or_default();
        let mut expected: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                fields.iter().map(|field| cell(row.as_object().expect("a row"), field, &not_permitted)).collect()
            })
            .collect();
        match state {
            "reported" if rows.is_empty() => expected.push(vec![plain("None recorded")]),
            "reported" => {}
            "not_reported" => expected.push(vec![plain("Not reported")]),
            "not_permitted" => expected.push(vec![plain("Not permitted under the agreement")]),
            "suppressed" => expected.push(vec![plain("Suppressed by the source")]),
            other => panic!("{other}"),
        }
        let heading = Piece::Heading(3, plain(title));
        let start = pieces.iter().position(|piece| *piece == heading).unwrap_or_else(|| panic!("{name}: no {title}"));
        if let Some(collection) = block.pointer("/awaited/collection").and_then(Value::as_str) {
            let who = block.pointer("/awaited/expected_of").and_then(Value::as_str).unwrap_or("any district");
            let said = plain(&format!("Not yet reported by {who}: {collection}, as of 10/1/2026, due 10/31/2026"));
            let is_said = |piece: &Piece| matches!(piece, Piece::Paragraph(text) if text.contains(&said));
            let table = pieces[start..].iter().position(|piece| matches!(piece, Piece::Table { .. })).unwrap_or(0);
            assert!(
                pieces[start..start + table].iter().any(is_said),
                "{name}: {title} does not say who has not reported"
            );
        }
        let Some(Piece::Table { rows, .. }) = pieces[start..].iter().find(|piece| matches!(piece, Piece::Table { .. }))
        else {
            panic!("{name}: no table under {title}");
        };
        let mut found = rows.clone();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}: {title}");
    }
}

fn cell(row: &Map<String, Value>, field: &str, not_permitted: &[&str]) -> String {
    if not_permitted.contains(&field) {
        return plain("Not permitted");
    }
    let mut text = match row.get(field) {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::Object(_)) => "Suppressed".to_owned(),
        Some(Value::Number(number)) if field == "pct" => {
            // Half away from zero, on the digits as they stand.
            let tenths = ((number.as_f64().expect("a number") * 10_000.0).round() as i64 + 500) / 1_000;
            format!("{}.{}%", tenths / 10, tenths % 10)
        }
        Some(Value::Number(number)) => number.as_f64().expect("a number").to_string(),
        Some(Value::String(day)) if field.contains("date") => {
            let parts: Vec<u32> = day.split('-').map(|part| part.parse().expect("a number")).collect();
            format!("{}/{}/{}", parts[1], parts[2], parts[0])
        }
        Some(Value::String(text)) => text.chars().filter_map(printed).collect(),
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
