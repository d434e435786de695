//! Where the clauses of a statement stand, found on the tokens alone: a second reading beside the parser's tree.

use std::ops::Range;

use crate::sql::{TokenKind, Tokens, temporary};

/// The clauses of one query block or data-modifying statement, each without its keyword.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Clauses {
    /// What stands between the first keyword and the next clause: a SELECT's list, an UPDATE's target.
    pub head: Range<usize>,
    pub set: Option<Range<usize>>,
    pub from: Option<Range<usize>>,
    pub using: Option<Range<usize>>,
    pub where_: Option<Range<usize>>,
    pub group_by: Option<Range<usize>>,
    pub having: Option<Range<usize>>,
    pub returning: Option<Range<usize>>,
    /// One past the block's last token (before ORDER BY, LIMIT, a set operation, the closing parenthesis, …).
    pub end: usize,
}

/// What kind of block begins at a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Select,
    Update,
    Delete,
}

impl Clauses {
    /// Reads the block whose SELECT, UPDATE or DELETE is the token `keyword`. `None`: a clause comes twice.
    pub(crate) fn read(tokens: &Tokens<'_>, keyword: usize, block: Block) -> Option<Self> {
        let mut clauses = Self::default();
        let mut current = Clause::Head;
        let mut begin = keyword + 1;
        let mut at = begin;
        if block == Block::Delete && tokens.is_word(at, "from") {
            begin += 1;
            at += 1;
        }
        loop {
            let next = if is_end(tokens, at) { Some(Clause::End) } else { starts(tokens, at, block) };
            // `FROM ROWS FROM (f(), g())`: the second is none of the clause's own.
            let rows_from = current == Clause::From && tokens.is_word(at - 1, "rows");
            let next = next.filter(|next| !(*next == Clause::From && rows_from));
            if let Some(next) = next {
                clauses.close(current, begin..at)?;
                if next == Clause::End {
                    clauses.end = at;
                    return Some(clauses);
                }
                at += if matches!(next, Clause::GroupBy) { 2 } else { 1 };
                begin = at;
                current = next;
                continue;
            }
            at = past(tokens, at);
        }
    }

    fn close(&mut self, clause: Clause, range: Range<usize>) -> Option<()> {
        let place = match clause {
            Clause::Head => {
                self.head = range;
                return Some(());
            }
            Clause::Set => &mut self.set,
            Clause::From => &mut self.from,
            Clause::Using => &mut self.using,
            Clause::Where => &mut self.where_,
            Clause::GroupBy => &mut self.group_by,
            Clause::Having => &mut self.having,
            Clause::Returning => &mut self.returning,
            // WINDOW needs no place of its own.
            Clause::Window | Clause::End => return Some(()),
        };
        if place.is_some() {
            return None;
        }
        *place = Some(range);
        Some(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Head,
    Set,
    From,
    Using,
    Where,
    GroupBy,
    Having,
    Window,
    Returning,
    End,
}

/// The clause that begins at a token, if one does. All of these words are reserved and need AS to be labels.
fn starts(tokens: &Tokens<'_>, at: usize, block: Block) -> Option<Clause> {
    if tokens.keyword(at).is_none() || is_name(tokens, at) {
        return None;
    }
    let word = |text: &str| tokens.is_word(at, text);
    let next = |text: &str| tokens.is_word(at + 1, text);
    let previous = |text: &str| at > 0 && tokens.is_word(at - 1, text);
    if word("from") && !is_distinct_from(tokens, at) {
        return Some(Clause::From);
    }
    if word("where") {
        return Some(Clause::Where);
    }
    if word("returning") && block != Block::Select {
        return Some(Clause::Returning);
    }
    if word("set") && block == Block::Update {
        return Some(Clause::Set);
    }
    if word("using") && block == Block::Delete && !is_join_using(tokens, at) {
        return Some(Clause::Using);
    }
    if word("group") && next("by") && !previous("within") {
        return Some(Clause::GroupBy);
    }
    if word("having") {
        return Some(Clause::Having);
    }
    if word("window") {
        return Some(Clause::Window);
    }
    let ends = ["union", "intersect", "except", "limit", "offset", "fetch", "for", "returning", "order"];
    if ends.into_iter().any(word) || (word("on") && next("conflict")) {
        return Some(Clause::End);
    }
    None
}

/// The target of an ON CONFLICT: what stands in its brackets, and the condition behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConflictTokens {
    pub elements: Range<usize>,
    pub condition: Option<Range<usize>>,
}

impl ConflictTokens {
    /// Reads what follows the word CONFLICT at a token. DO must come behind it: else it is a function of that name.
    pub(crate) fn read(tokens: &Tokens<'_>, conflict: usize) -> Option<Self> {
        let is_on = |at: usize| tokens.is_word(at, "on") && !is_name(tokens, at);
        let on = conflict.checked_sub(1).filter(|on| is_on(*on) && tokens.is_word(conflict, "conflict"))?;
        let open = on + 2;
        let close = tokens.matching(open).filter(|_| tokens.kind(open) == Some(TokenKind::LeftParen))?;
        let elements = open + 1..close;
        if tokens.is_word(close + 1, "do") {
            return Some(Self { elements, condition: None });
        }
        let begin = close + 2;
        let mut at = begin;
        while tokens.is_word(close + 1, "where") && !is_end(tokens, at) && !is_on(at) {
            if tokens.is_word(at, "do") && !is_name(tokens, at) {
                return (begin < at).then_some(Self { elements, condition: Some(begin..at) });
            }
            at = past(tokens, at);
        }
        None
    }

    /// That of the INSERT whose target's name ends before a token.
    pub(crate) fn of_insert(tokens: &Tokens<'_>, name_end: usize) -> Option<Self> {
        let mut at = name_end;
        while !is_end(tokens, at) {
            if let Some(found) = Self::read(tokens, at) {
                return Some(found);
            }
            at = past(tokens, at);
        }
        None
    }
}

/// The parts of a MERGE, found on the tokens alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MergeClauses {
    pub on: Range<usize>,
    pub whens: Vec<MergeWhen>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MergeWhen {
    /// Behind the AND.
    pub condition: Option<Range<usize>>,
    pub then: usize,
    pub action: Range<usize>,
}

impl MergeClauses {
    /// Reads the MERGE whose keyword is at a token. Inside CASE, WHEN and THEN are none of its own; of several ON, the
    /// last is its own and those before it belong to joins.
    pub(crate) fn read(tokens: &Tokens<'_>, keyword: usize) -> Option<Self> {
        let (mut at, mut cases) = (keyword + 1, 0_usize);
        let mut on = None;
        let mut marks: Vec<(usize, Option<usize>)> = Vec::new();
        while !is_end(tokens, at) {
            let word = |text: &str| tokens.is_word(at, text) && !is_name(tokens, at);
            match () {
                () if word("case") => cases += 1,
                () if cases > 0 => cases -= usize::from(word("end")),
                () if word("on") && marks.is_empty() => on = Some(at),
                () if word("when") => marks.push((at, None)),
                () if word("then") => marks.last_mut()?.1.replace(at).map_or(Some(()), |_| None)?,
                () if word("returning") => break,
                () => {}
            }
            at = past(tokens, at);
        }
        let ends = marks.iter().skip(1).map(|(when, _)| *when).chain([at]);
        let on = on? + 1..marks.first()?.0;
        let whens = marks.iter().zip(ends).map(|((when, then), end)| MergeWhen::read(tokens, *when, (*then)?, end));
        let whens = whens.collect::<Option<Vec<_>>>()?;
        (!on.is_empty()).then_some(Self { on, whens })
    }
}

impl MergeWhen {
    fn read(tokens: &Tokens<'_>, when: usize, then: usize, end: usize) -> Option<Self> {
        let mut at = when + 1;
        at += usize::from(tokens.is_word(at, "not"));
        at += usize::from(tokens.is_word(at, "matched"));
        at += if tokens.is_word(at, "by") { 2 } else { 0 };
        let condition = if tokens.is_word(at, "and") { Some(at + 1..then) } else { None };
        let is_whole = condition.as_ref().map_or(at == then, |condition| !condition.is_empty());
        (is_whole && then + 1 < end).then_some(Self { condition, then, action: then + 1..end })
    }
}

/// DELETE … USING a JOIN b USING (x): only the first USING is the clause.
fn is_join_using(tokens: &Tokens<'_>, at: usize) -> bool {
    tokens.kind(at + 1) == Some(TokenKind::LeftParen) && {
        let opens =
            tokens.is_word(at + 2, "select") || tokens.is_word(at + 2, "with") || tokens.is_word(at + 2, "values");
        let mut back = at;
        let mut joined = false;
        while back > 0 {
            back = before(tokens, back);
            if tokens.is_word(back, "using") || tokens.is_word(back, "delete") {
                break;
            }
            joined |= tokens.is_word(back, "join");
        }
        joined && !opens
    }
}

fn is_distinct_from(tokens: &Tokens<'_>, from: usize) -> bool {
    from >= 2
        && tokens.is_word(from - 1, "distinct")
        && (tokens.is_word(from - 2, "is") || tokens.is_word(from - 2, "not"))
}

/// A word that stands where only a name can: after a dot or AS.
fn is_name(tokens: &Tokens<'_>, at: usize) -> bool {
    at > 0 && (tokens.kind(at - 1) == Some(TokenKind::Dot) || tokens.is_word(at - 1, "as"))
}

fn is_end(tokens: &Tokens<'_>, at: usize) -> bool {
    let ends = &[None, Some(TokenKind::Semicolon), Some(TokenKind::RightParen), Some(TokenKind::RightBracket)];
    ends.contains(&tokens.kind(at)) || temporary::is_with_data(tokens, at)
}

/// The next token at the same depth.
fn past(tokens: &Tokens<'_>, at: usize) -> usize {
    match tokens.kind(at) {
        Some(TokenKind::LeftParen | TokenKind::LeftBracket) => tokens.matching(at).map_or(at, |close| close) + 1,
        _ => at + 1,
    }
}

/// The token to the left, a bracketed group counting as one; leaves a group through its opening bracket.
fn before(tokens: &Tokens<'_>, at: usize) -> usize {
    let left = at.saturating_sub(1);
    match tokens.kind(left) {
        Some(TokenKind::RightParen | TokenKind::RightBracket) => tokens.matching(left).unwrap_or(left),
        _ => left,
    }
}

/// The condition after the ON that a token belongs to: from the nearest ON to its left, to where the join goes on.
pub(crate) fn on_condition(tokens: &Tokens<'_>, inside: usize) -> Option<Range<usize>> {
    let on = nearest_left(tokens, inside, |at| tokens.is_word(at, "on") && !is_name(tokens, at))?;
    let begin = on + 1;
    let mut at = begin;
    while !is_end(tokens, at) && !continues_join(tokens, at) && starts(tokens, at, Block::Select).is_none() {
        if matches!(tokens.kind(at), Some(TokenKind::Comma))
            || tokens.is_word(at, "set")
            || tokens.is_word(at, "returning")
        {
            break;
        }
        at = past(tokens, at);
    }
    (begin <= inside && inside < at).then_some(begin..at)
}

/// The VALUES keyword whose rows hold a token.
pub(crate) fn values_keyword(tokens: &Tokens<'_>, inside: usize) -> Option<usize> {
    nearest_left(tokens, inside, |at| tokens.is_word(at, "values") && !is_name(tokens, at))
}

fn nearest_left(tokens: &Tokens<'_>, inside: usize, is_it: impl Fn(usize) -> bool) -> Option<usize> {
    let mut at = inside;
    while at > 0 {
        at = before(tokens, at);
        if is_it(at) {
            return Some(at);
        }
    }
    None
}

fn continues_join(tokens: &Tokens<'_>, at: usize) -> bool {
    if is_name(tokens, at) {
        return false;
    }
    let word = |text: &str| tokens.is_word(at, text);
    let next = |text: &str| tokens.is_word(at + 1, text);
    let side = ["left", "right", "full"].into_iter().any(word) && (next("join") || next("outer"));
    let kind = ["inner", "cross", "natural"].into_iter().any(word)
        && ["join", "inner", "left", "right", "full"].into_iter().any(next);
    side || kind || word("join") || word("on") || (word("using") && tokens.kind(at + 1) == Some(TokenKind::LeftParen))
}

/// The rows of a VALUES list: the parenthesised groups after the keyword, brackets included.
pub(crate) fn value_rows(tokens: &Tokens<'_>, values: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut at = values + 1;
    while let (Some(TokenKind::LeftParen), Some(close)) = (tokens.kind(at), tokens.matching(at)) {
        rows.push(at..close + 1);
        if tokens.kind(close + 1) != Some(TokenKind::Comma) {
            break;
        }
        at = close + 2;
    }
    rows
}

/// The parts of a range between its commas.
pub(crate) fn split_at_commas(tokens: &Tokens<'_>, range: Range<usize>) -> Vec<Range<usize>> {
    split(tokens, range, |tokens, at| tokens.kind(at) == Some(TokenKind::Comma))
}

/// The conjuncts of a condition: cut at each AND that is neither BETWEEN's nor inside CASE. One part if an OR stands
/// at the same depth, since AND binds stronger.
pub(crate) fn conjuncts(tokens: &Tokens<'_>, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut cases = 0_usize;
    let mut betweens = 0_usize;
    let mut begin = range.start;
    let mut at = range.start;
    while at < range.end {
        let named = is_name(tokens, at);
        if !named && tokens.is_word(at, "case") {
            cases += 1;
        } else if !named && tokens.is_word(at, "end") {
            cases = cases.saturating_sub(1);
        } else if !named && cases == 0 && tokens.is_word(at, "or") {
            return vec![range];
        } else if !named && cases == 0 && tokens.is_word(at, "between") {
            betweens += 1;
        } else if !named && cases == 0 && tokens.is_word(at, "and") {
            if betweens > 0 {
                betweens -= 1;
            } else {
                parts.push(begin..at);
                begin = at + 1;
            }
        }
        at = past(tokens, at);
    }
    parts.push(begin..range.end);
    parts
}

fn split(
    tokens: &Tokens<'_>,
    range: Range<usize>,
    separates: impl Fn(&Tokens<'_>, usize) -> bool,
) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut begin = range.start;
    let mut at = range.start;
    while at < range.end {
        if separates(tokens, at) {
            parts.push(begin..at);
            begin = at + 1;
        }
        at = past(tokens, at);
    }
    parts.push(begin..range.end);
    parts
}
