//! Rosters as agencies send them: the state's own match-file rules, full snapshots and changes, and what is wrong with real ones.

use identity::roster::RosterLayout;
use intake::roster::{Incoming, Taken, take_accepted};

use super::*;

/// A match file with the columns of an authority: the state's rules of writing, an agency's own column names.
const MATCH_FILE: &str = r#"
kind = "snapshot"
format = "match_file"
time_zone = "America/New_York"
date_formats = ["%Y%m%d"]
ignored = ["HighSchoolCode", "HighSchoolName"]
[columns]
person_key = "SyntheticId"
last_name = "LastName"
first_name = "FirstName"
middle_name = "MiddleName"
birth_date = "DOB"
sex = "Gender"
sasid = "SASID"
[authority]
kind = "custody"
key = ["EPISODE_ID"]
start = "EPISODE_START_DATE"
end = "EPISODE_END_DATE"
office = "DCF_OFFICE"
legal_basis = "ferpa_uninterrupted_scholars"
"#;
const COLUMNS: &str = "SyntheticId\tLastName\tFirstName\tMiddleName\tDOB\tGender\tHighSchoolCode\tHighSchoolName\tSASID\tEPISODE_ID\t\
    EPISODE_START_DATE\tEPISODE_END_DATE\tDCF_OFFICE";

/// A line of a match file, with its name, birth date, sex and state id as given.
fn line(person: &str, name: &str, rest: &str) -> String {
    format!("{person}\t{name}\t{rest}\tE1\t20261001\t\tHartford")
}

async fn take(world: &World, layout: &str, day: &str, bytes: &[u8]) -> Taken {
    let who = consumer("dcf");
    let roster_date: chrono::NaiveDate = day.parse().unwrap();
    let incoming = Incoming {
        consumer: &who,
        file_name: "P20_Q0001_DCF_match_v1.txt",
        bytes,
        roster_date,
        at: roster_date.and_hms_opt(12, 0, 0).unwrap().and_utc(),
        accepted_by: None,
        tombstones: &tombstones(),
    };
    take_accepted(&world.db.pool, &world.agreements, &RosterLayout::parse(layout).unwrap(), incoming).await.unwrap()
}

/// A state of students with the ids and names of these tests.
async fn state(sasids: &[&str]) -> World {
    let world = small_state().await;
    let records: Vec<Record<'_>> = sasids
        .iter()
        .map(|sasid| with(&registration(sasid), &[("last_name", "O'Neil-Mac Quince"), ("first_name", "Mary Ann")]))
        .collect();
    world.load("sasid-2.1x", &records, loaded_at()).await;
    world
}

#[tokio::test]
async fn a_match_file_keeps_to_the_states_rules() {
    let world = state(&["0990000017"]).await;
    let rows = [
        // Text as it is, quotation marks inside it too; the school code keeps its zero; no sex reported is `U`; the id comes without its zeros.
        line("S1", "O'Neil-Mac Quince\tMary Ann\t", "20100304\tU\t070005\tHartford Public, High\t990000017"),
        line("S2", "Quince\t\"Wendo\"\t", "20100304\tF\t\t\t"),
        line("S3", "Quince\tKelora \"Kel\" Ann\t", "20100304\tF\t\t\t"),
        line("S4", "Quince\tTavira\t", "2010-03-04\tF\t\t\t"),
        line("S5", "Quince\tTavira\t", "03042010\tF\t\t\t"),
        line("S6", "Quince\tMiravel\t", "20100304\tF\t\t"),
        line("S7", "Quince\tSano, Var\t", "20110506\tM\t\t\t"),
    ];
    let text = format!("\u{feff}{COLUMNS}\r\n{}\r\n", rows.join("\r\n"));
    // Three of seven are bad: as a whole such a file is not trusted; with more good ones it is.
    let refused = take(&world, MATCH_FILE, "2026-11-17", text.as_bytes()).await;
    assert!(refused.receipt.refused_reason.is_some());
    assert_eq!((refused.receipt.accepted, refused.receipt.refused), (0, refused.receipt.rows_in));
    let more: Vec<String> = (20..40)
        .map(|n| {
            let (first, last, birth) = invented(n);
            let birth = format!("{}{}", &birth[4..], &birth[..4]);
            line(&format!("N{n}"), &format!("{last}\t{first}\t"), &format!("{birth}\tF\t\t\t99{n:08}"))
        })
        .collect();
    let text = format!("{text}{}\r\n", more.join("\r\n"));
    let receipt = take(&world, MATCH_FILE, "2026-11-17", text.as_bytes()).await.receipt;
    assert_eq!((receipt.refused_reason, receipt.rows_in, receipt.accepted, receipt.refused), (None, 27, 23, 4));
    let found: Vec<(u64, &str, &str)> =
        receipt.findings.iter().map(|one| (one.line, one.column.as_deref().unwrap_or(""), one.rule)).collect();
    assert_eq!(
        found,
        [
            (3, "FirstName", "value.quoted"),
            (5, "DOB", "date.invalid"),
            (6, "DOB", "date.invalid"),
            (7, "", "row.length")
        ]
    );
    assert!(receipt.findings[1].message.starts_with("the day is not written YYYYMMDD; the row is left out"));
    let kept = "SELECT count(*) FROM identity.client AS c WHERE c.details ->> 'first_name' = 'Kelora \"Kel\" Ann'
        OR (c.person_key = 'S1' AND c.details ->> 'last_name' = 'O''Neil-Mac Quince' AND c.details ->> 'sasid' = '990000017')
        OR (c.person_key = 'S7' AND c.details ->> 'first_name' = 'Sano, Var' AND c.details ->> 'birth_date' = '2011-05-06')";
    assert_eq!(world.count(kept).await, 3, "text as it is");
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let matched = matched(&world).await;
    assert!(matched.contains(&("S1".to_owned(), "0990000017".to_owned())), "the id without its zeros: {matched:?}");
}

#[tokio::test]
async fn a_match_file_of_another_shape_is_refused_by_column() {
    let world = small_state().await;
    for (text, rule) in [
        (format!("{}\n", COLUMNS.replace('\t', ",")), "header.unknown"),
        (format!("{}\n", COLUMNS.replace("DOB", "BirthDate")), "header.unknown"),
        (format!("{}\n", COLUMNS.replace("\tSASID", "")), "header.missing"),
        (format!("{COLUMNS}\tDOB\n"), "header.repeated"),
        (String::new(), "header.missing"),
    ] {
        let receipt = take(&world, MATCH_FILE, "2026-11-17", text.as_bytes()).await.receipt;
        assert!(receipt.refused_reason.is_some() && receipt.findings.iter().any(|one| one.rule == rule), "{receipt:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM identity.roster").await, 0, "nothing of them was taken");
}

#[tokio::test]
async fn changes_leave_whom_they_do_not_name_and_a_snapshot_ends_them() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-16", &rows(0..12), loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let changes = MATCH_FILE.replace("\"snapshot\"", "\"delta\"");
    let day = |n: usize| {
        let (first, last, birth) = invented(n);
        (format!("{last}\t{first}\t"), format!("{}{}", &birth[4..], &birth[..4]))
    };
    let ((known, born), (new, new_born)) = (day(3), day(20));
    // One client of twelve is named again with an end, and one is new: far fewer than a full list names, and nothing to stop for.
    let ended = line("D3", &known, &format!("{born}\tF\t\t\t9900000003")).replace("20261001\t", "20261001\t20261105");
    let came = line("D20", &new, &format!("{new_born}\tF\t\t\t9900000020"));
    let text = format!("{COLUMNS}\n{ended}\n{came}\n");
    let receipt = take(&world, &changes, "2026-11-17", text.as_bytes()).await.receipt;
    assert_eq!((receipt.refused_reason, receipt.accepted, receipt.changed, receipt.ended_by_absence), (None, 2, 2, 0));
    match_night(&world, "dcf", loaded_at(), &config()).await;
    world.ask("dcf", "D4", moment()).await.unwrap();
    world.ask("dcf", "D20", moment()).await.unwrap();
    assert_eq!(reason(world.ask("dcf", "D3", moment()).await), Reason::NotAClient);
    // The next full list names all but one.
    let all: Vec<String> = rows(0..12).into_iter().filter(|row| !row.starts_with("D4,")).chain(rows(20..21)).collect();
    let taken = world.roster("dcf", "2026-11-18", &all, loaded_at()).await;
    assert_eq!(taken.receipt.ended_by_absence, 1);
    assert_eq!(reason(world.ask("dcf", "D4", moment()).await), Reason::NotAClient);
}

#[tokio::test]
async fn what_real_rosters_hold_is_said_and_never_linked_to_somebody_else() {
    let world = small_state().await;
    let mut all = rows(0..40);
    // The same children in capitals, with accents, under a date that stands for unknown, under one letter.
    all[1] = all[1].to_uppercase();
    all[2] = all[2].replace("Tavira", "Tavirá");
    let born = |n: usize| {
        let (_, _, birth) = invented(n);
        format!("{}-{}-{}", &birth[4..], &birth[..2], &birth[2..4])
    };
    all[5] = row("D5", 5, "").replace(&born(5), "1900-01-01");
    all[6] = row("D6", 6, "").replace(&invented(6).0, "J");
    all[7] = row("D7", 7, "").replace(&format!(",{},", invented(7).0), ",,");
    let header = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,\
EPISODE_START_DATE,EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";
    let text = format!("{header}\n{}\n", all.join("\n"));
    let layout = project_file("deploy/consumers/dcf/roster.toml");
    let receipt = take(&world, &layout, "2026-11-17", text.as_bytes()).await.receipt;
    assert_eq!((receipt.refused_reason, receipt.accepted, receipt.refused), (None, 40, 0));
    let found: Vec<(u64, &str)> = receipt.findings.iter().map(|one| (one.line, one.rule)).collect();
    assert_eq!(found, [(7, "date.placeholder"), (9, "name.missing")]);
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let matched = matched(&world).await;
    for (person, sasid) in &matched {
        assert_eq!(format!("99{:08}", person[1..].parse::<u64>().unwrap()), *sasid, "{person}");
    }
    let is_matched = |person: &str| matched.iter().any(|(one, _)| one == person);
    assert!(is_matched("D1") && is_matched("D2"), "{matched:?}");
    assert!(!is_matched("D5") && !is_matched("D6") && !is_matched("D7"), "{matched:?}");
    assert!(waiting(&world, moment()).await.iter().any(|one| one.consumer == "dcf"));
}

#[tokio::test]
async fn nobody_is_ended_because_a_row_is_incomplete() {
    let world = small_state().await;
    world.roster("dcf", "2026-11-16", &rows(0..40), loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let before = matched(&world).await;
    let asked = ["D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8"];
    for person in asked {
        assert!(before.iter().any(|(one, _)| one == person), "{person}");
    }
    let born = |n: usize| {
        let (_, _, birth) = invented(n);
        format!("{}-{}-{}", &birth[4..], &birth[..2], &birth[2..4])
    };
    let mut all = rows(0..40);
    // No first name; no name that is one; neither name; no birth date; one that is none; a row cut short; no person id; no first day.
    all[1] = all[1].replace(&format!(",{},", invented(1).0), ",,");
    all[2] = all[2].replace(&format!(",{},", invented(2).0), ",Unknown,");
    all[3] = all[3].replace(&format!(",{},{},", invented(3).1, invented(3).0), ",,,");
    all[4] = all[4].replace(&born(4), "");
    all[5] = all[5].replace(&born(5), "2010-02-30");
    all[6].truncate(40);
    all[7] = all[7].replacen("D7,", ",", 1);
    all[8] = all[8].replace("2026-10-01", "");
    // These say that it is over, or that there is no ground: they end.
    all[9] = all[9].replace("2026-10-01,,", "2026-10-01,2026-11-40,");
    let taken = submit(&world, "2026-11-17", &all, moment()).await;
    assert_eq!((taken.refused_reason, taken.accepted, taken.refused, taken.ended_by_absence), (None, 35, 5, 1));
    match_night(&world, "dcf", loaded_at(), &config()).await;
    assert_eq!(matched(&world).await, before, "nobody is another child now");
    for person in asked {
        world.ask("dcf", person, moment()).await.unwrap_or_else(|error| panic!("{person}: {error}"));
    }
    assert_eq!(reason(world.ask("dcf", "D9", moment()).await), Reason::NotAClient);
}

#[tokio::test]
async fn one_state_id_under_two_unlike_people_waits_with_its_reason() {
    let world = small_state().await;
    let mut all = rows(0..30);
    // The id of student 50 beside the details of nobody known, and beside those of student 6.
    all.push("D90,Medlar,Tobias,,,2001-12-30,M,,Norwich,06360,9900000050,E1,2026-10-01,,,Hartford,1,W1".to_owned());
    all[6] = row("D6", 6, "9900000051");
    world.roster("dcf", "2026-11-17", &all, loaded_at()).await;
    match_night(&world, "dcf", loaded_at(), &config()).await;
    let matched = matched(&world).await;
    assert!(matched.iter().all(|(one, _)| one != "D90" && one != "D6"), "{matched:?}");
    for (person, sasid) in [("D90", "9900000050"), ("D6", "9900000051")] {
        let waits = format!(
            "SELECT count(*) FROM identity.match_decision AS m JOIN identity.client AS c USING (client_id)
            JOIN identity.source_person AS p USING (source_person_id)
            WHERE m.superseded_at IS NULL AND m.outcome = 'review' AND c.person_key = '{person}' AND p.state_id = '{sasid}'
                AND m.explanation ->> 'reason' = 'state_id_unconfirmed'"
        );
        assert_eq!(world.count(&waits).await, 1, "{person}");
    }
}
