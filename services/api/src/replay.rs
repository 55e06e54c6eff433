//! Requests remembered by the id that their caller gave them: what is sent again is not done again.
//!
//! A caller that lost an answer sends the same request with the same id. What changes things gives the answer that it gave then; a call whose end is not known
//! counts as answered. What discloses is refused, for its answer is kept nowhere, and is asked for under another id; a refusal is the same refusal again. Of those
//! the ledger remembers ids, with the entry of the call, for all servers and through restarts; what stands here of them only saves asking it. Ids are remembered by
//! caller and as long as there is room: whoever sends many forgets their own.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use model::ConsumerId;
use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::status::Failure;

/// Ids remembered of one caller.
const IDS_MAX: usize = 4_096;
/// Bytes of an answer that is kept.
const ANSWER_BYTES_MAX: usize = 16_384;

/// The requests of all callers.
#[derive(Default)]
pub(crate) struct Requests {
    callers: Mutex<BTreeMap<ConsumerId, Seen>>,
}

#[derive(Default)]
struct Seen {
    order: VecDeque<Uuid>,
    requests: HashMap<Uuid, Known>,
}

struct Known {
    /// Of the method and the request; `None`: it disclosed, and whatever comes under its id is refused.
    digest: Option<[u8; 32]>,
    /// `None`: it is under way, or it is not known what became of it, or its answer is not kept.
    answer: Option<Vec<u8>>,
}

impl Seen {
    fn remember(&mut self, id: Uuid, digest: Option<[u8; 32]>) {
        if self.order.len() >= IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
        self.order.push_back(id);
        self.requests.insert(id, Known { digest, answer: None });
    }

    fn forget(&mut self, id: Uuid) {
        self.order.retain(|one| *one != id);
        self.requests.remove(&id);
    }
}

/// What is told of an id whose answer is not given again.
pub(crate) const USED: Failure = Failure::Precondition {
    reason: "REQUEST_ID_USED",
    what: "a request with this id was sent before, and its answer is not given again: ask under another id",
};

impl Requests {
    fn with<T>(&self, caller: &ConsumerId, work: impl FnOnce(&mut Seen) -> T) -> T {
        // What a panicking thread left behind is whole: each change is one step.
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        work(callers.entry(caller.clone()).or_default())
    }

    /// Discloses what is asked, unless something is known to have been disclosed under the id. Whether it was says the work too, which asks the ledger.
    pub(crate) async fn disclosing<T>(
        &self,
        caller: &ConsumerId,
        id: Option<Uuid>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some(id) = id else { return work.await };
        if self.with(caller, |seen| seen.requests.contains_key(&id)) {
            return Err(USED);
        }
        let result = work.await;
        if result.is_ok() {
            self.with(caller, |seen| {
                if !seen.requests.contains_key(&id) {
                    seen.remember(id, None);
                }
            });
        }
        result
    }

    /// Does what is asked, once for each id of a caller, and gives its answer again. Without an id it is done.
    pub(crate) async fn once<A: Message, T: Message + Default>(
        &self,
        (caller, method): (&ConsumerId, &str),
        id: Option<Uuid>,
        asked: &A,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Some(id) = id else { return work.await };
        let digest = Sha256::new().chain_update(method).chain_update([0]).chain_update(asked.encode_to_vec());
        let digest: [u8; 32] = digest.finalize().into();
        let known = self.with(caller, |seen| match seen.requests.get(&id) {
            None => {
                seen.remember(id, Some(digest));
                None
            }
            Some(known) if known.digest == Some(digest) => Some(known.answer.clone()),
            Some(_) => Some(None),
        });
        match known {
            Some(Some(answer)) => return T::decode(&*answer).map_err(Failure::of),
            Some(None) => return Err(USED),
            None => {}
        }
        let result = work.await;
        self.with(caller, |seen| match &result {
            Ok(answer) if answer.encoded_len() <= ANSWER_BYTES_MAX => {
                if let Some(known) = seen.requests.get_mut(&id) {
                    known.answer = Some(answer.encode_to_vec());
                }
            }
            Ok(_) => {}
            // Nothing was done: the same may be sent again.
            Err(_) => seen.forget(id),
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn caller(id: &str) -> ConsumerId {
        id.parse().unwrap()
    }

    /// Asks once; says what was answered, and whether it was done.
    async fn ask(requests: &Requests, who: &str, id: u128, asked: &str) -> (Result<String, String>, bool) {
        let done = Cell::new(false);
        let work = async {
            done.set(true);
            if asked == "wrong" { Err(Failure::NotFound("it")) } else { Ok(format!("answer to {asked}")) }
        };
        let who = caller(who);
        let answer = requests.once((&who, "Method"), Some(Uuid::from_u128(id)), &asked.to_owned(), work).await;
        (answer.map_err(|failure| format!("{failure:?}")), done.get())
    }

    /// The same of what discloses, where the ledger says this of the id.
    async fn disclose(requests: &Requests, id: u128, of_ledger: Result<(), Failure>) -> (Result<(), String>, bool) {
        let done = Cell::new(false);
        let work = async {
            done.set(true);
            of_ledger
        };
        let answer = requests.disclosing(&caller("dcf"), Some(Uuid::from_u128(id)), work).await;
        (answer.map_err(|failure| format!("{failure:?}")), done.get())
    }

    #[tokio::test]
    async fn what_is_sent_again_is_answered_again_or_refused_and_never_done_again() {
        let requests = Requests::default();
        let first = (Ok("answer to a".to_owned()), true);
        assert_eq!(ask(&requests, "dcf", 1, "a").await, first);
        assert_eq!(ask(&requests, "dcf", 1, "a").await, (Ok("answer to a".to_owned()), false));
        let (other, done) = ask(&requests, "dcf", 1, "b").await;
        assert!(other.unwrap_err().contains("REQUEST_ID_USED") && !done, "another request under the same id");
        assert_eq!(ask(&requests, "cssd", 1, "a").await, first, "ids are each caller's own");
        assert!(ask(&requests, "dcf", 3, "wrong").await.1);
        assert!(ask(&requests, "dcf", 3, "wrong").await.1, "what was not done may be sent again");
    }

    #[tokio::test]
    async fn what_discloses_is_refused_from_memory_and_asks_the_ledger_for_the_rest() {
        let requests = Requests::default();
        assert_eq!(disclose(&requests, 1, Ok(())).await, (Ok(()), true));
        let (again, done) = disclose(&requests, 1, Ok(())).await;
        assert!(again.unwrap_err().contains("REQUEST_ID_USED") && !done, "what discloses is kept nowhere");
        let (other, done) = ask(&requests, "dcf", 1, "a").await;
        assert!(other.unwrap_err().contains("REQUEST_ID_USED") && !done, "an id of what changes nothing is used too");
        // What was refused, what failed and what another server answered is asked of the ledger each time: of a refusal it knows the question.
        for _ in 0..2 {
            assert!(disclose(&requests, 3, Err(Failure::Withheld)).await.1);
            assert!(disclose(&requests, 4, Err(Failure::TooLate)).await.1);
            assert!(disclose(&requests, 5, Err(USED)).await.1);
        }
    }

    #[tokio::test]
    async fn a_call_that_is_cut_counts_as_answered_and_who_sends_many_forgets_their_own() {
        let requests = Requests::default();
        let (dcf, asked) = (caller("dcf"), "a".to_owned());
        let cut = requests.once((&dcf, "Method"), Some(Uuid::from_u128(1)), &asked, async {
            std::future::pending::<()>().await;
            Ok(String::new())
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), cut).await.is_err());
        assert!(ask(&requests, "dcf", 1, "a").await.0.is_err());
        assert!(ask(&requests, "cssd", 1, "a").await.1);
        for id in 0..IDS_MAX as u128 {
            assert!(ask(&requests, "dcf", id + 10, "a").await.1);
        }
        assert!(ask(&requests, "dcf", 1, "a").await.1, "the oldest is forgotten");
        assert!(!ask(&requests, "cssd", 1, "a").await.1, "another's is not");
        requests.with(&dcf, |seen| assert_eq!((seen.order.len(), seen.requests.len()), (IDS_MAX, IDS_MAX)));
    }
}
