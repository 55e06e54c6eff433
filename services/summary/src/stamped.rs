//! Disclosing documents that an authority stamps first.
//!
//! Nobody is asked over the network inside the transaction that records a disclosure. A document is made and signed, the authority is asked about the
//! digest of its signature, and the finished bytes are disclosed by a decision of their own, which must permit the very same. Where no authority is
//! configured a document is made within the one transaction, like everything else.

use std::collections::BTreeSet;

use disclosure::{Ask, Context, Disclosed, Encode, Item, Prepared, Question};
use futures::{StreamExt as _, stream};
use model::Masked;

use crate::{
    Error,
    sign::{Stamping, add_token, imprint},
};

/// How often documents are made anew because the records changed under them.
const ROUNDS_MAX: usize = 5;

/// Why a document was not disclosed.
#[derive(Debug, thiserror::Error)]
pub enum Undisclosed {
    /// As whatever is disclosed.
    #[error(transparent)]
    Disclosure(#[from] disclosure::Error),
    /// There is no time stamp, and without one it waits.
    #[error("the document waits for a time stamp")]
    Waits(#[source] Error),
}

/// Discloses one client's document, stamped where that is configured.
///
/// # Errors
/// [`Undisclosed::Waits`] if there is no time stamp and the configuration says that documents wait for one: nothing is recorded then.
pub async fn disclose_one(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    encode: &Encode<'_>,
    stamping: Option<&Stamping>,
) -> Result<Disclosed, Undisclosed> {
    let Some(stamping) = stamping else {
        return Ok(disclosure::disclose_one(context, ask, person_key, encode).await?);
    };
    let keys = [person_key.expose().clone()];
    for _ in 0..ROUNDS_MAX {
        let mut prepared = disclosure::prepare(context, ask, &keys, encode).await?;
        for question in questions(&prepared)? {
            let token = stamping.token(question.digest).await.map_err(Undisclosed::Waits)?;
            finish(&mut prepared, &question, token.as_deref()).map_err(Undisclosed::Waits)?;
        }
        match disclosure::disclose_one_prepared(context, ask, person_key, &prepared).await {
            Err(disclosure::Error::Changed) => {}
            done => return Ok(done?),
        }
    }
    Err(disclosure::Error::Changed.into())
}

/// Discloses a chunk of documents, stamped where that is configured; and how many wait because they could not be: of these nothing is recorded.
pub async fn disclose_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
    stamping: Option<&Stamping>,
) -> Result<(Vec<Item>, u64), disclosure::Error> {
    let Some(stamping) = stamping else {
        return Ok((disclosure::disclose_chunk(context, ask, person_keys, encode).await?, 0));
    };
    for _ in 0..ROUNDS_MAX {
        let mut prepared = disclosure::prepare(context, ask, person_keys, encode).await?;
        let waiting = stamp(&mut prepared, stamping).await?;
        let kept: Vec<String> = person_keys.iter().filter(|key| !waiting.contains(*key)).cloned().collect();
        match disclosure::disclose_prepared(context, ask, &kept, &prepared).await {
            Err(disclosure::Error::Changed) => {}
            done => return Ok((done?, waiting.len() as u64)),
        }
    }
    Err(disclosure::Error::Changed)
}

/// Stamps what was prepared; gives the person ids of those that wait.
async fn stamp(prepared: &mut Prepared, stamping: &Stamping) -> Result<BTreeSet<String>, disclosure::Error> {
    let questions = questions(prepared)?;
    let asked = questions.iter().map(|question| {
        let (stamping, digest) = (stamping.clone(), question.digest);
        async move { stamping.token(digest).await }
    });
    let asked: Vec<_> = asked.collect();
    let tokens: Vec<Result<Option<Vec<u8>>, Error>> =
        stream::iter(asked).buffered(stamping.questions_max).collect().await;
    let mut waiting = BTreeSet::new();
    for (question, token) in questions.into_iter().zip(tokens) {
        if token.and_then(|token| finish(prepared, &question, token.as_deref())).is_err() {
            waiting.insert(question.person_key.into_exposed());
        }
    }
    Ok(waiting)
}

fn questions(prepared: &Prepared) -> Result<Vec<Question>, disclosure::Error> {
    prepared.questions(|pdf| imprint(pdf).map_err(|error| error.to_string()))
}

/// Puts a token into its document; without one the document stays as it is.
fn finish(prepared: &mut Prepared, question: &Question, token: Option<&[u8]>) -> Result<(), Error> {
    let Some(token) = token else { return Ok(()) };
    let put = |pdf: &[u8]| add_token(pdf, token).map_err(|error| error.to_string());
    prepared.finish(question, put).map_err(|error| Error::Unstamped(error.to_string()))
}
