//! The best one-to-one matching: the set of pairs with the largest product of odds.
//!
//! Claims split into small groups that share no candidate; each is solved exactly (shortest augmenting paths). A group
//! too large for that, which takes a file full of one name, is matched greedily and improved by exchanges.

use std::collections::BTreeMap;

use super::Edge;

/// Records in a group that is solved exactly.
const EXACT_MAX: usize = 120;
/// Rounds of exchanges in a larger group.
const EXCHANGES_MAX: usize = 20;
/// No partner.
const NOBODY: usize = usize::MAX;

/// Whether each edge belongs to the best matching, in order. Edges that are less likely than "no partner" never do.
pub(crate) fn best_matching(edges: &[Edge]) -> Vec<bool> {
    let mut chosen = vec![false; edges.len()];
    let useful: Vec<usize> = (0..edges.len()).filter(|at| edges[*at].odds > 1.0).collect();
    for group in groups(edges, &useful) {
        if let [only] = group.as_slice() {
            chosen[*only] = true;
            continue;
        }
        let problem = Problem::new(edges, &group);
        let picks = if problem.records.len().max(problem.candidates.len()) <= EXACT_MAX {
            problem.exact()
        } else {
            problem.greedy()
        };
        for at in picks {
            chosen[at] = true;
        }
    }
    chosen
}

/// Edges in groups that share neither records nor candidates with each other.
fn groups(edges: &[Edge], useful: &[usize]) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..useful.len()).collect();
    let (mut by_record, mut by_candidate) = (BTreeMap::new(), BTreeMap::new());
    for (place, at) in useful.iter().enumerate() {
        for first in [
            *by_record.entry(edges[*at].record).or_insert(place),
            *by_candidate.entry(edges[*at].candidate).or_insert(place),
        ] {
            let (a, b) = (root(&mut parent, first), root(&mut parent, place));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, at) in useful.iter().enumerate() {
        groups.entry(root(&mut parent, place)).or_default().push(*at);
    }
    groups.into_values().collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// One group as a small assignment problem.
struct Problem {
    records: Vec<u32>,
    candidates: Vec<u32>,
    /// Gain and edge by record and candidate.
    gain: BTreeMap<(usize, usize), (f64, usize)>,
}

impl Problem {
    fn new(edges: &[Edge], group: &[usize]) -> Self {
        let sorted = |mut values: Vec<u32>| {
            values.sort_unstable();
            values.dedup();
            values
        };
        let records = sorted(group.iter().map(|at| edges[*at].record).collect());
        let candidates = sorted(group.iter().map(|at| edges[*at].candidate).collect());
        let place = |values: &[u32], value: u32| values.partition_point(|known| *known < value);
        let gain = group
            .iter()
            .map(|at| {
                (
                    (place(&records, edges[*at].record), place(&candidates, edges[*at].candidate)),
                    (edges[*at].odds.log2(), *at),
                )
            })
            .collect();
        Self { records, candidates, gain }
    }

    fn gain(&self, record: usize, candidate: usize) -> f64 {
        self.gain.get(&(record, candidate)).map_or(0.0, |(gain, _)| *gain)
    }

    /// Hungarian method by shortest augmenting paths. Every record also has a private dummy candidate of gain 0.
    fn exact(&self) -> Vec<usize> {
        let (rows, columns) = (self.records.len(), self.candidates.len() + self.records.len());
        let (mut row_price, mut column_price) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
        let mut owner = vec![0_usize; columns + 1];
        for row in 1..=rows {
            let mut way = vec![0_usize; columns + 1];
            let mut slack = vec![f64::INFINITY; columns + 1];
            let mut used = vec![false; columns + 1];
            owner[0] = row;
            let mut column = 0;
            while owner[column] != 0 {
                used[column] = true;
                let (mut step, mut next) = (f64::INFINITY, 0);
                for other in 1..=columns {
                    if used[other] {
                        continue;
                    }
                    let gain =
                        if other <= self.candidates.len() { self.gain(owner[column] - 1, other - 1) } else { 0.0 };
                    let reduced = -gain - row_price[owner[column]] - column_price[other];
                    if reduced < slack[other] {
                        slack[other] = reduced;
                        way[other] = column;
                    }
                    if slack[other] < step {
                        step = slack[other];
                        next = other;
                    }
                }
                for other in 0..=columns {
                    if used[other] {
                        row_price[owner[other]] += step;
                        column_price[other] -= step;
                    } else {
                        slack[other] -= step;
                    }
                }
                column = next;
            }
            while column != 0 {
                owner[column] = owner[way[column]];
                column = way[column];
            }
        }
        (1..=self.candidates.len())
            .filter(|column| owner[*column] != 0)
            .filter_map(|column| self.gain.get(&(owner[column] - 1, column - 1)).map(|(_, at)| *at))
            .collect()
    }

    /// Best first, then exchanges of two partners as long as one gains.
    fn greedy(&self) -> Vec<usize> {
        let mut order: Vec<_> = self.gain.iter().collect();
        order.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(a.0.cmp(b.0)));
        let mut partner = vec![NOBODY; self.records.len()];
        let mut holder = vec![NOBODY; self.candidates.len()];
        for ((record, candidate), _) in order {
            if partner[*record] == NOBODY && holder[*candidate] == NOBODY {
                partner[*record] = *candidate;
                holder[*candidate] = *record;
            }
        }
        let worth =
            |record: usize, candidate: usize| if candidate == NOBODY { 0.0 } else { self.gain(record, candidate) };
        for _ in 0..EXCHANGES_MAX {
            let mut moved = false;
            for &(record, candidate) in self.gain.keys() {
                let (other, free) = (holder[candidate], partner[record]);
                if other == record || other == NOBODY {
                    continue;
                }
                let now = worth(record, free) + worth(other, candidate);
                if worth(record, candidate) + worth(other, free) > now + 1e-9 {
                    partner[other] = free;
                    partner[record] = candidate;
                    holder[candidate] = record;
                    if free != NOBODY {
                        holder[free] = other;
                    }
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        (0..self.records.len())
            .filter_map(|record| self.gain.get(&(record, partner[record])).map(|(_, at)| *at))
            .collect()
    }
}
