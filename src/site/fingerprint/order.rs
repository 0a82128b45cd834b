//! The order in which style sheets get their names: what one imports has to have its name first, since that is a part of
//! its content and so of its own name. Pure.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Each sheet's turn, and whether it is in a circle: it refers to itself, perhaps by way of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Sheets of one turn need nothing of one another, but what earlier turns had. In a circle there is no first: its
    /// members share a turn, and need nothing of one another since they keep their names.
    pub(super) turns: Vec<Vec<usize>>,
    pub(super) in_circle: Vec<bool>,
}

/// `refers[sheet]` are the sheets that it refers to.
pub(super) fn order(refers: &[Vec<usize>]) -> Order {
    let mut turns: Vec<Vec<usize>> = Vec::new();
    let mut turn_of = vec![0; refers.len()];
    let mut in_circle = vec![false; refers.len()];
    for group in groups(refers) {
        let is_circle = group.len() > 1 || group.iter().any(|sheet| refers[*sheet].contains(sheet));
        let needed = group.iter().flat_map(|sheet| &refers[*sheet]);
        let turn = needed
            .filter(|needed| !group.contains(needed))
            .map(|needed| turn_of[*needed] + 1)
            .max()
            .unwrap_or(0);
        for sheet in group {
            turn_of[sheet] = turn;
            in_circle[sheet] = is_circle;
            if turns.len() <= turn {
                turns.push(Vec::new());
            }
            turns[turn].push(sheet);
        }
    }
    Order { turns, in_circle }
}

/// The sheets by circles, those that others refer to first. Of petgraph's two algorithms it is the one without recursion:
/// chains may be long.
fn groups(refers: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut graph: DiGraph<(), (), usize> = DiGraph::with_capacity(refers.len(), 0);
    let sheets: Vec<_> = refers.iter().map(|_| graph.add_node(())).collect();
    for (sheet, needed) in refers.iter().enumerate() {
        for needed in needed {
            graph.add_edge(sheets[sheet], sheets[*needed], ());
        }
    }
    let groups = kosaraju_scc(&graph);
    let indices = |group: Vec<NodeIndex<usize>>| group.into_iter().map(NodeIndex::index).collect();
    groups.into_iter().map(indices).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::site::tests::config;

    #[test]
    fn what_is_referred_to_comes_first() {
        let (mut chain, long) = (Vec::new(), 100_000);
        chain.extend((1..=long).map(|next| if next < long { vec![next] } else { vec![] }));
        let order = order(&chain);
        assert_eq!(order.turns.len(), long);
        assert_eq!(order.turns[0], [long - 1]);
        assert!(!order.in_circle.contains(&true));
    }

    #[test]
    fn a_circle_is_told_from_what_leads_to_it_and_from_it() {
        // 0 → 1 ⇄ 2 → 3, 4 → 4, 5
        let found = order(&[vec![1], vec![2], vec![1, 3], vec![], vec![4], vec![]]);
        assert_eq!(found.in_circle, [false, true, true, false, true, false]);
        let turn = |sheet| found.turns.iter().position(|turn| turn.contains(&sheet));
        assert_eq!([0, 1, 2, 3, 4, 5].map(turn), [2, 1, 1, 0, 0, 0].map(Some));
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn the_order_is_one(refers in prop::collection::vec(prop::collection::vec(0..12usize, 0..4), 12)) {
            let found = order(&refers);
            let reaches = |from: usize, to: usize| {
                let mut seen = [false; 12];
                let mut next = refers[from].clone();
                while let Some(sheet) = next.pop() {
                    if !std::mem::replace(&mut seen[sheet], true) {
                        next.extend(&refers[sheet]);
                    }
                }
                seen[to]
            };
            let turn = |sheet| found.turns.iter().position(|turn| turn.contains(&sheet)).expect("it has a turn");
            prop_assert_eq!(found.turns.iter().map(Vec::len).sum::<usize>(), 12);
            for (sheet, needed) in refers.iter().enumerate() {
                prop_assert_eq!(found.in_circle[sheet], reaches(sheet, sheet));
                for needed in needed {
                    let same_circle = reaches(*needed, sheet);
                    prop_assert!(turn(*needed) < turn(sheet) || same_circle);
                }
            }
        }
    }
}
