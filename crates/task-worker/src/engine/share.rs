//! How free slots are shared among named queues: pure.
//!
//! While none of the queues is known to have more tasks, each is waited on, and the slots are shared by weight. While
//! some have, these take all that is free, in turn by their weights; the others are looked into now and then, without
//! a wait, since a claim that waits would hold slots that could work.

/// Where a named queue stands in the turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    weight: u32,
    /// What it was given for its weight since others had tasks too.
    pass: u64,
    /// When it was asked last.
    turn: u64,
    /// It had more tasks than it could give.
    pub(crate) hungry: bool,
}

/// A queue as it is now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) standing: Standing,
    /// Claims on it are under way, for so many tasks.
    pub(crate) asked: Option<u32>,
    /// Another may be, while it has more tasks.
    pub(crate) another: bool,
    /// It was not found empty just now.
    pub(crate) rested: bool,
}

/// How long a claim waits for its first task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    /// Others have to have their turn.
    Short,
    Long,
}

/// A claim to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) lane: usize,
    pub(crate) tasks: u32,
    pub(crate) wait: Wait,
}

const STRIDE: u64 = 1 << 20;

impl Standing {
    pub(crate) fn new(weight: u32) -> Self {
        Self { weight: weight.max(1), pass: 0, turn: 0, hungry: false }
    }

    fn stride(&self) -> u64 {
        (STRIDE / u64::from(self.weight)).max(1)
    }

    pub(crate) fn asked(&mut self, turn: u64) {
        self.turn = turn;
    }
}

/// Which claims to make for so many free slots.
pub(crate) fn share(room: u32, lanes: &[View]) -> Vec<Ask> {
    let some_hungry = lanes.iter().any(|lane| lane.standing.hungry);
    let base = floor(lanes.iter().map(|lane| lane.standing));
    let mut shares: Vec<(usize, u64, u32)> = lanes
        .iter()
        .enumerate()
        .filter(|(_, lane)| match (some_hungry, lane.asked) {
            (false, asked) => asked.is_none(),
            // what is due to one whose answer is on its way is not for the others
            (true, Some(_)) => lane.standing.hungry,
            (true, None) => lane.standing.hungry || lane.rested,
        })
        .map(|(index, lane)| {
            let before = lane.standing.stride() * u64::from(lane.asked.unwrap_or(0));
            (index, if some_hungry { lane.standing.pass.max(base) + before } else { 0 }, 0)
        })
        .collect();
    let wait = match () {
        () if lanes.len() == 1 => Wait::Long,
        () if some_hungry => Wait::No,
        () if shares.len() <= room as usize => Wait::Long,
        () => Wait::Short,
    };
    for _ in 0..room {
        let next = shares.iter_mut().min_by_key(|(index, pass, _)| (*pass, lanes[*index].standing.turn));
        let Some((index, pass, tasks)) = next else { break };
        *pass += lanes[*index].standing.stride();
        *tasks += 1;
    }
    let new = shares.into_iter().filter(|(lane, _, tasks)| *tasks > 0 && lanes[*lane].another);
    // beside one that is under way none waits: that one does, if it has to
    let wait = |lane: usize| if lanes[lane].asked.is_some() { Wait::No } else { wait };
    new.map(|(lane, _, tasks)| Ask { lane, tasks, wait: wait(lane) }).collect()
}

/// Notes what a claim on a lane brought, and whether there is more.
pub(crate) fn received(lanes: &mut [&mut Standing], lane: usize, tasks: usize, more: bool) {
    let base = floor(lanes.iter().map(|lane| **lane));
    let this = &mut *lanes[lane];
    // who had nothing for a while does not get the past made up for
    this.pass = if this.hungry { this.pass } else { this.pass.max(base) };
    this.pass += this.stride().saturating_mul(tasks as u64);
    this.hungry = more;
    if lanes.iter().all(|lane| !lane.hungry) {
        lanes.iter_mut().for_each(|lane| lane.pass = 0);
    }
}

fn floor(lanes: impl Iterator<Item = Standing>) -> u64 {
    lanes.filter(|lane| lane.hungry).map(|lane| lane.pass).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(weights: &[u32]) -> Vec<View> {
        let view = |weight: &u32| View {
            standing: Standing::new(*weight),
            asked: None,
            another: true,
            rested: true,
        };
        weights.iter().map(view).collect()
    }

    fn ask(lane: usize, tasks: u32, wait: Wait) -> Ask {
        Ask { lane, tasks, wait }
    }

    #[test]
    fn one_queue_gets_every_slot_and_is_waited_on() {
        assert_eq!(share(64, &lanes(&[1])), [ask(0, 64, Wait::Long)]);
        assert_eq!(share(0, &lanes(&[1])), []);
    }

    #[test]
    fn quiet_queues_are_waited_on_with_slots_by_weight() {
        assert_eq!(share(64, &lanes(&[3, 1])), [ask(0, 48, Wait::Long), ask(1, 16, Wait::Long)]);
    }

    #[test]
    fn with_fewer_slots_than_quiet_queues_each_has_its_turn() {
        let mut lanes = lanes(&[9, 1, 1]);
        let mut seen = Vec::new();
        for turn in 1..=6 {
            let asks = share(1, &lanes);
            assert_eq!((asks.len(), asks[0].wait), (1, Wait::Short));
            lanes[asks[0].lane].standing.asked(turn);
            seen.push(asks[0].lane);
        }
        assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_queue_with_more_tasks_gets_all_but_a_look_into_those_that_rested() {
        let mut lanes = lanes(&[1, 1, 1]);
        lanes[0].standing.hungry = true;
        lanes[1].rested = false;
        assert_eq!(share(1, &lanes)[0].wait, Wait::No);
        let asks = share(10, &lanes);
        assert!(asks.iter().all(|ask| ask.lane != 1 && ask.wait == Wait::No), "{asks:?}");
        assert_eq!(asks.iter().map(|ask| ask.tasks).sum::<u32>(), 10);
    }

    #[test]
    fn what_is_due_to_a_queue_whose_answer_is_on_its_way_is_kept_for_it() {
        // the slots that came free meanwhile all went to the other, whatever the weights
        let mut lanes = lanes(&[3, 1]);
        for lane in &mut lanes {
            lane.standing.hungry = true;
        }
        (lanes[0].asked, lanes[0].another) = (Some(1), false);
        assert_eq!(share(2, &lanes), [ask(1, 1, Wait::No)]);
        lanes[0].asked = Some(30);
        assert_eq!(share(2, &lanes), [ask(1, 2, Wait::No)]);
    }

    /// Slots come free one at a time; each queue in `hungry` always has more.
    fn served(weights: &[u32], hungry: impl Fn(u64, usize) -> bool, turns: u64) -> Vec<u64> {
        let mut lanes = lanes(weights);
        let mut served = vec![0; weights.len()];
        for turn in 1..=turns {
            for lane in &mut lanes {
                lane.rested = true;
            }
            let Ask { lane, .. } = share(1, &lanes)[0];
            lanes[lane].standing.asked(turn);
            let tasks = usize::from(hungry(turn, lane));
            served[lane] += tasks as u64;
            let mut standings: Vec<_> = lanes.iter_mut().map(|lane| &mut lane.standing).collect();
            received(&mut standings, lane, tasks, tasks > 0);
        }
        served
    }

    #[test]
    fn queues_with_more_tasks_than_slots_are_served_by_weight() {
        let served = served(&[3, 1], |_, _| true, 4000);
        assert!((2990..=3010).contains(&served[0]), "{served:?}");
    }

    #[test]
    fn a_queue_that_was_quiet_does_not_get_the_past_made_up_for() {
        // one that had nothing for an hour took every slot until it had caught up
        let served = served(&[1, 1], |turn, lane| lane == 0 || turn > 1000, 1200);
        assert!((90..=110).contains(&served[1]), "{served:?}");
    }
}
