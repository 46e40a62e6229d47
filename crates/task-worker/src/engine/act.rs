//! What the loop does of its own accord: it starts attempts, claims, settles, and recalls claims.

use task_core::{Claim, SettleRequest, Settlement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Engine, LAST, books,
    lane::{Lane, MOST},
    share::{self, Ask, Wait},
};

impl Engine {
    /// Starts the attempts and the calls that are due.
    pub(super) fn act(&mut self) {
        self.bench.start(self.slots);
        self.count();
        let asks = self.asks();
        for index in 0..self.lanes.len() {
            let ask = asks.iter().find(|ask| ask.lane == index).copied();
            // the first call with ends carries one and no claim: by it the way is known
            let first = self.way.is_none() && self.lanes[index].settles_nothing();
            let settlements = self.lanes[index].take_unsettled(if first { 1 } else { MOST });
            match (settlements.is_empty(), ask) {
                (true, None) => {}
                (true, Some(ask)) => self.claim(ask),
                (false, ask) => self.settle(index, settlements, ask.filter(|_| !first)),
            }
        }
        self.count();
        self.bench.tell_at(self.lanes.iter().map(Lane::missing).min().unwrap_or(1));
        self.recall();
        if self.stopping && !self.last && self.books.held + self.books.unsettled == 0 {
            // only claims are to be answered, which may have taken tasks: they have as long as the last settlements, and a
            // queue that is away is not waited for as long as a task would be
            self.last = true;
            self.deadline = Some(Instant::now() + LAST);
        }
    }

    pub(super) fn count(&mut self) {
        let may_bring_one = |lane: &Lane| self.lanes.len() > 1 && lane.claims.iter().any(|claim| claim.idle);
        self.books.suspect = self.suspects > 0 || self.lanes.iter().any(may_bring_one);
        self.books.asked = self.lanes.iter().map(Lane::asked).sum();
        let unsettled: usize = self.lanes.iter().map(Lane::owed).sum();
        self.books.unsettled = u32::try_from(unsettled).unwrap_or(u32::MAX).saturating_add(self.put_off);
        self.books.resting = self.stopping || self.paused || self.suspended;
        self.books.run_empty = self.lanes.iter().any(|lane| lane.run_empty);
        self.books.buffer = books::buffer(self.mean, self.bench.youngest(), self.way, self.books.concurrency);
    }

    pub(super) fn asks(&self) -> Vec<Ask> {
        let room = self.books.room();
        if self.books.run_empty {
            let lane = self.lanes.iter().position(|lane| lane.run_empty && lane.claims.is_empty());
            return lane
                .filter(|_| room > 0)
                .map(|lane| Ask { lane, tasks: 1, wait: Wait::Long })
                .into_iter()
                .collect();
        }
        let at_once = books::at_once(self.way);
        // those beside the first are for as many tasks, or they would cost more than they bring
        let claims = if room < at_once { 1 } else { books::claims(self.way) };
        // nothing travels beside the first ends
        let may_claim = |lane: &Lane| self.way.is_some() || lane.settles_nothing();
        let views: Vec<_> =
            self.lanes.iter().map(|lane| lane.view(if may_claim(lane) { claims } else { 0 })).collect();
        share::share(room.min(at_once), &views)
    }

    pub(super) fn claim(&mut self, ask: Ask) {
        let (claim, recall) = self.next_claim(ask, 0);
        self.calls.spawn(self.common.caller.clone().claim(ask.lane, claim, recall));
    }

    pub(super) fn settle(&mut self, lane: usize, settlements: Vec<Settlement>, ask: Option<Ask>) {
        let worker = self.board.incarnation();
        let ends = settlements.len();
        let mut request = SettleRequest::new(self.lanes[lane].name.clone(), settlements);
        if let Some(ask) = ask {
            let (claim, _) = self.next_claim(Ask { wait: Wait::No, ..ask }, ends);
            request = request.then(claim);
        }
        self.calls.spawn(self.common.caller.clone().settle(lane, worker, request));
    }

    /// A claim that is carried out after so many ends were settled.
    pub(super) fn next_claim(&mut self, ask: Ask, ends: usize) -> (Claim, CancellationToken) {
        self.turn += 1;
        let owed = self.books.unsettled as usize - ends;
        // where several queues are claimed on at once, only one of them may bring a suspect
        let one = self.books.run_empty || self.lanes.len() == 1;
        let idle = one && self.books.held + self.books.asked == 0 && owed == 0;
        let lane = &mut self.lanes[ask.lane];
        lane.standing.asked(self.turn);
        lane.claim(ask, idle, self.board.incarnation(), &self.registration, self.drain.is_some())
    }

    /// Ends the waits of claims that are not wanted any more, or hold slots that a queue needs which has none.
    pub(super) fn recall(&self) {
        let unasked = self.lanes.iter().any(|lane| lane.claims.is_empty());
        let short = unasked && self.books.room() == 0 && !self.books.run_empty;
        for lane in &self.lanes {
            let long = lane.claims.iter().any(|claim| claim.wait == Wait::Long);
            if self.books.resting || (short && long) {
                lane.recall();
            }
        }
    }
}
