//! HELLO to all peers when the courier is there: whoever knows more of an agency than it does itself answers, and it
//! recovers. This finds an old copy that came with its old anchor, such as a machine put back whole.

use super::{Handle, Hosts};
use lienthong_core::ids::AgencyId;
use lienthong_core::node::Input;
use lienthong_link::{Link, LinkKind};
use std::time::Duration;
use tokio::time::Instant;

/// How often the connection is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// A machine that is put back while it runs finds its connection broken. One on a bad line finds it broken all day, and
/// shall not spend the line on greetings.
const AGAIN: Duration = Duration::from_secs(600);

/// Greets for these agencies when the courier is reached for the first time, and when it is reached again. Who is
/// reached in this process alone has the same ledger and knows no more.
pub(crate) async fn run(agencies: Vec<AgencyId>, handle: Handle, link: Link) {
    if link.status().kind == LinkKind::Embedded {
        return;
    }
    let mut look = tokio::time::interval(LOOK);
    let mut greeted: Option<Instant> = None;
    let mut was_away = true;
    loop {
        look.tick().await;
        if !link.status().connected {
            was_away = true;
            continue;
        }
        if !was_away || greeted.is_some_and(|at| at.elapsed() < AGAIN) {
            continue;
        }
        // Who recovers asks its peers anyway.
        let recovering = |hosts: &Hosts| {
            hosts.iter().filter(|(_, h)| h.node.state().recovering()).map(|(id, _)| id.clone()).collect()
        };
        let Ok(recovering): Result<Vec<AgencyId>, _> = handle.look(recovering).await else { continue };
        for agency in agencies.iter().filter(|agency| !recovering.contains(agency)) {
            if let Err(reason) = handle.input_in_turn(agency.clone(), Input::Greet).await {
                tracing::debug!(reason = reason.number(), "no greeting");
                return;
            }
        }
        (was_away, greeted) = (false, Some(Instant::now()));
    }
}
