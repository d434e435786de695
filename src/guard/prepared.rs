//! PREPARE, EXECUTE and DECLARE: the statement inside is read like any other, the name is the session's to know.

use sqlparser::ast::{Expr, Statement as Tree, Value};

use crate::guard::decision::StatementClass;
use crate::guard::kind::Kind;
use crate::guard::naming::{Argument, Naming};
use crate::guard::rejection::{Code, Rejection};
use crate::guard::walk::{Outcome, Walk};
use crate::sql::{DeclareStatement, ExecuteStatement, PrepareStatement, token_range};

impl Walk<'_> {
    pub(in crate::guard) fn prepare(&mut self, statement: &PrepareStatement) -> Outcome<Naming> {
        for data_type in &statement.types {
            self.data_type(data_type)?;
        }
        // Its parameters are its own: EXECUTE gives their values, not a Bind of the text around it.
        let types = statement.types.iter().map(Kind::of_data_type).collect();
        let outer = (std::mem::replace(&mut self.parameters, types), std::mem::take(&mut self.checks));
        let read = self.tree(&statement.tree);
        self.parameters = outer.0;
        let checks = std::mem::replace(&mut self.checks, outer.1);
        read?;
        let class = if self.writes { StatementClass::Write } else { StatementClass::Read };
        Ok(Naming::Prepares { statement: statement.name.clone(), class, checks })
    }

    pub(in crate::guard) fn execute(&mut self, statement: &ExecuteStatement) -> Outcome<Naming> {
        let arguments = statement
            .arguments()
            .ok_or_else(|| Rejection::new(Code::ReadingsDisagree, "the arguments of EXECUTE are not clear"))?;
        self.each(arguments)?;
        let arguments = arguments.iter().map(|argument| self.argument(argument)).collect();
        Ok(Naming::Executes { statement: statement.name.clone(), arguments })
    }

    fn argument(&self, argument: &Expr) -> Argument {
        match argument {
            Expr::Nested(inner) => self.argument(inner),
            Expr::Cast { expr, .. } => self.argument(expr),
            Expr::Value(found) => match &found.value {
                Value::Placeholder(_) | Value::Null | Value::Boolean(_) => Argument::Other,
                _ => {
                    let token = token_range(found.span).map(|range| range.start);
                    let text =
                        token.map(|at| self.tokens.string(at).unwrap_or_else(|| self.tokens.text(at).to_owned()));
                    text.map_or(Argument::Other, Argument::Literal)
                }
            },
            _ => Argument::Other,
        }
    }

    pub(in crate::guard) fn declare(&mut self, statement: &DeclareStatement) -> Outcome<Naming> {
        let Tree::Query(_) = statement.tree.as_ref() else {
            return Err(Rejection::new(Code::ReadingsDisagree, "the query of DECLARE is not clear"));
        };
        self.tree(&statement.tree)?;
        Ok(Naming::Declares { cursor: statement.cursor.clone(), hold: statement.hold })
    }
}
