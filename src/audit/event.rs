//! One audit record as one line of JSON: who, when, what was reached, how it was decided.
