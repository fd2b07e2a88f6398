//! Searching: everything, the shortest way to a violation, and a kept way walked again.

use super::properties;
use super::rules::Rules;
use super::world::{Action, World};
use stateright::{Checker, HasDiscoveries, Model};
use std::collections::BTreeSet;
use std::time::Instant;

/// Longest way that is looked for. The deepest known has 20 steps, and the whole protocol is exhausted before 40.
const DEEPEST: usize = 40;

/// Looks at every state and finds nothing wrong. Depth first, which keeps a path in memory and not a whole level.
pub(crate) fn holds(rules: Rules) {
    let begin = Instant::now();
    let checker = rules.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    let states = checker.unique_state_count();
    println!("VERDICT model: {rules:?}: {states} states, {:.1} s", begin.elapsed().as_secs_f32());
    let found = checker.discoveries().into_iter().map(|(name, path)| (name, lines(&path.into_actions())));
    let violated: Vec<String> = found.map(|(name, way)| format!("{name} does not hold:\n{way}")).collect();
    assert!(violated.is_empty(), "{}", violated.join("\n"));
    assert!(states > 1_000, "a search of {states} states shows nothing");
}

/// The shortest way to a violation of `property`. Stateright keeps the last discovery of a block rather than the
/// first, so the depth is raised step by step.
pub(crate) fn shortest(rules: Rules, property: &'static str) -> Option<Vec<Action>> {
    let begin = Instant::now();
    for steps in 1..=DEEPEST {
        // A state `steps` steps away has depth `steps + 1`, and one at the target is no longer looked at.
        let checker = rules.checker().target_max_depth(steps + 2);
        let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
        let checker = checker.finish_when(found).spawn_bfs().join();
        let way = checker.discovery(property).map(|path| path.into_actions());
        if way.is_some() || checker.max_depth() < steps {
            let (states, time) = (checker.unique_state_count(), begin.elapsed().as_secs_f32());
            println!(
                "VERDICT model: {rules:?}: {property} broken after {} steps, {states} states, {time:.1} s",
                way.as_ref().map_or("no number of".to_owned(), |way| way.len().to_string())
            );
            return way;
        }
    }
    None
}

/// Where a kept way led.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Properties that did not hold somewhere on it.
    pub(crate) violated: BTreeSet<&'static str>,
    /// Steps that were not possible, or changed nothing.
    pub(crate) impossible: Vec<String>,
}

/// Walks a kept way, one step a line, leaving out the steps that these rules do not allow; then everything that goes
/// by itself.
pub(crate) fn walk(rules: Rules, way: &str) -> Walk {
    let mut world = World::new(&rules);
    let mut walk = Walk { violated: BTreeSet::new(), impossible: vec![] };
    for line in way.lines() {
        let mut actions = Vec::new();
        rules.actions(&world, &mut actions);
        let next = actions.into_iter().filter(|a| a.to_string() == line);
        match next.filter_map(|a| rules.next_state(&world, a)).next() {
            Some(next) => world = next,
            None => walk.impossible.push(line.to_owned()),
        }
        walk.look(&rules, &world);
    }
    match properties::settled(&rules, &world) {
        Some(end) => walk.look(&rules, &end),
        None => walk.impossible.push("coming to rest".into()),
    }
    walk
}

impl Walk {
    fn look(&mut self, rules: &Rules, world: &World) {
        let broken = properties::all().into_iter().filter(|p| !(p.condition)(rules, world));
        self.violated.extend(broken.map(|p| p.name));
    }
}

/// A way as it is kept.
pub(crate) fn lines(way: &[Action]) -> String {
    way.iter().map(|action| format!("{action}\n")).collect()
}
