//! The caller's side of `PerformActs`: many acts under way over one call, each awaited on its own.

use crate::v1;
use crate::v1::dossier_service_client::DossierServiceClient;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// Acts that wait for the connection: what the node has under way of one call.
const WAITING: usize = 1_024;

/// One act, as [`v1::PerformActsRequest`] names them.
pub type Act = v1::perform_acts_request::Act;

/// An open call. It ends when this is dropped and everything is answered.
#[derive(Debug)]
pub struct Acts {
    say: mpsc::Sender<v1::PerformActsRequest>,
    asked: Arc<Mutex<Asked>>,
}

/// Why an act came to nothing, as far as this side knows.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The node refused it: nothing was done.
    Refused(v1::Refused),
    /// The call broke before the answer: say it again, with its idempotency key, over another one.
    Broken(Status),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refused) => {
                write!(f, "{}: {}", refused.reason().as_str_name(), refused.message_en)
            }
            Failure::Broken(status) => write!(f, "the call broke before the answer: {status}"),
        }
    }
}

impl std::error::Error for Failure {}

#[derive(Debug, Default)]
struct Asked {
    last: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<v1::Done, Failure>>>,
    broken: Option<Status>,
}

impl Acts {
    /// Opens a call.
    ///
    /// # Errors
    /// The node's, or the connection's.
    pub async fn open(client: &mut DossierServiceClient<Channel>) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(WAITING);
        let answers = client.perform_acts(ReceiverStream::new(said)).await?.into_inner();
        let asked = Arc::<Mutex<Asked>>::default();
        tokio::spawn(listen(answers, asked.clone()));
        Ok(Self { say, asked })
    }

    /// Says an act and waits for what became of it. Given up while it waits, it may be done all the same.
    ///
    /// # Errors
    /// A refusal, or a call that broke.
    pub async fn perform(&self, act: Act) -> Result<v1::Done, Failure> {
        let (tell, told) = oneshot::channel();
        let number = lock(&self.asked).expect_answer(tell)?;
        let request = v1::PerformActsRequest { number, act: Some(act) };
        // What cannot be said any more is told by whoever listens.
        let _ = self.say.send(request).await;
        told.await.unwrap_or_else(|_| Err(Failure::Broken(Status::unavailable("the call has ended"))))
    }
}

impl Asked {
    fn expect_answer(&mut self, tell: oneshot::Sender<Result<v1::Done, Failure>>) -> Result<u64, Failure> {
        if let Some(status) = &self.broken {
            return Err(Failure::Broken(status.clone()));
        }
        self.last += 1;
        self.waiting.insert(self.last, tell);
        Ok(self.last)
    }
}

/// Gives each answer to who waits for it, and the end of the call to all who still do.
async fn listen(mut answers: Streaming<v1::PerformActsResponse>, asked: Arc<Mutex<Asked>>) {
    use v1::perform_acts_response::Answer;
    let ended = loop {
        match answers.message().await {
            Ok(Some(v1::PerformActsResponse { number, answer })) => {
                let Some(tell) = lock(&asked).waiting.remove(&number) else { continue };
                let _ = tell.send(match answer {
                    Some(Answer::Done(done)) => Ok(done),
                    Some(Answer::Refused(refused)) => Err(Failure::Refused(refused)),
                    None => Err(Failure::Broken(Status::data_loss("an empty answer"))),
                });
            }
            Ok(None) => break Status::unavailable("the call has ended"),
            Err(status) => break status,
        }
    };
    let mut asked = lock(&asked);
    for (_, tell) in asked.waiting.drain() {
        let _ = tell.send(Err(Failure::Broken(ended.clone())));
    }
    asked.broken = Some(ended);
}

fn lock(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}
