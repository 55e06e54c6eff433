//! One answer from three: the pure decision, the one static statement, and row-level security.
//!
//! Random agreements are brought into force in a real database, with random clients, intervals, papers, certifications and
//! restrictions; random requests are put to the decision and, as the disclosing role, with packed facts and without, to the very statement of
//! `services/disclosure/src/store/permitted.rs`. A case is one client asked about once.
//!
//! The quick run is part of every test run. A long one is a matter of the environment:
//! `THROUGHLINE_TWIN_CASES=200000 cargo test -p tests --test it twin -- --nocapture`. Several such runs go side by side, each after
//! another round: `THROUGHLINE_TWIN_AFTER=1000000`. A round is its own seed, and a failure names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use agreements::{
    Act, Actor, Authority, Delivery, ElementSet, Instrument, InstrumentKind, Interval, NewCertification, Paper,
    Request, Subject, decide, majority_at,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domains::definition;
use model::{Domain, FixedClock, Masked, SchoolYear, Sensitivity, SourcePersonId};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _, postgres::PgRow};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{World, at, consumer, loaded_at, offense, registration, snapshot, with};

const QUICK_CASES: u64 = 600;
const CLIENTS: u64 = SASIDS.len() as u64;
const REQUESTS: u64 = 12;
const OFFICERS: [&str; 2] = ["F1", "F2"];
const SASIDS: [&str; 4] = ["9900000017", "9900000025", "9900000033", "9900000041"];
/// What a party is, how its students come to it, and the law of its own: what the law lets an agreement say.
const PARTIES: [(&str, &str, &str, &[&str]); 3] = [
    ("child_welfare_agency", "custody_roster", "ferpa_uninterrupted_scholars", &["authority"]),
    (
        "juvenile_justice_agency",
        "supervision_roster",
        "ferpa_juvenile_justice",
        &["authority", "before_adjudication", "certification"],
    ),
    ("authorized_representative", "release_roster", "audit_evaluation", &["authority"]),
];

/// Laws of everybody.
const PAPERS: [(&str, &[&str]); 3] =
    [("court_order", &["court_order"]), ("parent_consent", &["release"]), ("health_safety_emergency", &["emergency"])];
/// What a paper may give as its reason: of an emergency only the first is a threat that the record of disclosures can hold.
const REASONS: [&str; 4] = ["a threat", "a threat", " \t\n", agreements::REPORTED];

#[expect(clippy::disallowed_methods, reason = "how long to go on is said by whoever starts the tests")]
fn told(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |number| number.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Chance with a seed that a failure names.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// Half days from the moment, between two bounds: by half days, so that ends and requests often meet.
    fn instant(&mut self, from: i64, to: i64) -> DateTime<Utc> {
        moment() + TimeDelta::hours(12 * (from + i64::try_from(self.below(u64::try_from(to - from).unwrap())).unwrap()))
    }

    fn interval(&mut self) -> Interval {
        let from = self.instant(-60, 15);
        let to = (!self.one_in(3)).then(|| from + TimeDelta::hours(12 * (1 + i64::try_from(self.below(100)).unwrap())));
        Interval { from, to }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// A domain's part of a random agreement.
struct Clause {
    domain: Domain,
    elements: Vec<&'static str>,
    other_agency: Vec<&'static str>,
    bases: Vec<&'static str>,
    purposes: &'static str,
    years: Option<(i16, i16)>,
    max_age: Option<u64>,
    exclude: Option<&'static str>,
}

struct Agreement {
    party: (&'static str, &'static str),
    bases: Vec<(&'static str, Vec<&'static str>)>,
    clauses: Vec<Clause>,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
    deliveries: Vec<&'static str>,
}

impl Agreement {
    fn random(dice: &mut Dice) -> Self {
        let mut bases: Vec<(&str, Vec<&str>)> = Vec::new();
        let (kind, population, own, of_own) = *dice.pick(&PARTIES);
        while bases.is_empty() {
            for (law, conditions) in [(own, of_own)].into_iter().chain(PAPERS) {
                let is_stated = if law == own { !dice.one_in(12) } else { dice.one_in(2) };
                if is_stated {
                    let mut conditions = conditions.to_vec();
                    if dice.one_in(4) {
                        conditions.push("before_majority");
                    }
                    let place = usize::try_from(dice.below(bases.len() as u64 + 1)).unwrap();
                    bases.insert(place, (law, conditions));
                }
            }
        }
        let laws: Vec<&'static str> = bases.iter().map(|(law, _)| *law).collect();
        let mut clauses: Vec<Clause> = Vec::new();
        for domain in [Domain::Enrollment, Domain::Student, Domain::SpecialEducation, Domain::Discipline] {
            if domain == Domain::Enrollment || !dice.one_in(4) {
                clauses.push(Clause::random(dice, domain, &laws));
            }
        }
        let valid_to =
            dice.one_in(3).then(|| (moment() + TimeDelta::days(i64::try_from(dice.below(40)).unwrap())).date_naive());
        let deliveries = ["unary", "stream", "file", "pdf"].into_iter().filter(|_| !dice.one_in(6)).collect::<Vec<_>>();
        Self {
            party: (kind, population),
            bases,
            clauses,
            valid_from: (moment() - TimeDelta::days(i64::try_from(dice.below(60)).unwrap())).date_naive(),
            valid_to,
            deliveries: if deliveries.is_empty() { vec!["stream"] } else { deliveries },
        }
    }

    /// The same with fewer elements in its clauses, none of them empty, and fewer kinds: the same basis decides.
    fn smaller(mut self, dice: &mut Dice) -> Self {
        for clause in &mut self.clauses {
            while clause.elements.len() > 1 && dice.one_in(2) {
                let at = usize::try_from(dice.below(clause.elements.len() as u64)).unwrap();
                clause.elements.remove(at);
            }
            clause.other_agency.retain(|_| dice.one_in(2));
            let kinds = definition(clause.domain).kinds;
            if clause.exclude.is_none() && kinds.len() > 1 && dice.one_in(4) {
                clause.exclude = Some(dice.pick(kinds).name);
            }
        }
        self
    }

    fn document(&self, id: &str) -> String {
        let mut text = project_file("tests/fixtures/agreement_head.toml").replace("CONSUMER", id);
        let valid_to = self.valid_to.map_or_else(|| "\"perpetual\"".to_owned(), |day| day.to_string());
        text = text.replace("VALID_FROM", &self.valid_from.to_string()).replace("VALID_TO", &valid_to);
        text = text.replace("DELIVERIES", &quoted(&self.deliveries));
        text = text.replace("KIND", self.party.0).replace("POPULATION", self.party.1);
        for (law, conditions) in &self.bases {
            write!(
                text,
                "\n[[basis]]\nlaw = {law:?}\ncitation = \"as the law says\"\nconditions = [{}]\ntext = \"Invented.\"\n",
                quoted(conditions)
            )
            .unwrap();
        }
        for clause in &self.clauses {
            clause.write(&mut text);
        }
        text
    }
}

impl Clause {
    fn random(dice: &mut Dice, domain: Domain, laws: &[&'static str]) -> Self {
        let of_class = |other: bool| {
            definition(domain)
                .elements
                .iter()
                .filter(move |e| (e.class == Sensitivity::OtherAgency) == other)
                .map(|e| e.name)
        };
        let first = of_class(false).next().unwrap();
        let mut elements: Vec<&str> = of_class(false).filter(|_| dice.one_in(3)).collect();
        if elements.is_empty() {
            elements.push(first);
        }
        let bases: Vec<&str> = laws.iter().copied().filter(|_| !dice.one_in(3)).collect();
        // Facts about the student carry no school year: their clause cannot be bounded.
        let dated = domain != Domain::Student;
        let from = 2019 + i16::try_from(dice.below(8)).unwrap();
        let years = (dated && dice.one_in(3)).then(|| (from, from + i16::try_from(dice.below(4)).unwrap()));
        // Years that are all too old would leave nothing.
        let oldest = |age: u64| (moment() - TimeDelta::days(365 * i64::try_from(age).unwrap())).date_naive();
        let max_age = (dated && dice.one_in(3))
            .then(|| 1 + dice.below(6))
            .filter(|age| years.is_none_or(|(_, to)| SchoolYear(to).last_day() >= oldest(*age)));
        Self {
            domain,
            elements,
            other_agency: of_class(true).filter(|_| dice.one_in(3)).collect(),
            bases: if bases.is_empty() { vec![laws[0]] } else { bases },
            purposes: *dice.pick(&["all", "all", "one", "two"]),
            years,
            max_age,
            // The only kind of a domain left out would leave nothing of it.
            exclude: (definition(domain).kinds.len() > 1 && dice.one_in(4))
                .then(|| dice.pick(definition(domain).kinds).name),
        }
    }

    fn write(&self, text: &mut String) {
        let purposes = if self.purposes == "all" { "\"all\"".to_owned() } else { format!("[{:?}]", self.purposes) };
        let domain = self.domain.name();
        writeln!(
            text,
            "\n[[clause]]\nid = {domain:?}\ntext = \"Invented.\"\npurposes = {purposes}\nbases = [{}]\n[clause.elements]",
            quoted(&self.bases)
        )
        .unwrap();
        let all: Vec<&str> = self.elements.iter().chain(&self.other_agency).copied().collect();
        writeln!(text, "{domain} = [{}]", quoted(&all)).unwrap();
        if let Some((from, to)) = self.years {
            writeln!(text, "[clause.school_years]\nfrom = \"{}\"\nto = \"{}\"", SchoolYear(from), SchoolYear(to))
                .unwrap();
        }
        if self.max_age.is_some() || self.exclude.is_some() {
            writeln!(text, "[clause.records]").unwrap();
            if let Some(years) = self.max_age {
                writeln!(text, "max_age_years = {years}").unwrap();
            }
            if let Some(kind) = self.exclude {
                writeln!(text, "exclude_kinds = [\"{domain}.{kind}\"]").unwrap();
            }
        }
    }
}

/// A client as the decision sees it, and as rows.
struct Client {
    key: String,
    student: Uuid,
    persons: Vec<i64>,
    authorities: Vec<(Authority, String, Option<String>)>,
    instruments: Vec<Instrument>,
    birth_date: Option<NaiveDate>,
    restricted: Option<Interval>,
}

/// A fact that nothing but an agreement keeps back.
#[derive(Clone, Debug)]
struct Fact {
    person: i64,
    domain: Domain,
    kind: String,
    batch: i64,
    line: i32,
    year: Option<SchoolYear>,
    last_day: Option<NaiveDate>,
}

/// What one answer says of one fact, comparable.
type Said = (i64, i16, i64, i32, String, String, String, Vec<String>);

fn instant_sql(at: DateTime<Utc>) -> String {
    format!("'{}'::timestamptz", at.to_rfc3339())
}

fn range_sql(of: Interval) -> String {
    let to = of.to.map_or_else(|| "NULL".to_owned(), instant_sql);
    format!("tstzrange({}, {to})", instant_sql(of.from))
}

fn text_sql(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}

impl Client {
    fn random(
        dice: &mut Dice,
        (consumer, number): (&str, u64),
        own: &[&str],
        students: &BTreeMap<Uuid, Vec<i64>>,
    ) -> Self {
        // Each client of a round is another student.
        let place = usize::try_from(number % students.len() as u64).unwrap();
        let student = *students.keys().nth(place).unwrap();
        let laws = PARTIES.iter().map(|(_, _, law, _)| *law).chain(PAPERS.iter().map(|(law, _)| *law));
        let any = laws.chain(["a_basis_nobody_knows"]);
        // Mostly bases that the agreement knows.
        let laws: Vec<&str> = own.iter().copied().cycle().take(12).chain(any).collect();
        let phases = [None, Some("pre_adjudication"), Some("adjudicated"), Some("a_phase_nobody_knows")];
        let authorities = (0..=dice.below(3))
            .map(|_| {
                let (law, phase) = (*dice.pick(&laws), *dice.pick(&phases));
                let office = dice.one_in(2).then(|| (*dice.pick(&["O1", "O2"])).to_owned());
                let authority = Authority {
                    legal_basis: law.parse().ok(),
                    phase: phase.and_then(|phase| phase.parse().ok()),
                    office,
                    officer: dice.one_in(2).then(|| (*dice.pick(&OFFICERS)).to_owned()),
                    released: dice.interval(),
                };
                (authority, law.to_owned(), phase.map(str::to_owned))
            })
            .collect();
        let instruments = (0..dice.below(3))
            .map(|_| {
                let reason = (*dice.pick(&REASONS)).to_owned();
                let paper = Paper { reference: Masked::new("paper".to_owned()), reason: Masked::new(reason) };
                let (kind, in_force) = (*dice.pick(InstrumentKind::ALL), dice.interval());
                Instrument { kind, in_force, paper: Arc::new(paper) }
            })
            .collect();
        // Around the 18th birthday, on both sides.
        let birth_date = (!dice.one_in(5)).then(|| {
            at("2008-11-20T12:00:00Z").date_naive() + TimeDelta::days(i64::try_from(dice.below(60)).unwrap() - 30)
        });
        Self {
            key: format!("{consumer}-{number}"),
            student,
            persons: students[&student].clone(),
            authorities,
            instruments,
            birth_date,
            restricted: None,
        }
    }

    /// Rows as the program would have written them; keys that point nowhere are allowed here.
    fn rows(&self, consumer: &str, number: u64, sql: &mut String) {
        for (at, (authority, law, phase)) in self.authorities.iter().enumerate() {
            for person in &self.persons {
                writeln!(
                    sql,
                    "INSERT INTO identity.released (client_id, authority_id, source_person_id, student_id, consumer, person_key,
                        legal_basis, phase, office, officer, released, birth_date)
                    VALUES ({number}, {}, {person}, '{}', '{consumer}', '{}', '{law}', {}, {}, {}, {}, {});",
                    number * 10 + at as u64,
                    self.student,
                    self.key,
                    text_sql(phase.as_deref()),
                    text_sql(authority.office.as_deref()),
                    text_sql(authority.officer.as_deref()),
                    range_sql(authority.released),
                    text_sql(self.birth_date.map(|day| day.to_string()).as_deref()),
                )
                .unwrap();
            }
        }
        for (at, paper) in self.instruments.iter().enumerate() {
            let from = instant_sql(paper.in_force.from);
            // Orders and emergencies have an end; the model is told the same below.
            let to = paper.in_force.to.map_or_else(|| "NULL".to_owned(), instant_sql);
            let approvals = if paper.kind.needs_approval() {
                format!("'ann', {from}, 'ben', {from}")
            } else {
                "NULL, NULL, NULL, NULL".to_owned()
            };
            writeln!(
                sql,
                "INSERT INTO agreements.instrument (consumer, person_key, kind, reference, reason, valid_from, valid_to, digest,
                    first_steward, first_given_at, second_steward, second_given_at, recorded_by, recorded_at)
                VALUES ('{consumer}', '{0}', '{1}', 'paper', '{2}', {from}, {to}, sha256('{consumer}/{0}/{at}'), {approvals}, 'ann', {from});",
                self.key,
                paper.kind,
                paper.paper.reason.expose().replace('\'', "''")
            )
            .unwrap();
        }
    }

    /// What the population shows of the client at an instant, decided about as `disclosure` does.
    fn authorities_at(&self, at: DateTime<Utc>) -> Vec<Authority> {
        if self.restricted.is_some_and(|restricted| restricted.contains(at)) {
            return Vec::new();
        }
        self.authorities.iter().map(|(one, ..)| one.clone()).filter(|one| one.released.contains(at)).collect()
    }
}

/// The statement as the program has it.
fn statement() -> String {
    let source = project_file("services/disclosure/src/store/permitted.rs");
    let begin = source.find("-- disclosure.list_permitted_facts").expect("the statement");
    let end = source[begin..].find("\"#").expect("its end");
    source[begin..begin + end].to_owned()
}

/// Whether the statement finds packed facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packs {
    Used,
    Dropped,
}

struct Round<'a> {
    world: &'a World,
    statement: &'a str,
    clients: Vec<Client>,
    facts: &'a BTreeMap<i64, Vec<Fact>>,
    certifications: usize,
    /// How many packs were read.
    packed: AtomicU64,
}

/// One request, at one moment.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: DateTime<Utc>,
    purpose: &'static str,
    delivery: Delivery,
    office: Option<&'static str>,
    whose: Whose,
}

/// Whose clients whoever asks sees.
#[derive(Clone, Copy, Debug)]
enum Whose {
    /// All of the agency's, as the exchange itself.
    Run,
    /// All of the agency's, as a person.
    Agency,
    Office(&'static str),
    Officer(&'static str),
}

impl Whose {
    const fn actor(self) -> Actor<'static> {
        let (role, office, officer) = match self {
            Self::Run => return Actor::ScheduledRun,
            Self::Agency => ("of_the_agency", None, None),
            Self::Office(office) => ("of_an_office", Some(office), None),
            Self::Officer(officer) => ("of_a_caseload", None, Some(officer)),
        };
        Actor::Person { role, office, officer, trained_on: None }
    }

    const fn office(self) -> Option<&'static str> {
        if let Self::Office(office) = self { Some(office) } else { None }
    }

    const fn officer(self) -> Option<&'static str> {
        if let Self::Officer(officer) = self { Some(officer) } else { None }
    }
}

impl Asked {
    fn random(dice: &mut Dice) -> Self {
        Self {
            at: dice.instant(-25, 25),
            purpose: *dice.pick(&["one", "one", "two", "two", "three"]),
            delivery: *dice.pick(Delivery::ALL),
            office: *dice.pick(&[None, None, None, None, Some("O1"), Some("O2")]),
            whose: match dice.below(6) {
                0 => Whose::Agency,
                1 => Whose::Office(dice.pick::<&str>(&["O1", "O2"])),
                2 => Whose::Officer(dice.pick::<&str>(&OFFICERS)),
                _ => Whose::Run,
            },
        }
    }
}

impl Round<'_> {
    /// What the pure decision permits of every client, fact by fact; and how many clients it granted.
    async fn decided(&self, conn: &mut PgConnection, who: &str, asked: Asked) -> (BTreeMap<String, Vec<Said>>, u64) {
        let who = consumer(who);
        let in_force = self.world.agreements.load_active(conn, &who, asked.at).await.unwrap();
        let mut said = BTreeMap::new();
        let mut granted = 0;
        for client in &self.clients {
            let mut of_client = Vec::new();
            if let Some(in_force) = &in_force {
                let request = Request {
                    consumer: &who,
                    actor: asked.whose.actor(),
                    purpose: asked.purpose,
                    delivery: asked.delivery,
                    office: asked.office,
                    elements: ElementSet::all(),
                };
                let authorities = client.authorities_at(asked.at);
                let subject = Subject {
                    authorities: &authorities,
                    instruments: &client.instruments,
                    majority_at: client.birth_date.map(|day| majority_at(day, in_force.plan().zone())),
                };
                if let Ok(grant) = decide(&request, &subject, in_force, asked.at) {
                    granted += 1;
                    for fact in client.persons.iter().flat_map(|person| &self.facts[person]) {
                        let Some(permit) = grant.permit(fact.domain) else { continue };
                        if permit.admits(&fact.kind, fact.year, fact.last_day) {
                            let mut elements: Vec<String> =
                                permit.elements().iter().map(|element| element.name.to_owned()).collect();
                            elements.sort();
                            of_client.push(said_of(fact, permit.clause(), grant.legal_basis().as_str(), elements));
                        }
                    }
                }
            }
            of_client.sort();
            said.insert(client.key.clone(), of_client);
        }
        (said, granted)
    }

    /// What the statement gives of every client, as the disclosing role; and the persons whose facts that role
    /// could see at all.
    async fn read(
        &self,
        conn: &mut PgConnection,
        who: &str,
        asked: Asked,
        packs: Packs,
    ) -> (BTreeMap<String, Vec<Said>>, BTreeSet<i64>) {
        conn.execute("BEGIN").await.unwrap();
        if packs == Packs::Dropped {
            conn.execute("DELETE FROM history.pack").await.unwrap();
        }
        conn.execute(AssertSqlSafe(format!(
            "SET LOCAL ROLE throughline_disclosure; SET LOCAL throughline.consumer = '{who}';
            SET LOCAL throughline.at = '{0}'; SET LOCAL throughline.as_of = '{1}'",
            asked.at.to_rfc3339(),
            (moment() + TimeDelta::days(365)).to_rfc3339()
        )))
        .await
        .unwrap();
        let keys: Vec<String> = self.clients.iter().map(|client| format!("'{}'", client.key)).collect();
        let sql = [
            ("$1", format!("'{who}'::text")),
            ("$2", format!("ARRAY[{}]::text[]", keys.join(", "))),
            ("$3", format!("'{}'::text", asked.purpose)),
            ("$4", format!("'{}'::text", asked.delivery)),
            ("$5", format!("{}::text", text_sql(asked.office))),
            ("$6", instant_sql(asked.at)),
            ("$7", format!("{}::text", text_sql(asked.whose.office()))),
            ("$8", format!("{}::text", text_sql(asked.whose.officer()))),
        ]
        .iter()
        .fold(self.statement.to_owned(), |sql, (name, value)| {
            sql.replace(&format!("{name}::text"), name).replace(name, value)
        });
        // Each client is another student, so a row names its client by the student.
        let mut said: BTreeMap<String, Vec<Said>> =
            self.clients.iter().map(|client| (client.key.clone(), Vec::new())).collect();
        let rows = conn.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        let is_fact = |row: &&PgRow| row.get::<Option<String>, _>("kind").is_some();
        let clauses: BTreeMap<i64, &PgRow> =
            rows.iter().filter(|row| !is_fact(row)).map(|row| (row.get("place!"), row)).collect();
        let mut add = |clause: &PgRow, (person, batch, line, kind): (i64, i64, i32, String)| {
            let student: Uuid = clause.get("student_id");
            let client = self.clients.iter().find(|client| client.student == student).expect("nobody else's facts");
            let mut elements: Vec<String> = clause.get("elements");
            elements.sort();
            let (domain, name, basis) = (clause.get("domain!"), clause.get("clause"), clause.get("legal_basis"));
            let facts = said.get_mut(&client.key).expect("a client");
            facts.push((person, domain, batch, line, kind, name, basis, elements));
        };
        for row in rows.iter().filter(is_fact) {
            let fact = (row.get("source_person_id"), row.get("recorded_batch"), row.get("line"), row.get("kind"));
            add(clauses[&row.get::<i64, _>("place!")], fact);
        }
        for clause in clauses.values() {
            let Some(packed) = clause.get::<Option<String>, _>("packed") else { continue };
            assert!(packs == Packs::Used, "there are no packs");
            let domain = Domain::from_code(clause.get("domain!")).unwrap();
            let person = SourcePersonId(clause.get("source_person_id"));
            for fact in domains::read_pack(person, domain, &packed, &mut domains::Names::default()).unwrap() {
                let line = i32::try_from(fact.source.line).unwrap();
                add(clause, (person.0, fact.source.batch.0, line, fact.kind));
            }
            self.packed.fetch_add(1, Ordering::Relaxed);
        }
        for facts in said.values_mut() {
            facts.sort();
        }
        let rows = conn.fetch_all("SELECT DISTINCT f.source_person_id FROM history.fact AS f").await.unwrap();
        let visible: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        let rows = conn.fetch_all("SELECT DISTINCT p.source_person_id FROM history.pack AS p").await.unwrap();
        let packed: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        let expect = if packs == Packs::Used { visible.clone() } else { BTreeSet::new() };
        assert_eq!(packed, expect, "{asked:?}: packs are fenced as facts are");
        conn.execute("ROLLBACK").await.unwrap();
        (said, visible)
    }
}

fn said_of(fact: &Fact, clause: &str, basis: &str, elements: Vec<String>) -> Said {
    let (clause, basis) = (clause.to_owned(), basis.to_owned());
    (fact.person, fact.domain.code(), fact.batch, fact.line, fact.kind.clone(), clause, basis, elements)
}

/// Students with several years of enrollment, special education and discipline.
async fn state() -> (World, BTreeMap<Uuid, Vec<i64>>, BTreeMap<i64, Vec<Fact>>) {
    let world = World::new(&[]).await;
    world.load("sasid-2.1x", &SASIDS.map(registration), loaded_at()).await;
    for (year, fall) in [("2020", "2020-10-01"), ("2022", "2022-10-03"), ("2024", "2024-10-01")] {
        let snapshots = SASIDS.map(|sasid| with(&snapshot(sasid), &[("fall_of_year", year), ("snapshot_date", fall)]));
        world.load("ct-student", &snapshots, loaded_at()).await;
        let offenses = SASIDS.map(|sasid| {
            with(&offense(sasid), &[("fall_of_year", year), ("incident_date", fall), ("sanction_date", fall)])
        });
        world.load("ct-discipline", &offenses, loaded_at()).await;
    }
    let mut conn = world.db.superuser().await;
    conn.execute(AssertSqlSafe(format!(
        "SET throughline.at = '{0}'; SET throughline.as_of = '{0}'",
        (moment() + TimeDelta::days(365)).to_rfc3339()
    )))
    .await
    .unwrap();
    let rows = conn
        .fetch_all("SELECT c.student_id, c.source_person_id FROM identity.crosswalk AS c WHERE c.to_at IS NULL")
        .await
        .unwrap();
    let mut students: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for row in &rows {
        students.entry(row.get(0)).or_default().push(row.get(1));
    }
    let rows = conn
        .fetch_all(
            "SELECT f.source_person_id, f.domain, f.kind, f.recorded_batch, f.line, f.school_year,
                COALESCE(f.valid_to, f.valid_from) FROM history.disclosable AS f",
        )
        .await
        .unwrap();
    let mut facts: BTreeMap<i64, Vec<Fact>> = BTreeMap::new();
    for row in &rows {
        let fact = Fact {
            person: row.get(0),
            domain: Domain::from_code(row.get(1)).unwrap(),
            kind: row.get(2),
            batch: row.get(3),
            line: row.get(4),
            year: row.get::<Option<i16>, _>(5).map(SchoolYear),
            last_day: row.get(6),
        };
        facts.entry(fact.person).or_default().push(fact);
    }
    (world, students, facts)
}

/// Brings a document into force; says whether it could be.
async fn activate(world: &World, document: &str) -> bool {
    let checked = agreements::check(document);
    let wrong: Vec<String> = checked
        .findings
        .iter()
        .filter(|finding| finding.severity == agreements::Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{document}");
    let mut conn = world.db.superuser().await;
    let when = moment() - TimeDelta::days(100);
    let proposal = world.agreements.propose(&mut conn, document, when).await.unwrap();
    for approval in world.approvals(agreements::Act::Activate, proposal.digest, when) {
        world.agreements.approve(&mut conn, agreements::Act::Activate, proposal.digest, &approval).await.unwrap();
    }
    world.agreements.activate(&mut conn, &proposal.agreement_id, proposal.version, &FixedClock(when)).await.is_ok()
}

#[tokio::test]
async fn decision_statement_and_row_security_give_one_answer_and_less_agreed_gives_no_more() {
    let (world, students, facts) = state().await;
    let (statement, mut conn) = (statement(), world.db.superuser().await);
    let (cases, after) = (told("THROUGHLINE_TWIN_CASES", QUICK_CASES), told("THROUGHLINE_TWIN_AFTER", 0));
    let (mut done, mut granted, mut packed, mut round) = (0, 0, 0, after);
    while done < cases {
        round += 1;
        let mut dice = Dice(round);
        let (who, less) = (format!("c{round}"), format!("s{round}"));
        let agreement = Agreement::random(&mut dice);
        let document = agreement.document(&who);
        let own: Vec<&str> = agreement.bases.iter().map(|(law, _)| *law).collect();
        assert!(activate(&world, &document).await);
        assert!(activate(&world, &agreement.smaller(&mut dice).document(&less)).await);
        let mut sql = "SET session_replication_role = replica;".to_owned();
        let mut clients: Vec<Client> = (0..CLIENTS)
            .map(|number| Client::random(&mut dice, ("k", round * 100 + number), &own, &students))
            .collect();
        for client in &mut clients {
            for paper in &mut client.instruments {
                if paper.kind.needs_approval() {
                    paper.in_force.to.get_or_insert(paper.in_force.from + TimeDelta::days(20));
                }
            }
        }
        let certifications = usize::try_from(dice.below(3)).unwrap();
        let certified: Vec<Interval> = (0..certifications).map(|_| dice.interval()).collect();
        let restricted = dice.one_in(2).then(|| (clients[0].persons.clone(), dice.interval()));
        for name in [&who, &less] {
            for (number, client) in (round * 100..).zip(&clients) {
                client.rows(name, number, &mut sql);
            }
            for (number, one) in certified.iter().enumerate() {
                let certification = NewCertification {
                    consumer: consumer(name),
                    holder: "head".to_owned(),
                    reference: format!("paper {number}"),
                    in_force: *one,
                };
                let approvals = world.approvals(Act::Certify, certification.digest().unwrap(), one.from);
                let mut conn = world.db.superuser().await;
                let recorded =
                    world.agreements.record_certification(&mut conn, &certification, &approvals, "ann", one.from);
                recorded.await.unwrap();
            }
        }
        if let Some((persons, interval)) = &restricted {
            for person in persons {
                writeln!(
                    sql,
                    "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
                    VALUES ({person}, 'sealed', {}, 'O-{round}', 'ann', {});",
                    range_sql(*interval),
                    instant_sql(interval.from)
                )
                .unwrap();
            }
            for client in clients.iter_mut().filter(|client| client.persons == *persons) {
                client.restricted = Some(*interval);
            }
        }
        world.force(&sql).await;
        intake::packs::refresh(&world.db.pool).await.unwrap();
        let round_of =
            Round { world: &world, statement: &statement, clients, facts: &facts, certifications, packed: 0.into() };
        for _ in 0..REQUESTS {
            let asked = Asked::random(&mut dice);
            let (decided, yes) = round_of.decided(&mut conn, &who, asked).await;
            let (read, visible) = round_of.read(&mut conn, &who, asked, Packs::Used).await;
            let (plainly, _) = round_of.read(&mut conn, &who, asked, Packs::Dropped).await;
            assert_eq!(plainly, read, "round {round}, {asked:?}: packs say what facts say");
            assert_eq!(
                decided, read,
                "round {round}, {asked:?}, {} certifications\n{document}",
                round_of.certifications
            );
            let population: BTreeSet<i64> = round_of
                .clients
                .iter()
                .filter(|client| client.authorities.iter().any(|(one, ..)| one.released.contains(asked.at)))
                .filter(|client| !client.restricted.is_some_and(|restricted| restricted.contains(asked.at)))
                .flat_map(|client| client.persons.clone())
                .collect();
            assert_eq!(
                visible, population,
                "round {round}, {asked:?}: row security shows the population, no one restricted and nobody else"
            );
            let (fewer, _) = round_of.read(&mut conn, &less, asked, Packs::Used).await;
            for (key, facts) in &fewer {
                for fact in facts {
                    let more = read[key].iter().find(|other| {
                        (other.0, other.1, other.2, other.3, &other.4) == (fact.0, fact.1, fact.2, fact.3, &fact.4)
                    });
                    let more = more.unwrap_or_else(|| panic!("round {round}: a smaller agreement gave {fact:?}"));
                    assert!(
                        fact.7.iter().all(|name| more.7.contains(name)),
                        "round {round}: {fact:?} against {more:?}"
                    );
                }
            }
            done += CLIENTS;
            granted += yes;
        }
        packed += round_of.packed.into_inner();
        // What one round restricts is not another's.
        world.force("SET session_replication_role = replica; DELETE FROM identity.restriction").await;
        if round % 50 == 0 {
            let so_far =
                format!("{done} of {cases} cases, {granted} granted, {packed} packs read, after round {round}\n");
            std::io::stderr().write_all(so_far.as_bytes()).expect("it is said");
        }
    }
    assert!(granted * 15 > done, "{granted} of {done} cases were granted: too few to mean anything");
    assert!(packed > granted, "{packed} packs were read in {granted} cases: too few to mean anything");
}
