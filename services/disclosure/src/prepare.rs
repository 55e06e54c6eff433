//! Documents that need something from outside before they are what is sent: a time stamp, which an authority gives over the network.
//!
//! Nothing outside is waited for in a transaction. So such a document is made under a first decision, which is not recorded and releases nothing; it is
//! finished; and a second decision, with its own reading, records and releases it, if it permits the very same of the same student. Otherwise
//! nothing of the chunk is disclosed, and the caller begins anew. The entry names the finished bytes, and is committed before they are given out.

use std::collections::HashMap;

use model::Masked;
use pg::Role;

use crate::{
    Ask, Context, DisclosedHistory, Encode, Error,
    chunk::{Item, Make, decide_and_read},
    touched,
};

/// Documents that are made and neither recorded nor released. Of what is inside nothing comes out but a digest of each; the second decision alone
/// gives them out.
#[derive(Default)]
pub struct Prepared {
    made: HashMap<String, Made>,
}

/// What became of one client.
pub(crate) enum Made {
    /// A document.
    Document { history: Box<DisclosedHistory>, bytes: Vec<u8> },
    /// More than can be carried.
    TooLarge { bytes: u64, bytes_max: u64 },
}

/// A digest by which somebody outside is asked about a document, with its client's person id.
#[derive(Clone)]
pub struct Question {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// What leaves of the document before it is recorded.
    pub digest: [u8; 32],
}

/// Makes the documents of a chunk of clients, without recording or releasing anything.
pub async fn prepare(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<Prepared, Error> {
    let items = pg::transaction("disclosure.prepare", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let keys = touched::take(tx, context, ask, person_keys).await?.touched(person_keys);
                let decided = decide_and_read(tx, context, ask, &keys, Make::Encode(encode)).await?;
                Ok::<_, Error>(decided.items)
            })
        })
        .await?;
    let made = items.into_iter().filter_map(|item| match item {
        Item::Disclosed(disclosed) => {
            let key = disclosed.history.person_key().expose().clone();
            let bytes = disclosed.bytes.to_vec();
            Some((key, Made::Document { history: Box::new(disclosed.history), bytes }))
        }
        Item::TooLarge { person_key, bytes, bytes_max } => {
            Some((person_key.into_exposed(), Made::TooLarge { bytes, bytes_max }))
        }
        // Decided, and recorded, when it is disclosed.
        Item::Unchanged { .. } | Item::Untouched { .. } | Item::Withdrawn(_) | Item::Refused { .. } => None,
    });
    Ok(Prepared { made: made.collect() })
}

impl Prepared {
    /// What is asked about each document, as `digest` makes it of its bytes; in the order of person ids.
    ///
    /// # Errors
    /// [`Error::Encode`] if a document is not what `digest` expects.
    pub fn questions(&self, digest: impl Fn(&[u8]) -> Result<[u8; 32], String>) -> Result<Vec<Question>, Error> {
        let mut questions = Vec::with_capacity(self.made.len());
        for (key, made) in &self.made {
            let Made::Document { bytes, .. } = made else { continue };
            let digest = digest(bytes).map_err(Error::Encode)?;
            questions.push(Question { person_key: Masked::new(key.clone()), digest });
        }
        questions.sort_by(|one, other| one.person_key.expose().cmp(other.person_key.expose()));
        Ok(questions)
    }

    /// Puts the answer to a question into its document, as `finish` does it.
    ///
    /// # Errors
    /// [`Error::Encode`] if the answer does not fit into the document.
    pub fn finish(
        &mut self,
        question: &Question,
        finish: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), Error> {
        if let Some(Made::Document { bytes, .. }) = self.made.get_mut(question.person_key.expose()) {
            *bytes = finish(bytes).map_err(Error::Encode)?;
        }
        Ok(())
    }

    /// What was made of a history, if the decision now is the one that it was made under.
    pub(crate) fn find(&self, history: &DisclosedHistory) -> Result<&Made, Error> {
        match self.made.get(history.person_key().expose()) {
            Some(Made::Document { history: before, .. }) if !before.says_the_same(history) => Err(Error::Changed),
            Some(made) => Ok(made),
            None => Err(Error::Changed),
        }
    }
}
