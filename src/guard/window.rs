//! What a window function looks at.

use sqlparser::ast::{WindowFrameBound, WindowSpec};

use crate::guard::walk::{Outcome, Walk};

impl Walk<'_> {
    pub(in crate::guard) fn window_spec(&mut self, spec: &WindowSpec) -> Outcome<()> {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.operands(partition_by)?;
        self.order_by(order_by)?;
        let bounds = window_frame.iter().flat_map(|frame| [Some(&frame.start_bound), frame.end_bound.as_ref()]);
        for bound in bounds.flatten() {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset) => {
                    self.each(offset.as_deref())?;
                }
            }
        }
        Ok(())
    }
}
