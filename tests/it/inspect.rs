//! The SEA's own doors: exports outside the schedule, explanations, rehearsals. Each is asked of the SEA's own agreement and recorded first.

use std::collections::BTreeSet;

use agreements::{Act, Actor, Delivery, Digest, ExportRequest, UnsealRequest};
use chrono::TimeDelta;
use disclosure::{About, Ask, Error, Item, Occasion};
use model::{ConsumerId, FixedClock, Masked, StudentId};
use tests::{moment, project_file};
use uuid::Uuid;

use crate::world::{
    OTHER, STUDENT, World, ask_of, consumer, encode, in_care, loaded_at, offense, registration, snapshot,
};

async fn world() -> World {
    let world = World::new(&["dcf", "cssd", "sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT), snapshot(OTHER)], loaded_at()).await;
    world.load("ct-discipline", &[offense(STUDENT), offense(OTHER)], loaded_at()).await;
    let care =
        [in_care("D1", "2026-10-01", ""), in_care("D2", "2026-10-01", "2026-11-01"), in_care("D3", "2026-10-01", "")];
    world.roster("dcf", "2026-11-19", &care, loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    world.link("dcf", "D2", OTHER).await;
    world
}

fn steward(own: &ConsumerId) -> Ask<'_> {
    let actor = Actor::Person { role: "steward", office: None, officer: None, trained_on: None };
    Ask { actor, delivery: Delivery::Unary, ..ask_of(own) }
}

fn file_ask(who: &ConsumerId, run: u128) -> Ask<'_> {
    Ask { delivery: Delivery::File, run: Some(Uuid::from_u128(run)), ..ask_of(who) }
}

async fn request(world: &World, who: &ConsumerId, days: i64) -> Digest {
    let request = ExportRequest {
        as_of: None,
        consumer: who.clone(),
        expires_at: moment() + TimeDelta::days(days),
        format: "ndjson".to_owned(),
        office: None,
        reason: "the recipient lost its copy".to_owned(),
        requested_at: moment() - TimeDelta::days(3),
        requested_by: "an operator".to_owned(),
    };
    world.agreements.file_request(&mut world.db.superuser().await, &request).await.unwrap()
}

async fn approve(world: &World, who: &ConsumerId, digest: Digest, by: &[usize]) {
    let clock = FixedClock(moment());
    let approvals = world.approvals(Act::Export, digest, moment() - TimeDelta::hours(1));
    for one in by {
        disclosure::approve(world.context(&clock), &ask_of(who), (Act::Export, digest), &approvals[*one])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_file_leaves_only_in_a_run_that_was_begun_for_exactly_this() {
    let world = world().await;
    let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
    let (context, ask) = (world.context(&clock), file_ask(&dcf, 1));
    let keys = ["D1".to_owned()];
    let refused = async |ask: &Ask<'_>| {
        let result = disclosure::disclose_chunk(context, ask, &keys, &encode).await;
        assert!(matches!(result, Err(Error::Invalid(_))), "{result:?}");
    };
    refused(&ask).await;
    refused(&Ask { run: None, ..ask.clone() }).await;
    disclosure::begin_file_run(context, &ask, Occasion::Scheduled).await.unwrap();
    for other in [
        Ask { office: Some("Hartford"), ..ask.clone() },
        Ask { as_of: Some(loaded_at()), ..ask.clone() },
        Ask { consumer: &consumer("cssd"), ..ask.clone() },
    ] {
        refused(&other).await;
    }
    assert!(world.entries().await.is_empty());
    let items = disclosure::disclose_chunk(context, &ask, &keys, &encode).await.unwrap();
    assert!(matches!(items.as_slice(), [Item::Disclosed(_)]));
}

#[tokio::test]
async fn outside_the_schedule_two_people_approve_one_export() {
    let world = world().await;
    let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
    let context = world.context(&clock);
    let ask = file_ask(&dcf, 1);
    let digest = request(&world, &dcf, 1).await;
    let occasion = Occasion::Approved { request: digest, format: "ndjson" };
    assert!(disclosure::begin_file_run(context, &ask, occasion).await.is_err(), "nobody has approved");
    approve(&world, &dcf, digest, &[0, 0]).await;
    assert!(disclosure::begin_file_run(context, &ask, occasion).await.is_err(), "one person twice is one person");
    approve(&world, &dcf, digest, &[1]).await;
    for (wrong, occasion) in [
        (Ask { office: Some("Hartford"), ..ask.clone() }, occasion),
        (Ask { as_of: Some(loaded_at()), ..ask.clone() }, occasion),
        (ask.clone(), Occasion::Approved { request: digest, format: "csv" }),
    ] {
        assert!(
            disclosure::begin_file_run(context, &wrong, occasion).await.is_err(),
            "another export than was approved"
        );
    }
    disclosure::begin_file_run(context, &ask, occasion).await.unwrap();
    let again = disclosure::begin_file_run(context, &file_ask(&dcf, 2), occasion).await;
    assert!(again.is_err(), "a request serves one run");
    disclosure::disclose_chunk(context, &ask, &["D1".to_owned()], &encode).await.unwrap();
    let named = "SELECT count(*) FROM ledger.entry AS e JOIN ledger.detail AS d USING (entry_id) WHERE e.kind = ";
    let with_request = format!("AND d.authority = 'export request {digest}'");
    assert_eq!(world.count(&format!("{named}'approval' {with_request}")).await, 3, "each approval is an entry");
    assert_eq!(world.count(&format!("{named}'disclosure' {with_request}")).await, 1);
    let late = request(&world, &dcf, -1).await;
    approve(&world, &dcf, late, &[0, 1]).await;
    let expired = Occasion::Approved { request: late, format: "ndjson" };
    assert!(disclosure::begin_file_run(context, &file_ask(&dcf, 3), expired).await.is_err(), "the request has expired");
    // A request whose text was changed past the program is not what was approved.
    let forged = request(&world, &dcf, 2).await;
    approve(&world, &dcf, forged, &[0, 1]).await;
    world
        .force(
            "SET session_replication_role = replica; ALTER TABLE agreements.request DROP CONSTRAINT request_digest_of_statement;
            UPDATE agreements.request SET statement = replace(statement, 'ndjson', 'csv') WHERE used_at IS NULL",
        )
        .await;
    let changed = Occasion::Approved { request: forged, format: "csv" };
    assert!(disclosure::begin_file_run(context, &file_ask(&dcf, 4), changed).await.is_err());
}

#[tokio::test]
async fn the_seas_own_export_asks_its_own_agreement() {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT)], loaded_at()).await;
    let (clock, sea, dcf) = (FixedClock(moment()), consumer("sea"), consumer("dcf"));
    let context = world.context(&clock);
    let students: BTreeSet<StudentId> =
        disclosure::list_students(context, &ask_of(&sea), None, 10).await.unwrap().into_iter().collect();
    let refused = disclosure::record_access(context, &ask_of(&sea), students.clone(), Occasion::Scheduled).await;
    assert!(matches!(refused, Err(Error::Denied(agreements::Reason::NoAgreement))), "{refused:?}");
    let another = disclosure::record_access(context, &ask_of(&dcf), students.clone(), Occasion::Scheduled).await;
    assert!(matches!(another, Err(Error::Denied(agreements::Reason::AnotherParty))), "{another:?}");
    assert_eq!(world.entries().await.iter().filter(|entry| entry.kind == "refusal").count(), 2);
    let document = project_file("deploy/consumers/sea/agreement.toml")
        .replace("special_education = { elements = \"all\", administrative = [\"reason_exited\"] }\n", "")
        .replace("student = { elements = \"all\"", "student = { elements = \"all\", except = [\"birth_date\"]");
    world.activate(&document).await;
    let (access, histories) = world.own_export(&clock, &sea).await;
    assert_eq!((access.students().len(), histories.len()), (1, 1));
    let told = String::from_utf8(encode(&histories[0]).unwrap()).unwrap();
    assert!(told.contains("Quince") && !told.contains("birth_date="), "{told}");
    let section = |domain| histories[0].find_section(domain).unwrap();
    assert_eq!(section(model::Domain::Student).withheld, ["birth_date"]);
    assert_eq!(section(model::Domain::SpecialEducation).state, model::SectionState::NotPermitted);
    // Suspended in the middle of a run: the next chunk gives nothing.
    let stopped = moment() + TimeDelta::minutes(1);
    let mut conn = world.db.superuser().await;
    world.agreements.suspend(&mut conn, "sea_access", ("ann", "a complaint"), &FixedClock(stopped)).await.unwrap();
    let later = FixedClock(stopped);
    let all: Vec<StudentId> = access.students().iter().copied().collect();
    let rest = disclosure::access_chunk(world.context(&later), &ask_of(&sea), &access, &all).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_selection_is_entered_for_whom_it_selects_and_for_nobody_else() {
    let world = World::new(&["sea"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    let (clock, sea) = (FixedClock(moment()), consumer("sea"));
    let context = world.context(&clock);
    let all: BTreeSet<StudentId> =
        disclosure::list_students(context, &ask_of(&sea), None, 10).await.unwrap().into_iter().collect();
    let [wanted, other] = all.iter().copied().collect::<Vec<_>>()[..] else { panic!("{} students", all.len()) };
    let before = world.entries().await.len();
    let is_wanted = |history: &disclosure::DisclosedHistory| history.student() == wanted;
    let selected = disclosure::select_students(context, &ask_of(&sea), &all, &is_wanted).await.unwrap();
    assert_eq!(selected, BTreeSet::from([wanted]));
    assert_eq!(world.entries().await.len(), before, "nothing has been given out yet");
    let access = disclosure::record_access(context, &ask_of(&sea), selected, Occasion::Scheduled).await.unwrap();
    assert_eq!(world.entries().await.len(), before + 1);
    assert_eq!((access.students().len(), access.root()), (1, ledger::students_root(&BTreeSet::from([wanted]))));
    assert_eq!(disclosure::access_chunk(context, &ask_of(&sea), &access, &[wanted]).await.unwrap().len(), 1);
    let others = disclosure::access_chunk(context, &ask_of(&sea), &access, &[other]).await;
    assert!(matches!(others, Err(Error::Invalid(_))), "not entered, not given");
}

/// Looking for whom a selection is for shows it nothing that the agreement does not give, and a refusal is entered as it would be without it.
#[tokio::test]
async fn a_selection_is_shown_nothing_that_the_agreement_does_not_give() {
    let world = world().await;
    let clock = FixedClock(moment());
    let (context, sea, dcf) = (world.context(&clock), consumer("sea"), consumer("dcf"));
    let all: BTreeSet<StudentId> =
        disclosure::list_students(context, &ask_of(&sea), None, 10).await.unwrap().into_iter().collect();
    let never = |_: &disclosure::DisclosedHistory| panic!("shown to another party's selection");
    // Another party asks for the SEA's own students.
    let selected = disclosure::select_students(context, &ask_of(&dcf), &all, &never).await.unwrap();
    assert!(selected.is_empty());
    let refused = disclosure::record_access(context, &ask_of(&dcf), selected, Occasion::Scheduled).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    let mut conn = world.db.superuser().await;
    world.agreements.suspend(&mut conn, "sea_access", ("ann", "a complaint"), &FixedClock(moment())).await.unwrap();
    let selected = disclosure::select_students(context, &ask_of(&sea), &all, &never).await.unwrap();
    assert!(selected.is_empty());
    let before = world.entries().await.len();
    let refused = disclosure::record_access(context, &ask_of(&sea), selected, Occasion::Scheduled).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    assert_eq!(world.entries().await.len(), before + 1, "the refusal is entered");
}

#[tokio::test]
async fn a_suspension_holds_from_the_next_chunk_of_a_run_in_flight() {
    let world = world().await;
    let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
    let keys = ["D1".to_owned()];
    let first = disclosure::disclose_chunk(world.context(&clock), &ask_of(&dcf), &keys, &encode).await.unwrap();
    assert!(matches!(first.as_slice(), [Item::Disclosed(_)]));
    let mut conn = world.db.superuser().await;
    world.agreements.suspend(&mut conn, "dcf_mou", ("ann", "a complaint"), &FixedClock(moment())).await.unwrap();
    let next = disclosure::disclose_chunk(world.context(&clock), &ask_of(&dcf), &keys, &encode).await.unwrap();
    let [Item::Refused { reason, .. }] = next.as_slice() else { panic!("{next:?}") };
    assert_eq!(*reason, agreements::Reason::AgreementSuspended);
}

#[tokio::test]
async fn why_is_answered_by_clause_and_fact_and_entered_as_an_access() {
    let world = world().await;
    let (clock, sea, dcf) = (FixedClock(moment()), consumer("sea"), consumer("dcf"));
    let context = world.context(&clock);
    let find = |id: &str| domains::find_element(id).unwrap();
    let elements = [find("attendance.days_attended"), find("contact.contact_name"), find("student.dcf_status")];
    let explain = async |about: About| {
        disclosure::explain(context, &steward(&sea), &ask_of(&dcf), &about, &elements).await.unwrap()
    };
    let client = |key: &str| About::Client(Masked::new(key.to_owned()));
    let one = explain(client("D1")).await;
    let [one] = one.as_slice() else { panic!("one client") };
    let verdicts: Vec<_> = one.elements.iter().map(|(_, why)| (why.permitted, why.clause.as_deref())).collect();
    assert_eq!(verdicts, [(true, Some("attendance")), (false, None), (false, None)]);
    assert!(one.elements[2].1.lines.iter().any(|line| line.contains("reveals another agency")));
    let student = one.student.unwrap();
    let by_student = explain(About::Student(student)).await;
    assert_eq!(by_student[0].person_key.as_ref().map(|key| key.expose().as_str()), Some("D1"));
    // Care that has ended is still explained; a client without a match, and nobody, are told apart to a steward.
    let ended = explain(client("D2")).await;
    assert_eq!(ended[0].elements[0].1.reason, Some(agreements::Reason::AuthorityEnded));
    assert!(
        ended[0]
            .facts
            .iter()
            .any(|fact| fact.contains("2026-11-02 00:00:00 EDT") || fact.contains("2026-11-02 00:00:00 EST")),
        "{:?}",
        ended[0].facts
    );
    let publics: BTreeSet<String> = [explain(client("D3")).await, explain(client("X9")).await, ended]
        .iter()
        .map(|all| all[0].elements[0].1.public.clone())
        .collect();
    assert_eq!(publics.len(), 1, "the recipient is told the same of all three");
    let entries = world.entries().await;
    assert_eq!(entries.iter().filter(|entry| entry.kind == "access").count(), 5);
    assert!(entries.iter().all(|entry| !entry.names_student), "an access is absent from a parent's record");
    // Nobody looks who is not named in the SEA's own agreement.
    let refused = disclosure::explain(context, &ask_of(&dcf), &ask_of(&dcf), &client("D1"), &elements).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
}

/// What is explained of a client's elements: permitted, the steward's last line, and what the recipient is told.
async fn explained(
    world: &World,
    client: &str,
    elements: &[&str],
) -> (disclosure::Explained, Vec<(bool, String, String)>) {
    let (clock, sea, dcf) = (FixedClock(moment()), consumer("sea"), consumer("dcf"));
    let elements: Vec<_> = elements.iter().map(|id| domains::find_element(id).unwrap()).collect();
    let about = About::Client(Masked::new(client.to_owned()));
    let told =
        disclosure::explain(world.context(&clock), &steward(&sea), &ask_of(&dcf), &about, &elements).await.unwrap();
    let one = told.into_iter().next().unwrap();
    let of = |why: &agreements::Explanation| (why.permitted, why.lines.last().unwrap().clone(), why.public.clone());
    let verdicts = one.elements.iter().map(|(_, why)| of(why)).collect();
    (one, verdicts)
}

#[tokio::test]
async fn an_order_over_part_of_a_record_is_named_to_the_steward_and_told_to_no_recipient() {
    let hidden = project_file("migrations/20261124005000_restrict_where_someone_lives.sql");
    for name in disclosure::WHERE_A_STUDENT_LIVES {
        assert!(hidden.contains(&format!("'{name}'")), "{name}");
    }
    let world = world().await;
    let ids =
        ["discipline.incident_date", "enrollment.entry_date", "attendance.days_attended", "student.resident_town"];
    let (before, verdicts) = explained(&world, "D1", &ids).await;
    let told: Vec<&str> = verdicts.iter().map(|(_, _, public)| public.as_str()).collect();
    assert!(verdicts.iter().all(|(permitted, ..)| *permitted), "{verdicts:?}");
    // Nothing was ever reported of attendance.
    let says = |told: &[&str]| told.iter().map(|public| public.ends_with(" is not reported")).collect::<Vec<_>>();
    assert_eq!(says(&told), [false, false, true, false], "{told:?}");
    let order = |kind: &str, domain, number: &str| intake::restriction::Order {
        sea: crate::world::sea(),
        state_id: Masked::new(STUDENT.to_owned()),
        kind: kind.to_owned(),
        domain: Some(domain),
        ordered_on: "2026-11-01".parse().unwrap(),
        order_number: number.to_owned(),
    };
    let roster = project_file("deploy/consumers/dcf/roster.toml");
    let zone = identity::roster::RosterLayout::parse(&roster).unwrap().time_zone;
    for one in [
        order("sealed", model::Domain::Discipline, "O-7"),
        order("confidential_address", model::Domain::Contact, "O-8"),
    ] {
        intake::restriction::restrict(&world.db.pool, &one, zone, "ann", loaded_at()).await.unwrap();
    }
    let (after, verdicts) = explained(&world, "D1", &ids).await;
    let permitted: Vec<bool> = verdicts.iter().map(|(permitted, ..)| *permitted).collect();
    assert_eq!(permitted, [false, true, true, false]);
    assert!(verdicts[0].1.contains("order O-7 (sealed)") && verdicts[3].1.contains("order O-8"), "{verdicts:?}");
    assert!(after.facts.iter().any(|fact| fact.contains("O-7")) && !after.is_restricted && !before.is_restricted);
    let told: Vec<&str> = verdicts.iter().map(|(_, _, public)| public.as_str()).collect();
    assert_eq!(says(&told), [true, false, true, true], "{told:?}");
    assert!(!told.iter().any(|public| public.contains("O-") || public.contains("order")));
    // An order over the one incident there is: to the recipient as if there were none.
    let world = self::world().await;
    world
        .force(
            "INSERT INTO history.restriction (source_person_id, domain, natural_key, kind, in_force, order_number, decided_by, recorded_at)
            SELECT DISTINCT f.source_person_id, f.domain, f.natural_key, 'sealed', tstzrange('2026-11-01', NULL), 'O-9', 'ann',
                '2026-11-01'::timestamptz
            FROM history.fact AS f JOIN identity.source_person AS p USING (source_person_id)
            WHERE f.domain = 6 AND p.state_id = '9900000017'",
        )
        .await;
    let (of_fact, verdicts) = explained(&world, "D1", &ids).await;
    assert!(
        of_fact.facts.iter().any(|fact| fact.contains("O-9") && fact.contains("single records")),
        "{:?}",
        of_fact.facts
    );
    let told: Vec<&str> = verdicts.iter().map(|(_, _, public)| public.as_str()).collect();
    assert_eq!(says(&told), [true, false, true, false], "{told:?}");
}

#[tokio::test]
async fn of_a_sealed_student_a_recipient_is_told_what_it_is_told_of_a_stranger() {
    let world = self::world().await;
    let ids = ["discipline.incident_date", "enrollment.entry_date", "contact.contact_name", "student.dcf_status"];
    world
        .force(&format!(
            "INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
            SELECT p.source_person_id, 'sealed', tstzrange('{0}', NULL), 'O-1', 'ann', '{0}'
            FROM identity.source_person AS p WHERE p.state_id = '{STUDENT}'",
            moment()
        ))
        .await;
    let (sealed, verdicts) = explained(&world, "D1", &ids).await;
    assert!(sealed.is_restricted && sealed.facts.iter().any(|fact| fact.contains("Order O-1 (sealed)")));
    assert!(verdicts.iter().all(|(permitted, ..)| !permitted), "{verdicts:?}");
    assert!(verdicts[0].1.contains("order O-1 (sealed)"), "{verdicts:?}");
    let (_, of_stranger) = explained(&world, "X9", &ids).await;
    let public = |verdicts: &[(bool, String, String)]| verdicts.iter().map(|one| one.2.clone()).collect::<Vec<_>>();
    assert_eq!(public(&verdicts), public(&of_stranger));
}

#[tokio::test]
async fn a_draft_is_rehearsed_on_real_clients_and_requests() {
    let world = world().await;
    let (clock, sea, dcf) = (FixedClock(moment()), consumer("sea"), consumer("dcf"));
    assert!(world.ask("dcf", "D1", moment()).await.is_ok());
    assert!(world.ask("dcf", "D2", moment()).await.is_err());
    let context = world.context(&clock);
    let rehearse = async |document: &str| {
        let since = moment() - TimeDelta::days(1);
        disclosure::rehearse(context, &steward(&sea), &ask_of(&dcf), document, since).await
    };
    let shipped = project_file("deploy/consumers/dcf/agreement.toml");
    world.sequence().await;
    let same = rehearse(&shipped).await.unwrap();
    assert!(same.changes.is_empty(), "{:?}", same.changes);
    assert_eq!((same.requests, same.now_refused, same.now_granted), (2, 0, 0));
    // Custody has ended since: no draft did that.
    let (after, since) = (FixedClock(crate::world::at("2026-12-05T12:00:00Z")), moment() - TimeDelta::days(1));
    let asked =
        disclosure::rehearse(world.context(&after), &steward(&sea), &ask_of(&dcf), &shipped, since).await.unwrap();
    assert_eq!((asked.requests, asked.now_refused, asked.now_granted), (2, 0, 0));
    let draft =
        shipped.replace("attendance = \"all\"", "attendance = [\"days_attended\"]\ncontact = [\"contact_name\"]");
    let changed = rehearse(&draft).await.unwrap();
    let [change] = changed.changes.as_slice() else { panic!("one client: {:?}", changed.changes) };
    assert_eq!(
        (change.person_key.expose().as_str(), change.added.as_slice()),
        ("D1", &["contact.contact_name".to_owned()][..])
    );
    assert!(change.removed.iter().all(|id| id.starts_with("attendance.")) && !change.removed.is_empty());
    let later = shipped.replace("valid_from = 2016-06-30", "valid_from = 2027-01-01");
    assert!(rehearse(&later).await.unwrap().at > moment());
    let mistaken = rehearse(&shipped.replace("case_planning", "")).await;
    assert!(mistaken.is_err());
    let of_another = rehearse(&project_file("deploy/consumers/cssd/agreement.toml")).await;
    assert!(matches!(of_another, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn disclosures_go_on_after_a_restore_on_the_word_of_two_stewards() {
    let world = world().await;
    let (dcf, sea, clock) = (consumer("dcf"), consumer("sea"), FixedClock(moment()));
    let context = world.context(&clock);
    let since = moment() - TimeDelta::days(1);
    let file = async |since| {
        let request = UnsealRequest {
            checkpoint: None,
            consumer: sea.clone(),
            expires_at: moment() + TimeDelta::days(7),
            reason: "the disk was lost".to_owned(),
            requested_at: moment() - TimeDelta::hours(2),
            requested_by: "ann".to_owned(),
            since,
        };
        world.agreements.file_unsealing(&mut world.db.superuser().await, &request).await.unwrap()
    };
    let sign = async |digest, by: usize| {
        let approvals = world.approvals(Act::Unseal, digest, moment() - TimeDelta::hours(1));
        disclosure::approve(context, &ask_of(&sea), (Act::Unseal, digest), &approvals[by]).await.unwrap();
    };
    let own = steward(&sea);
    let compare = async |digest| {
        let used = (digest, Uuid::from_u128(9));
        disclosure::seal::compared(context, &own, ("ann", "held against nothing"), used, None).await
    };
    disclosure::seal::close(context, std::slice::from_ref(&dcf), since).await.unwrap();
    assert!(matches!(world.ask("dcf", "D1", moment()).await, Err(Error::Sealed)));
    let request = file(since).await;
    assert!(compare(request).await.is_err(), "nobody has signed");
    sign(request, 0).await;
    assert!(compare(request).await.is_err(), "one has");
    assert!(!disclosure::seal::lift(context, &dcf).await.unwrap(), "and nothing is lifted");
    sign(request, 1).await;
    compare(request).await.unwrap();
    assert!(disclosure::seal::lift(context, &dcf).await.unwrap());
    world.ask("dcf", "D1", moment()).await.unwrap();
    // Set back once more: neither that request nor one about the earlier time serves.
    disclosure::seal::close(context, std::slice::from_ref(&dcf), since + TimeDelta::hours(6)).await.unwrap();
    assert!(compare(request).await.is_err(), "it has served");
    let of_earlier = file(since - TimeDelta::days(9)).await;
    sign(of_earlier, 0).await;
    sign(of_earlier, 1).await;
    assert!(compare(of_earlier).await.is_err(), "it is about another time");
    assert!(matches!(world.ask("dcf", "D1", moment()).await, Err(Error::Sealed)));
}
