//! An exchange in small: files of invented students, rosters, agreements in force, and a ledger to look into.

use std::{collections::BTreeMap, fmt::Write as _, io::BufReader, path::PathBuf, sync::Arc};

use agreements::{Act, Actor, Agreements, Approval, Delivery, Digest, Interval, NewCertification, Steward, Stewards};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use disclosure::{Access, Ask, Asker, Disclosed, DisclosedHistory, Error, Occasion, Repeat};
use ed25519_dalek::SigningKey;
use identity::roster::RosterLayout;
use intake::{
    Item, RecordWriter, TombstoneKey,
    load::{Limits, LoadFile, Produce, Receipt},
    roster::Taken,
};
use model::{Clock, ConsumerId, FixedClock, Masked, Sea, SeededEntropy};
use pg::Role;
use reference::tables::Tables;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tempfile::TempDir;
use tests::{TestDatabase, moment, project_file};

/// A record by the names of its fields.
pub type Record<'a> = BTreeMap<&'a str, &'a str>;

/// The record with other values in some fields.
pub fn with<'a>(record: &Record<'a>, values: &[(&'a str, &'a str)]) -> Record<'a> {
    let mut record = record.clone();
    record.extend(values.iter().copied());
    record
}

/// The student most tests are about.
pub const STUDENT: &str = "9900000017";
/// Another one.
pub const OTHER: &str = "9900000025";

/// A registration (`sasid-2.1x`).
pub fn registration(sasid: &str) -> Record<'_> {
    BTreeMap::from([
        ("record_type", "R"),
        ("sasid", sasid),
        ("reporting_district", "064"),
        ("reporting_district_entry_date", "08282024"),
        ("resident_town", "064"),
        ("facility_code_1", "0646311"),
        ("last_name", "Quince"),
        ("first_name", "Ambrosia"),
        ("birth_date", "03042010"),
        ("race_code", "3"),
        ("gender_code", "F"),
        ("grade_code", "09"),
    ])
}

/// A collection snapshot (`ct-student`).
pub fn snapshot(sasid: &str) -> Record<'_> {
    BTreeMap::from([
        ("collection_name", "PSIS"),
        ("instance_name", "October"),
        ("fall_of_year", "2024"),
        ("snapshot_date", "2024-10-01"),
        ("certification_flag", "1"),
        ("sasid", sasid),
        ("last_name", "Quince"),
        ("first_name", "Ambrosia"),
        ("birth_date", "2010-03-04"),
        ("sex_code", "F"),
        ("hispanic_latino_ethnicity", "0"),
        ("black_or_african_american", "1"),
        ("reporting_district", "064"),
        ("nexus_district", "064"),
        ("facility_1_code", "0646311"),
        ("grade_code", "09"),
        ("resident_town", "064"),
        ("special_education", "0"),
        ("meal_type", "F"),
        ("english_learner", "0"),
        ("homeless", "0"),
        ("language", "eng"),
    ])
}

/// A disciplinary offense (`ct-discipline`).
pub fn offense(sasid: &str) -> Record<'_> {
    BTreeMap::from([
        ("sasid", sasid),
        ("fall_of_year", "2024"),
        ("certification_flag", "1"),
        ("reporting_district", "064"),
        ("facility_code", "0646311"),
        ("incident_identifier", "H-2024-17"),
        ("incident_date", "2024-11-05"),
        ("incident_location", "02"),
        ("student_role", "O"),
        ("incident_type_1", "1700"),
        ("bullying", "01"),
        ("sanction_date", "2024-11-06"),
        ("sanction_type_primary", "OSS"),
        ("days_sanctioned_primary", "2"),
        ("arrested", "0"),
        ("expunged", "0"),
    ])
}

/// The bytes of a file of these records.
pub fn file_of(layout: &str, records: &[Record<'_>]) -> Vec<u8> {
    let layout = intake::layouts::find(layout).unwrap();
    let mut writer = RecordWriter::new(layout, Vec::new());
    for record in records {
        let mut values = vec![""; layout.records[0].fields.len()];
        for (field, value) in record {
            values[layout.index_of(field).unwrap_or_else(|| panic!("{} has no field {field}", layout.id))] = value;
        }
        writer.write(&values).unwrap();
    }
    writer.finish().unwrap()
}

/// When files came, if a test does not say.
pub fn loaded_at() -> DateTime<Utc> {
    moment() - TimeDelta::days(10)
}

/// The secret of tombstones.
pub fn tombstones() -> TombstoneKey {
    TombstoneKey::new([7; 32])
}

/// The consumer of an id.
pub fn consumer(id: &str) -> ConsumerId {
    id.parse().unwrap()
}

/// An instant.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A row of DCF's roster: a client in care from a day to a day.
pub fn in_care(person: &str, from: &str, to: &str) -> String {
    format!("{person},Quince,Ambrosia,,,2010-03-04,F,,Hartford,06103,,E1,{from},{to},,Hartford,1,W1")
}

const DCF_HEADER: &str = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,\
EPISODE_START_DATE,EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";

/// A row of CSSD's roster: a client under supervision, on a basis, in a phase.
pub fn supervised(person: &str, basis: &str, phase: &str) -> String {
    format!("{person},Quince,Ambrosia,,,2010-03-04,F,,Hartford,06103,,JUV,2026-10-01,,O1,P1,J-26-1,{basis},{phase}")
}

/// The header of CSSD's roster.
pub const CSSD_HEADER: &str = "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,CaseType,\
SupervisionStartDate,SupervisionEndDate,OfficePIN,CaseOwner,OrderNumber,LegalBasis,LegalStatus";

/// An entry of the ledger, with its detail.
#[derive(Debug, PartialEq, Eq)]
pub struct Recorded {
    pub kind: String,
    pub reason: Option<String>,
    pub digest: Option<Vec<u8>>,
    pub names_student: bool,
}

/// A database, agreements under two test stewards, and a folder for files.
pub struct World {
    pub db: TestDatabase,
    pub agreements: Agreements,
    pub organizations: disclosure::OrganizationCache,
    pub entropy: SeededEntropy,
    pub folder: TempDir,
}

impl World {
    /// With the shipped agreements of these consumers in force, and Connecticut's organizations, taken in a day ago.
    pub async fn new(consumers: &[&str]) -> Self {
        Self::with_organizations_since(moment() - TimeDelta::days(1), consumers).await
    }

    /// The same, with organizations taken in at another time.
    pub async fn with_organizations_since(taken_in_at: DateTime<Utc>, consumers: &[&str]) -> Self {
        let steward = |id: &str, seed: u8| Steward {
            id: id.to_owned(),
            key: key(seed).verifying_key(),
            registered: Interval { from: at("2026-01-01T00:00:00Z"), to: None },
            sandbox: false,
        };
        let stewards = Stewards::new([steward("ann", 1), steward("ben", 2)]).unwrap();
        let world = Self {
            db: TestDatabase::new().await,
            agreements: Agreements::new(stewards),
            organizations: disclosure::OrganizationCache::default(),
            entropy: SeededEntropy::new(20_261_120),
            folder: tempfile::tempdir().unwrap(),
        };
        let mut conn = world.db.superuser().await;
        let names = reference::shipped_organizations("ct").unwrap();
        reference::record_organizations(&mut conn, &sea(), &names, taken_in_at).await.unwrap();
        for consumer in consumers {
            world.activate(&project_file(&format!("deploy/consumers/{consumer}/agreement.toml"))).await;
        }
        world
    }

    /// The two approvals of something.
    pub fn approvals(&self, act: Act, digest: Digest, when: DateTime<Utc>) -> [Approval; 2] {
        [("ann", 1), ("ben", 2)].map(|(who, seed)| {
            Approval::sign(self.agreements.stewards(), who, &key(seed), (act, digest), when).unwrap()
        })
    }

    /// Brings a document into force, with the certification that some bases need.
    pub async fn activate(&self, document: &str) {
        let mut conn = self.db.superuser().await;
        let when = moment() - TimeDelta::days(60);
        let proposal = self.agreements.propose(&mut conn, document, when).await.unwrap();
        for approval in self.approvals(Act::Activate, proposal.digest, when) {
            self.agreements.approve(&mut conn, Act::Activate, proposal.digest, &approval).await.unwrap();
        }
        self.agreements.activate(&mut conn, &proposal.agreement_id, proposal.version, &FixedClock(when)).await.unwrap();
        let terms = agreements::parse(document).unwrap();
        let certification = NewCertification {
            consumer: terms.consumer,
            holder: "the agency's head".to_owned(),
            reference: "paper 1".to_owned(),
            in_force: Interval { from: when, to: None },
        };
        let approvals = self.approvals(Act::Certify, certification.digest().unwrap(), when);
        self.agreements.record_certification(&mut conn, &certification, &approvals, "ann", when).await.unwrap();
    }

    /// Loads a file's bytes.
    pub async fn load_bytes(&self, layout: &str, bytes: &[u8], when: DateTime<Utc>) -> Receipt {
        self.load_within(layout, bytes, when, &Limits::default()).await
    }

    /// Loads a file's bytes within limits.
    pub async fn load_within(&self, layout: &str, bytes: &[u8], when: DateTime<Utc>, limits: &Limits) -> Receipt {
        let path = self.folder.path().join(format!("{layout}.txt"));
        let (source, known) = (path.clone(), intake::layouts::find(layout).unwrap());
        let produce: Produce = Arc::new(move |sink| {
            let mut reader = BufReader::new(std::fs::File::open(&source).unwrap());
            intake::read::read(&mut reader, known, Tables::builtin(&known.sea).unwrap(), sink).map(|_| ())
        });
        std::fs::write(&path, bytes).unwrap();
        self.load_produced(layout, (path, produce), when, limits).await
    }

    /// Loads what a reader would have given.
    pub async fn load_items(&self, items: Vec<Item>, quarantined_share_max: f64) -> Receipt {
        let limits = Limits { quarantined_share_max, ..Limits::default() };
        self.load_items_of("items", items, &limits, loaded_at()).await
    }

    /// Loads what a reader has given of a file of a name, whose bytes the name stands for.
    pub async fn load_items_of(&self, name: &str, items: Vec<Item>, limits: &Limits, when: DateTime<Utc>) -> Receipt {
        let path = self.folder.path().join("items.txt");
        std::fs::write(&path, name).unwrap();
        let produce: Produce = Arc::new(move |sink| {
            let _all_or_refused = items.iter().cloned().try_for_each(sink);
            Ok(())
        });
        self.load_produced("items", (path, produce), when, limits).await
    }

    async fn load_produced(
        &self,
        layout: &str,
        (path, produce): (PathBuf, Produce),
        when: DateTime<Utc>,
        limits: &Limits,
    ) -> Receipt {
        let of_layout = intake::layouts::find(layout).map(|known| known.sea.parse().unwrap());
        let file = LoadFile {
            sea: of_layout.unwrap_or_else(sea),
            path,
            name: format!("{layout}.txt"),
            layout: layout.to_owned(),
            is_referred_to: false,
            produce,
        };
        let context = intake::load::Context {
            pool: &self.db.pool,
            clock: &FixedClock(when),
            entropy: &self.entropy,
            tombstones: &tombstones(),
            limits,
            scratch: file.path.parent().unwrap(),
            progress: &|_| {},
        };
        intake::load::load(context, &file).await.unwrap()
    }

    /// Loads good records, and insists that they are.
    pub async fn load(&self, layout: &str, records: &[Record<'_>], when: DateTime<Utc>) -> Receipt {
        let receipt = self.load_bytes(layout, &file_of(layout, records), when).await;
        assert_eq!((receipt.counts.quarantined, &receipt.refused), (0, &None), "{:?}", receipt.findings);
        receipt
    }

    /// Takes a roster of rows for a day.
    pub async fn roster(&self, who: &str, day: &str, rows: &[String], when: DateTime<Utc>) -> Taken {
        let header = if who == "dcf" { DCF_HEADER } else { CSSD_HEADER };
        let bytes = format!("{header}\n{}\n", rows.join("\n"));
        let layout = RosterLayout::parse(&project_file(&format!("deploy/consumers/{who}/roster.toml"))).unwrap();
        let day: NaiveDate = day.parse().unwrap();
        let source = (&consumer(who), "roster.csv", bytes.as_bytes());
        // It comes on its day at the earliest.
        let when = when.max(day.and_hms_opt(12, 0, 0).unwrap().and_utc());
        let taken =
            intake::roster::take(&self.db.pool, (&self.agreements, &tombstones()), &layout, source, (day, when))
                .await
                .unwrap();
        assert_eq!((taken.receipt.refused, &taken.receipt.refused_reason), (0, &None), "{:?}", taken.receipt.findings);
        taken
    }

    /// Decides, as a person would, that a client is a student, and rebuilds the population.
    pub async fn link(&self, who: &str, person: &str, sasid: &str) {
        let mut conn = self.db.superuser().await;
        let sql = format!(
            "INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, explanation,
                details_hash, decided_by, reason, decided_at)
            SELECT c.client_id, p.source_person_id, x.student_id, c.consumer, 'match', '{{}}', c.details_hash, 'ann', 'seen',
                '{}'
            FROM identity.client AS c, identity.source_person AS p
            JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
            WHERE c.consumer = '{who}' AND c.person_key = '{person}' AND p.state_id = '{sasid}'",
            loaded_at()
        );
        assert_eq!(conn.execute(AssertSqlSafe(sql)).await.unwrap().rows_affected(), 1, "{person} is {sasid}");
        self.rebuild(who).await;
    }

    /// Rebuilds the population.
    pub async fn rebuild(&self, who: &str) {
        let who = consumer(who);
        pg::run_tx(&self.db.pool, "tests.rebuild", Role::Identity, |tx| {
            let who = &who;
            Box::pin(async move {
                identity::population::rebuild(tx, who).await.map_err(pg::Error::from)?;
                Ok::<_, pg::Error>(())
            })
        })
        .await
        .unwrap();
    }

    /// What disclosing needs, at a time.
    pub fn context<'a>(&'a self, clock: &'a dyn Clock) -> disclosure::Context<'a> {
        disclosure::Context {
            pool: &self.db.pool,
            agreements: &self.agreements,
            organizations: &self.organizations,
            clock,
            entropy: &self.entropy,
            vouch: None,
            clock_behind_max: None,
        }
    }

    /// Asks for one client's history.
    pub async fn ask(&self, who: &str, person: &str, when: DateTime<Utc>) -> Result<Disclosed, Error> {
        self.ask_as_of(who, person, when, None).await
    }

    /// Asks for what was known earlier.
    pub async fn ask_as_of(
        &self,
        who: &str,
        person: &str,
        when: DateTime<Utc>,
        as_of: Option<DateTime<Utc>>,
    ) -> Result<Disclosed, Error> {
        let who = consumer(who);
        let ask = Ask { as_of, ..ask_of(&who) };
        let clock = FixedClock(when);
        disclosure::disclose_one(self.context(&clock), &ask, &Masked::new(person.to_owned()), &encode).await
    }

    /// The SEA's own export on schedule: recorded, then read.
    pub async fn own_export(&self, clock: &FixedClock, sea: &ConsumerId) -> (Access, Vec<DisclosedHistory>) {
        let (context, ask) = (self.context(clock), ask_of(sea));
        let students = disclosure::list_students(context, &ask, None, 1_000).await.unwrap();
        let all = students.iter().copied().collect();
        let access = disclosure::record_access(context, &ask, all, Occasion::Scheduled).await.unwrap();
        let histories = disclosure::access_chunk(context, &ask, &access, &students).await.unwrap();
        (access, histories)
    }

    /// All entries of the ledger, in the order of their times.
    pub async fn entries(&self) -> Vec<Recorded> {
        let rows = self
            .db
            .superuser()
            .await
            .fetch_all(
                "SELECT e.kind, e.reason, d.digest, d.student_id IS NOT NULL FROM ledger.entry AS e
                JOIN ledger.detail AS d USING (entry_id) ORDER BY e.decided_at, e.xid",
            )
            .await
            .unwrap();
        let recorded = |row: &sqlx::postgres::PgRow| Recorded {
            kind: row.get(0),
            reason: row.get(1),
            digest: row.get(2),
            names_student: row.get(3),
        };
        rows.iter().map(recorded).collect()
    }

    /// Gives all entries their place.
    pub async fn sequence(&self) {
        let mut conn = self.db.superuser().await;
        // What other databases of the server have open holds the sequencer back for a moment.
        let waiting = "SELECT (SELECT count(*) FROM ledger.entry) - (SELECT count(*) FROM ledger.sequence)";
        while self.count(waiting).await > 0 {
            ledger::sequence(&mut conn, 1_000).await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    /// One number, as a superuser sees it.
    pub async fn count(&self, sql: &str) -> i64 {
        self.db.superuser().await.fetch_one(AssertSqlSafe(sql.to_owned())).await.unwrap().get(0)
    }

    /// Does something that only a superuser can.
    pub async fn force(&self, sql: &str) {
        self.db.superuser().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// The state of all tests.
pub fn sea() -> Sea {
    "ct".parse().unwrap()
}

/// A scheduled request for everything the agreement gives.
pub fn ask_of(who: &ConsumerId) -> Ask<'_> {
    Ask {
        consumer: who,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::Stream,
        office: None,
        as_of: None,
        asker: Asker::default(),
        run: None,
        repeat: Repeat::Always,
        request: None,
    }
}

/// Everything a history says, ids and times apart, as text.
pub fn encode(history: &DisclosedHistory) -> Result<Vec<u8>, disclosure::Unencoded> {
    let mut text = String::new();
    for section in history.sections() {
        writeln!(text, "{} {:?} {:?}", section.domain, section.state, section.withheld).map_err(|e| e.to_string())?;
        for row in &section.rows {
            for (name, value) in &row.values {
                write!(text, " {name}={}", value.to_json()).map_err(|e| e.to_string())?;
            }
            text.push('\n');
        }
    }
    Ok(text.into_bytes())
}

/// The reason of a refusal.
pub fn reason(result: Result<Disclosed, Error>) -> agreements::Reason {
    match result {
        Err(Error::Denied(reason)) => reason,
        Err(error) => panic!("no refusal, but {error:?}"),
        Ok(_) => panic!("not refused"),
    }
}
