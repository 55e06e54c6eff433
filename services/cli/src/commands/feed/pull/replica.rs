//! The copy: its tables, and how far the feed has come, changed together.

use std::path::Path;

use anyhow::Context as _;
use ledger::Hash;
use proto::feed::v1::Withdrawal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    PROOFS_MAX, digest_of,
    store::{Database, Statement},
    tables::{Rows, Table, Tables, Type, Value, day},
};

/// The column of `disclosures` that says in which run a client came last.
const RUN: &str = "throughline_run";

/// How far the feed has come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The token of the last message stored; empty: a whole run is to begin.
    #[serde(with = "hexed")]
    pub token: Vec<u8>,
    pub position: i64,
    /// The number of the run here.
    pub run: i64,
    /// The run has ended: the token begins the next one.
    pub is_ended: bool,
    pub histories: u64,
    pub withdrawals: u64,
    pub omitted: u64,
    #[serde(with = "hexed")]
    pub digest: [u8; 32],
    /// Some of the run's disclosures with the SHA-256 of their messages, to be proved.
    #[serde(with = "samples")]
    pub samples: Vec<(String, Hash)>,
    /// The ledger's checkpoint that was verified last.
    pub checkpoint: String,
}

impl State {
    /// The same copy before a whole run.
    pub fn anew(&self) -> Self {
        Self { run: self.run + 1, checkpoint: self.checkpoint.clone(), ..Self::default() }
    }

    /// Begins the run behind the one that has ended.
    pub fn begin(&mut self) {
        *self = Self { token: std::mem::take(&mut self.token), ..self.anew() };
    }

    pub fn count_history(&mut self, content_digest: &str) -> anyhow::Result<()> {
        let mut content = [0; 32];
        hex::decode_to_slice(content_digest, &mut content).context("a history's digest is none")?;
        self.chain(&content);
        self.histories += 1;
        Ok(())
    }

    pub fn count_withdrawal(&mut self, withdrawal: &Withdrawal) {
        self.chain(&digest_of(withdrawal));
        self.withdrawals += 1;
    }

    fn chain(&mut self, content: &[u8; 32]) {
        self.digest = Sha256::new().chain_update(self.digest).chain_update(content).finalize().into();
    }

    /// Keeps the first disclosures of a run for proof.
    pub fn sample(&mut self, disclosure: &str, digest: Hash) {
        if self.samples.len() < PROOFS_MAX {
            self.samples.push((disclosure.to_owned(), digest));
        }
    }
}

/// Bytes as hexadecimal text.
mod hexed {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(deserializer: D) -> Result<T, D::Error> {
        let bytes = hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        T::try_from(bytes).map_err(|_| D::Error::custom("not as many bytes as there should be"))
    }
}

/// Samples as JSON: id and digest, base64.
mod samples {
    use ledger::Hash;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(samples: &[(String, Hash)], serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<(&str, String)> = samples.iter().map(|(id, hash)| (id.as_str(), hash.to_base64())).collect();
        texts.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Hash)>, D::Error> {
        let texts = Vec::<(String, String)>::deserialize(deserializer)?;
        let read = |(id, hash): (String, String)| Hash::from_base64(&hash).map(|hash| (id, hash));
        texts.into_iter().map(read).collect::<Option<_>>().ok_or_else(|| D::Error::custom("a digest is none"))
    }
}

/// What a message changes.
#[derive(Debug)]
pub enum Change {
    /// A client's rows are these now.
    Replace(Rows),
    /// A client's rows go, and the notice stays.
    Withdraw(Withdrawal),
    /// A client's rows stay, though they are old.
    Keep(String),
}

/// The copy.
pub struct Replica {
    database: Database,
}

impl Replica {
    pub fn open_sqlite(file: &Path, tables: &Tables) -> anyhow::Result<Self> {
        let database = Database::open_sqlite(file).with_context(|| format!("cannot open {}", file.display()))?;
        Self { database }.prepared_now(tables)
    }

    pub async fn open_postgres(url: &str, tables: &Tables) -> anyhow::Result<Self> {
        let database = Database::open_postgres(url).await.context("cannot open the database of the copy")?;
        let mut replica = Self { database };
        replica.prepare(tables).await?;
        Ok(replica)
    }

    fn prepared_now(mut self, tables: &Tables) -> anyhow::Result<Self> {
        let statements = self.preparation(tables);
        self.database.transact_now(&statements)?;
        Ok(self)
    }

    async fn prepare(&mut self, tables: &Tables) -> anyhow::Result<()> {
        let statements = self.preparation(tables);
        self.database.transact(&statements).await
    }

    /// Tables that are missing; a copy made by an older program has fewer columns, and is begun anew by whoever keeps it.
    fn preparation(&self, tables: &Tables) -> Vec<Statement> {
        let mut all = vec![
            Statement::plain(
                "CREATE TABLE IF NOT EXISTS throughline_state (id bigint PRIMARY KEY, state text NOT NULL)",
            ),
            Statement::plain(
                "CREATE TABLE IF NOT EXISTS withdrawals (withdrawal_id text PRIMARY KEY, person_id text NOT NULL, reason text NOT NULL, \
                 destroy_by_date text NOT NULL)",
            ),
        ];
        for (number, table) in tables.all.iter().enumerate() {
            let mut columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| format!("\"{}\" {}", column.name, self.database.type_name(column.kind)))
                .collect();
            if number == 0 {
                columns.push(format!("{RUN} bigint NOT NULL"));
            }
            all.push(Statement::plain(&format!(
                "CREATE TABLE IF NOT EXISTS \"{}\" ({})",
                table.name,
                columns.join(", ")
            )));
            all.push(Statement::plain(&format!(
                "CREATE INDEX IF NOT EXISTS \"{0}_person\" ON \"{0}\" (\"person_id\")",
                table.name
            )));
        }
        all
    }

    /// How far the feed has come; at first, nowhere.
    pub async fn state(&mut self) -> anyhow::Result<State> {
        let rows = self.database.select("SELECT state FROM throughline_state WHERE id = 1").await?;
        let text = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        text.map_or(Ok(State { run: 1, ..State::default() }), |text| {
            serde_json::from_str(&text).context("what the copy says of the feed cannot be read")
        })
    }

    pub async fn keep_state(&mut self, state: &State) -> anyhow::Result<()> {
        let statements = keeping(state)?;
        self.database.transact(&statements).await
    }

    /// Applies changes, and that the feed has come so far, together.
    pub async fn apply(&mut self, tables: &Tables, changes: &[Change], state: &State) -> anyhow::Result<()> {
        let mut statements = Vec::new();
        for change in changes {
            self.change(tables, change, state.run, &mut statements);
        }
        statements.extend(keeping(state)?);
        self.database.transact(&statements).await
    }

    /// The same at a run's end: after a whole run, whoever was not in it goes.
    pub async fn finish(
        &mut self,
        tables: &Tables,
        changes: &[Change],
        state: &State,
        is_whole: bool,
    ) -> anyhow::Result<()> {
        let mut statements = Vec::new();
        for change in changes {
            self.change(tables, change, state.run, &mut statements);
        }
        if is_whole {
            let gone = format!("SELECT person_id FROM disclosures WHERE {RUN} <> $1");
            for table in tables.all.iter().skip(1).chain(tables.all.first()) {
                statements.push(Statement {
                    sql: format!("DELETE FROM \"{}\" WHERE person_id IN ({gone})", table.name),
                    values: vec![(Type::Integer, Value::Integer(state.run))],
                });
            }
        }
        statements.extend(keeping(state)?);
        self.database.transact(&statements).await
    }

    fn change(&self, tables: &Tables, change: &Change, run: i64, into: &mut Vec<Statement>) {
        match change {
            Change::Replace(rows) => {
                into.extend(removal(tables, &rows.person));
                for (table, values) in &rows.rows {
                    let Some(of) = tables.all.get(*table) else { continue };
                    into.push(self.insertion(of, values, (*table == 0).then_some(run)));
                }
            }
            Change::Withdraw(withdrawal) => {
                into.extend(removal(tables, &withdrawal.person_id));
                let text = |text: &str| (Type::Text, Value::Text(text.to_owned()));
                let day = withdrawal.destroy_by_date.map(day).unwrap_or_default();
                into.push(Statement {
                    sql: "INSERT INTO withdrawals (withdrawal_id, person_id, reason, destroy_by_date) VALUES ($1, $2, $3, $4) \
                          ON CONFLICT (withdrawal_id) DO NOTHING"
                        .to_owned(),
                    values: vec![
                        text(&withdrawal.withdrawal_id),
                        text(&withdrawal.person_id),
                        text(&withdrawal.reason),
                        text(&day),
                    ],
                });
            }
            Change::Keep(person) => into.push(Statement {
                sql: format!("UPDATE disclosures SET {RUN} = $1 WHERE person_id = $2"),
                values: vec![(Type::Integer, Value::Integer(run)), (Type::Text, Value::Text(person.clone()))],
            }),
        }
    }

    fn insertion(&self, table: &Table, values: &[Value], run: Option<i64>) -> Statement {
        let mut names: Vec<String> = table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let mut typed: Vec<(Type, Value)> =
            table.columns.iter().map(|column| column.kind).zip(values.iter().cloned()).collect();
        if let Some(run) = run {
            names.push(RUN.to_owned());
            typed.push((Type::Integer, Value::Integer(run)));
        }
        let places: Vec<String> =
            (1..).zip(&typed).map(|(number, (kind, _))| self.database.place(number, *kind)).collect();
        Statement {
            sql: format!("INSERT INTO \"{}\" ({}) VALUES ({})", table.name, names.join(", "), places.join(", ")),
            values: typed,
        }
    }

    /// A table's rows as text, by client.
    pub async fn rows(&mut self, table: &Table) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("CAST(\"{}\" AS text)", column.name)).collect();
        self.database.select(&format!("SELECT {} FROM \"{}\" ORDER BY person_id", columns.join(", "), table.name)).await
    }

    /// The withdrawals received, as text.
    pub async fn withdrawals(&mut self) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        self.database
            .select("SELECT withdrawal_id, person_id, reason, destroy_by_date FROM withdrawals ORDER BY person_id, withdrawal_id")
            .await
    }
}

fn removal(tables: &Tables, person: &str) -> Vec<Statement> {
    let of = |table: &Table| Statement {
        sql: format!("DELETE FROM \"{}\" WHERE person_id = $1", table.name),
        values: vec![(Type::Text, Value::Text(person.to_owned()))],
    };
    tables.all.iter().map(of).collect()
}

fn keeping(state: &State) -> anyhow::Result<Vec<Statement>> {
    let text = serde_json::to_string(state)?;
    Ok(vec![Statement {
        sql: "INSERT INTO throughline_state (id, state) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = excluded.state"
            .to_owned(),
        values: vec![(Type::Text, Value::Text(text))],
    }])
}
