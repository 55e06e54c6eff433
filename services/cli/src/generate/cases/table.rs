//! The table of cases.

use super::{Case, Consumer, Restricted, Script, Span, View};
use crate::generate::life::{Event, exit};
use crate::generate::names::Sex;

const PLAIN: Case = Case {
    name: "",
    about: "",
    first: "",
    last: "",
    renamed: None,
    sex: Sex::Female,
    age: (15, 100),
    town: "Hartford",
    siblings: 1,
    twin: false,
    iep: false,
    trouble: 0.0,
    mobility: 1.0,
    events: &[],
    clients: &[],
    second_sasid: None,
    borrowed_sasid: false,
    expunged: false,
    corrected_attendance: false,
    restricted: Restricted::No,
};

const fn open(start: i64) -> Span {
    Span { start, end: None, end_known: 0, known: 0 }
}

const fn ended(start: i64, end: i64) -> Span {
    Span { end: Some(end), ..open(start) }
}

const fn ends_on_night(start: i64, end: i64, night: usize) -> Span {
    Span { end_known: night, ..ended(start, end) }
}

const fn joins_on_night(start: i64, night: usize) -> Span {
    Span { known: night, ..open(start) }
}

const fn client(consumer: Consumer, spans: &'static [Span], basis: &'static str) -> Script {
    Script {
        consumer,
        spans,
        adjudicated: false,
        basis,
        view: View::Exact,
        corrected: None,
        gone: None,
        transfer: None,
    }
}

const fn court(spans: &'static [Span]) -> Script {
    client(Consumer::Cssd, spans, "juvenile_justice")
}

const fn care(spans: &'static [Span]) -> Script {
    client(Consumer::Dcf, spans, "Reunification")
}

const fn unit(spans: &'static [Span], signed_by: &'static str) -> Script {
    client(Consumer::EducationUnit, spans, signed_by)
}

const fn viewed(script: Script, view: View) -> Script {
    Script { view, ..script }
}

const fn adjudicated(script: Script, basis: &'static str) -> Script {
    Script { adjudicated: true, basis, ..script }
}

/// The cases, in the order of the children that stand for them.
pub static CASES: [Case; 46] = [
    Case {
        name: "cssd_pre_adjudication",
        about: "before adjudication: the juvenile-justice basis covers the whole history",
        first: "Avery",
        last: "Alder",
        age: (15, 120),
        iep: true,
        trouble: 1.2,
        events: &[(6, 40, Event::Move), (4, 90, Event::Move), (4, 150, Event::ChangeSchool), (2, 60, Event::Gap(20))],
        clients: &[viewed(court(&[open(120)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "dcf_in_care",
        about: "in care, matched by name and birth date",
        first: "Blake",
        last: "Birch",
        sex: Sex::Male,
        age: (9, 40),
        town: "Bridgeport",
        events: &[(2, 70, Event::Move), (1, 30, Event::Move)],
        clients: &[care(&[open(400)])],
        ..PLAIN
    },
    Case {
        name: "both_agencies",
        about: "a client of both agencies: neither is told of the other",
        first: "Casey",
        last: "Cedar",
        sex: Sex::Male,
        age: (16, 10),
        town: "New Haven",
        iep: true,
        trouble: 0.8,
        events: &[(3, 50, Event::Move)],
        clients: &[viewed(court(&[open(90)]), View::WithSasid), care(&[open(700)])],
        ..PLAIN
    },
    Case {
        name: "detained",
        about: "detained twice while the home district reports; DCF must see no trace of it",
        first: "Devon",
        last: "Dogwood",
        sex: Sex::Male,
        age: (15, 200),
        town: "Waterbury",
        trouble: 1.5,
        events: &[(1, 60, Event::Detained(40)), (0, 12, Event::Detained(20))],
        clients: &[viewed(court(&[open(60)]), View::WithSasid), care(&[open(300)])],
        ..PLAIN
    },
    Case {
        name: "cssd_adjudicated_without_basis",
        about: "adjudicated, and no other basis: refused",
        first: "Ellis",
        last: "Elder",
        sex: Sex::Male,
        age: (16, 33),
        trouble: 1.0,
        clients: &[adjudicated(viewed(court(&[open(250)]), View::WithSasid), "juvenile_justice")],
        ..PLAIN
    },
    Case {
        name: "cssd_court_order",
        about: "adjudicated, disclosed by court order",
        first: "Frankie",
        last: "Fir",
        age: (16, 210),
        town: "New Britain",
        trouble: 0.9,
        clients: &[adjudicated(viewed(court(&[open(300)]), View::WithSasid), "court_order")],
        ..PLAIN
    },
    Case {
        name: "cssd_parent_consent",
        about: "adjudicated, disclosed with a consent",
        first: "Gray",
        last: "Gorse",
        sex: Sex::Male,
        age: (14, 77),
        town: "Meriden",
        trouble: 0.7,
        clients: &[adjudicated(court(&[open(150)]), "parent_consent")],
        ..PLAIN
    },
    Case {
        name: "cssd_ended",
        about: "supervision ended before the first night: nothing is disclosed",
        first: "Harper",
        last: "Hazel",
        age: (17, 5),
        town: "Norwich",
        clients: &[viewed(court(&[ended(420, 40)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "cssd_ends_during_run",
        about: "the end of supervision arrives with the third night",
        first: "Indigo",
        last: "Ivy",
        age: (15, 300),
        town: "Stamford",
        clients: &[viewed(court(&[ends_on_night(200, 1, 2)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "cssd_reopened",
        about: "ended last year, opened again on the second night",
        first: "Jules",
        last: "Juniper",
        sex: Sex::Male,
        age: (16, 120),
        town: "Danbury",
        trouble: 0.9,
        clients: &[viewed(court(&[ended(500, 230), joins_on_night(2, 1)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "cssd_joins",
        about: "first listed on the third night",
        first: "Kai",
        last: "Katsura",
        sex: Sex::Male,
        age: (13, 60),
        town: "East Hartford",
        clients: &[court(&[joins_on_night(1, 2)])],
        ..PLAIN
    },
    Case {
        name: "cssd_leaves_roster",
        about: "gone from the roster from the third night on, without an end",
        first: "Lane",
        last: "Larch",
        age: (16, 240),
        town: "Manchester",
        clients: &[Script { gone: Some(2), ..viewed(court(&[open(180)]), View::WithSasid) }],
        ..PLAIN
    },
    Case {
        name: "dcf_ended",
        about: "the episode ended in reunification",
        first: "Morgan",
        last: "Maple",
        age: (8, 100),
        town: "Waterbury",
        clients: &[care(&[ended(600, 90)])],
        ..PLAIN
    },
    Case {
        name: "dcf_reopened",
        about: "a second episode after a first that ended",
        first: "Noel",
        last: "Nettle",
        sex: Sex::Male,
        age: (11, 20),
        town: "New London",
        events: &[(3, 30, Event::Move), (1, 80, Event::Move)],
        clients: &[care(&[ended(1100, 700), open(30)])],
        ..PLAIN
    },
    Case {
        name: "dcf_ends_during_run",
        about: "the end of the episode arrives with the last night",
        first: "Oakley",
        last: "Olive",
        age: (6, 250),
        clients: &[care(&[ends_on_night(350, 1, 3)])],
        ..PLAIN
    },
    Case {
        name: "two_sasids",
        about: "one child with two SASIDs, merged before the third night: from then on the whole history",
        first: "Parker",
        last: "Pine",
        age: (12, 150),
        town: "Bridgeport",
        events: &[(4, 60, Event::Move), (3, 3, Event::Leave(exit::OTHER_STATE))],
        second_sasid: Some(2),
        clients: &[viewed(care(&[open(500)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "shared_sasid_elder",
        about: "one SASID that proves to be two children: the one it belongs to",
        first: "Quinn",
        last: "Quince",
        sex: Sex::Male,
        age: (10, 90),
        town: "New Haven",
        siblings: 2,
        ..PLAIN
    },
    Case {
        name: "shared_sasid_younger",
        about: "one SASID that proves to be two children: the one reported under it at first",
        first: "Quincy",
        last: "Quince",
        sex: Sex::Male,
        age: (10, 90),
        town: "New Haven",
        twin: true,
        borrowed_sasid: true,
        clients: &[care(&[open(220)])],
        ..PLAIN
    },
    Case {
        name: "twin_client",
        about: "a twin who is a client",
        first: "Remy",
        last: "Rowan",
        sex: Sex::Male,
        age: (14, 30),
        town: "New Britain",
        siblings: 2,
        trouble: 0.8,
        clients: &[court(&[open(110)])],
        ..PLAIN
    },
    Case {
        name: "twin_stranger",
        about: "the twin of a client: never disclosed",
        first: "Rory",
        last: "Rowan",
        sex: Sex::Male,
        age: (14, 30),
        town: "New Britain",
        twin: true,
        ..PLAIN
    },
    Case {
        name: "turns_18",
        about: "turns 18 on the third night: the parent's consent and release end",
        first: "Sage",
        last: "Sumac",
        age: (18, 1),
        trouble: 0.6,
        clients: &[
            adjudicated(viewed(court(&[open(260)]), View::WithSasid), "parent_consent"),
            viewed(unit(&[ends_on_night(200, -165, 0)], "parent"), View::WithSasid),
        ],
        ..PLAIN
    },
    Case {
        name: "education_unit_release",
        about: "a parent's release that is valid",
        first: "Tatum",
        last: "Thistle",
        sex: Sex::Male,
        age: (16, 12),
        town: "Waterbury",
        trouble: 1.3,
        events: &[(0, 15, Event::Detained(60))],
        clients: &[
            viewed(court(&[open(70)]), View::WithSasid),
            viewed(unit(&[ends_on_night(50, -315, 0)], "parent"), View::WithSasid),
        ],
        ..PLAIN
    },
    Case {
        name: "education_unit_expired",
        about: "a parent's release that has expired",
        first: "Umber",
        last: "Ulmus",
        sex: Sex::Male,
        age: (15, 222),
        trouble: 1.1,
        clients: &[viewed(unit(&[ended(400, 35)], "parent"), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "education_unit_turned_18",
        about: "a parent's release, and the student has turned 18 since",
        first: "Val",
        last: "Vetch",
        age: (18, 30),
        town: "New Haven",
        trouble: 0.9,
        clients: &[viewed(unit(&[ends_on_night(200, -165, 0)], "parent"), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "education_unit_student_release",
        about: "a release signed by the student, who is 18",
        first: "Wren",
        last: "Willow",
        age: (18, 200),
        town: "Bridgeport",
        trouble: 0.9,
        clients: &[viewed(unit(&[ends_on_night(100, -265, 0)], "eligible_student"), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "wrong_match",
        about: "listed with a stranger's SASID, corrected on the last night: what was disclosed is recalled",
        first: "Alex",
        last: "Yarrow",
        sex: Sex::Male,
        age: (14, 300),
        town: "Meriden",
        trouble: 0.5,
        clients: &[Script { corrected: Some(3), ..viewed(court(&[open(45)]), View::StrangersSasid) }],
        ..PLAIN
    },
    Case {
        name: "wrong_match_stranger",
        about: "the stranger of the wrong match",
        first: "Alexis",
        last: "Yarrow",
        sex: Sex::Male,
        age: (14, 300),
        town: "Milford",
        ..PLAIN
    },
    Case {
        name: "expunged_discipline",
        about: "a later file expunges an incident",
        first: "Briar",
        last: "Zelkova",
        age: (15, 15),
        town: "Stamford",
        trouble: 2.2,
        expunged: true,
        clients: &[viewed(court(&[open(33)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "sealed_record",
        about: "the record is sealed",
        first: "Cleo",
        last: "Aspen",
        age: (13, 99),
        town: "Norwalk",
        restricted: Restricted::Sealed,
        clients: &[care(&[open(300)])],
        ..PLAIN
    },
    Case {
        name: "erased_record",
        about: "the record is erased by order",
        first: "Dana",
        last: "Bramble",
        sex: Sex::Male,
        age: (16, 50),
        town: "Bristol",
        restricted: Restricted::Erased,
        clients: &[viewed(court(&[open(210)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "confidential_address",
        about: "addresses are confidential",
        first: "Eden",
        last: "Clover",
        age: (9, 9),
        town: "Torrington",
        restricted: Restricted::ConfidentialAddress,
        clients: &[care(&[open(250)])],
        ..PLAIN
    },
    Case {
        name: "protective_order",
        about: "a protective order covers the contacts",
        first: "Fallon",
        last: "Dahlia",
        age: (11, 180),
        town: "Middletown",
        restricted: Restricted::ProtectiveOrder,
        clients: &[care(&[open(140)])],
        ..PLAIN
    },
    Case {
        name: "away_and_back",
        about: "left the state and came back",
        first: "Flynn",
        last: "Daisy",
        sex: Sex::Male,
        age: (15, 60),
        town: "Norwich",
        events: &[(5, 100, Event::Leave(exit::OTHER_STATE)), (1, 20, Event::Move)],
        clients: &[court(&[open(95)])],
        ..PLAIN
    },
    Case {
        name: "nickname",
        about: "listed by a nickname",
        first: "William",
        last: "Fern",
        sex: Sex::Male,
        age: (16, 70),
        town: "West Haven",
        clients: &[viewed(court(&[open(15)]), View::Nickname)],
        ..PLAIN
    },
    Case {
        name: "doubtful",
        about: "listed by an initial only, as a twin could be: for a person to decide",
        first: "Marlowe",
        last: "Foxglove",
        age: (15, 140),
        town: "Hamden",
        clients: &[viewed(court(&[open(25)]), View::Doubtful)],
        ..PLAIN
    },
    Case {
        name: "swapped_date",
        about: "day and month of birth swapped",
        first: "Gale",
        last: "Ginkgo",
        age: (10, 293),
        town: "Vernon",
        clients: &[viewed(care(&[open(75)]), View::SwappedDate)],
        ..PLAIN
    },
    Case {
        name: "changed_surname",
        about: "listed by the name of before a change",
        first: "Hollis",
        last: "Heath",
        age: (13, 200),
        town: "Windham",
        renamed: Some("Heath-Iris"),
        clients: &[viewed(care(&[open(800)]), View::OldSurname)],
        ..PLAIN
    },
    Case {
        name: "part_of_surname",
        about: "listed by the second part of a two-part surname only",
        first: "Isa",
        last: "Linden Moss",
        age: (12, 12),
        clients: &[viewed(care(&[open(130)]), View::LastPart)],
        ..PLAIN
    },
    Case {
        name: "corrected_attendance",
        about: "last year's attendance is corrected by a later file",
        first: "Jody",
        last: "Jasmine",
        sex: Sex::Male,
        age: (14, 111),
        town: "Groton",
        corrected_attendance: true,
        clients: &[viewed(court(&[open(66)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "correctional",
        about: "a stay in a correctional institution that reports the student itself",
        first: "Kit",
        last: "Kapok",
        sex: Sex::Male,
        age: (17, 190),
        town: "Bridgeport",
        trouble: 2.0,
        events: &[(1, 50, Event::Corrected(80))],
        clients: &[viewed(unit(&[ends_on_night(60, -305, 0)], "parent"), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "deceased",
        about: "died",
        first: "Lee",
        last: "Laurel",
        age: (12, 80),
        town: "Ansonia",
        events: &[(1, 120, Event::Died)],
        clients: &[Script { basis: "Death of Child", ..care(&[ended(900, 230)]) }],
        ..PLAIN
    },
    Case {
        name: "moved_away",
        about: "left the state for good",
        first: "Max",
        last: "Mallow",
        sex: Sex::Male,
        age: (13, 13),
        town: "Groton",
        events: &[(0, 20, Event::Leave(exit::OTHER_STATE))],
        clients: &[care(&[open(500)])],
        ..PLAIN
    },
    Case {
        name: "child_welfare_facility",
        about: "a stay in a child-welfare facility; CSSD must see no trace of it",
        first: "Nico",
        last: "Nasturtium",
        age: (14, 240),
        town: "Middletown",
        trouble: 0.6,
        events: &[(1, 30, Event::Hospital(60))],
        clients: &[care(&[open(450)]), viewed(court(&[open(20)]), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "dcf_office_transfer",
        about: "another area office has the child from the third night on: it is told, the first office no longer",
        first: "Ola",
        last: "Oleander",
        age: (11, 90),
        events: &[(1, 110, Event::Move)],
        clients: &[Script { transfer: Some((2, 0)), ..viewed(care(&[open(380)]), View::WithSasid) }],
        ..PLAIN
    },
    Case {
        name: "education_unit_emergency",
        about: "18, under a parent's release: refused, but for the third night, for which an emergency is declared",
        first: "Perry",
        last: "Privet",
        sex: Sex::Male,
        age: (18, 60),
        town: "New Britain",
        trouble: 0.8,
        events: &[(0, 10, Event::Detained(60))],
        clients: &[viewed(unit(&[ends_on_night(120, -245, 0)], "parent"), View::WithSasid)],
        ..PLAIN
    },
    Case {
        name: "cssd_certification_missing",
        about: "before adjudication: refused while CSSD's certification is off file, after the last night, and open again under the next",
        first: "Reese",
        last: "Redbud",
        age: (15, 170),
        town: "Manchester",
        trouble: 0.7,
        clients: &[viewed(court(&[open(85)]), View::WithSasid)],
        ..PLAIN
    },
];
