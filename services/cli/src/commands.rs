//! The commands, one module each. A command wires crates together and speaks with people; it holds no rule.

mod agreement;
mod approve;
mod bench;
mod break_glass;
mod config;
pub mod db;
mod demo;
pub mod doctor;
pub mod erase;
pub mod exchange;
mod feed;
mod generate;
mod identity;
pub mod intake;
mod ledger;
mod placement;
mod retention;
pub mod serve;
mod summary;
mod two;

use pg::Access;

use crate::{
    app::App,
    args::{Args, Command, Place},
};

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Everything is well.
    Done = 0,
    /// Done, but a batch was refused or a check found something.
    Found = 3,
}

impl Outcome {
    /// `Found` if something was found.
    pub const fn of(found: bool) -> Self {
        if found { Self::Found } else { Self::Done }
    }
}

/// What was asked cannot be meant: exit code 2, as for a flag that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Runs what was asked.
pub async fn run(args: Args) -> anyhow::Result<Outcome> {
    let place = args.place;
    match args.command {
        Command::Demo(options) => demo::run(&place, &options).await,
        Command::Serve(options) => serve::run(&place, &options).await,
        Command::Generate(options) => generate::run(&place, &options),
        Command::Intake(command) => intake::run(&place, command).await,
        Command::Identity(command) => identity::run(&place, command).await,
        Command::Roster(command) => exchange::roster(&place, command).await,
        Command::Placement(command) => placement::run(&place, command).await,
        Command::Exchange(command) => exchange::run(&place, command).await,
        Command::Feed(command) => feed::run(&place, command).await,
        Command::Summary(command) => summary::run(&place, command),
        Command::Agreement(command) => agreement::run(&place, command).await,
        Command::Approve(options) => approve::run(&place, options).await,
        Command::BreakGlass(command) => break_glass::run(&place, command).await,
        Command::Retention(command) => retention::run(&place, command).await,
        Command::Erase(command) => erase::run(&place, command).await,
        Command::Ledger(command) => ledger::run(&place, command).await,
        Command::Db(command) => db::run(&place, command).await,
        Command::Doctor => Box::pin(doctor::run(&place)).await,
        Command::Config(command) => config::run(&place, &command),
        Command::Bench(options) => bench::run(&place, &options).await,
    }
}

/// Opens the database for a command, runs it, and closes the database whatever happened.
pub async fn with_app<F, Fut>(place: &Place, command: F) -> anyhow::Result<Outcome>
where
    F: FnOnce(std::sync::Arc<App>) -> Fut,
    Fut: Future<Output = anyhow::Result<Outcome>>,
{
    with_app_at(place, None, command).await
}

/// The same under a clock of the caller's.
async fn with_app_at<F, Fut>(
    place: &Place,
    clock: Option<std::sync::Arc<dyn model::Clock>>,
    command: F,
) -> anyhow::Result<Outcome>
where
    F: FnOnce(std::sync::Arc<App>) -> Fut,
    Fut: Future<Output = anyhow::Result<Outcome>>,
{
    let app = std::sync::Arc::new(App::open_at(place, Access::Shared, clock).await?);
    let result = command(std::sync::Arc::clone(&app)).await;
    // Whatever the command came to: what it ended is kept outside the database, and what a roster brought may lift a seal.
    let settled = match crate::control::settle(&app).await {
        Ok(()) => crate::control::lift(&app).await,
        failed => failed,
    };
    let result = result.and_then(|outcome| settled.map(|()| outcome));
    if let Some(app) = std::sync::Arc::into_inner(app) {
        app.close().await?;
    }
    result
}

/// What one of the SEA's own people asks for, by their role in the SEA's own agreement.
pub fn own_ask<'a>(consumer: &'a model::ConsumerId, role: &'a str, by: &str) -> disclosure::Ask<'a> {
    disclosure::Ask {
        consumer,
        actor: agreements::Actor::Person { role, office: None, officer: None, trained_on: None },
        purpose: None,
        delivery: agreements::Delivery::Unary,
        office: None,
        as_of: None,
        asker: disclosure::Asker {
            person: Some(model::Masked::new(by.to_owned())),
            system: Some("command line".to_owned()),
            ..disclosure::Asker::default()
        },
        run: None,
        repeat: disclosure::Repeat::Always,
        request: None,
    }
}
