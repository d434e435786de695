//! Common table expressions, as far as the planner runs them by themselves: then no condition outside is pushed into them.

use std::collections::BTreeSet;

use crate::guard::walk::Walk;

/// Where rows come from that a condition must not meet before the tenant's filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Source {
    /// A lens, by its number.
    Lens(usize),
    /// A common table expression, by its number.
    Computed(usize),
}

/// What was read of a common table expression with another tenant's rows below it.
#[derive(Debug)]
pub(in crate::guard) struct Computed {
    inside: Vec<Source>,
    planning: Planning,
    /// How often it stands in FROM. PostgreSQL counts where it reads the text, whether it will run that part or not.
    mentions: usize,
}

/// Whether the server plans it with the query around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guard) enum Planning {
    /// MATERIALIZED, or a change of rows.
    Apart,
    /// NOT MATERIALIZED.
    Inlined,
    /// Apart if it is mentioned twice or more (`SS_process_ctes`, since PostgreSQL 12).
    ByMentions,
}

impl Computed {
    fn is_apart(&self) -> bool {
        match self.planning {
            Planning::Apart => true,
            Planning::Inlined => false,
            Planning::ByMentions => self.mentions > 1,
        }
    }
}

impl Walk<'_> {
    /// What a query that names the expression has its rows from: nothing that needs care, or it.
    pub(in crate::guard) fn compute(&mut self, inside: Vec<Source>, planning: Planning) -> Vec<Source> {
        if inside.is_empty() {
            return Vec::new();
        }
        self.computed.push(Computed { inside, planning, mentions: 0 });
        vec![Source::Computed(self.computed.len() - 1)]
    }

    pub(in crate::guard) fn mention(&mut self, sources: &[Source]) {
        for source in sources {
            if let Source::Computed(number) = source
                && let Some(computed) = self.computed.get_mut(*number)
            {
                computed.mentions += 1;
            }
        }
    }

    /// To be asked when all has been read.
    pub(in crate::guard) fn fenced_lenses(&self) -> BTreeSet<usize> {
        let mut pending: Vec<Source> = self.fences.iter().copied().collect();
        let (mut lenses, mut opened) = (BTreeSet::new(), BTreeSet::new());
        while let Some(source) = pending.pop() {
            match source {
                Source::Lens(number) => {
                    lenses.insert(number);
                }
                Source::Computed(number) if opened.insert(number) => {
                    let computed = self.computed.get(number).filter(|computed| !computed.is_apart());
                    pending.extend(computed.iter().flat_map(|computed| &computed.inside));
                }
                Source::Computed(_) => {}
            }
        }
        lenses
    }
}
