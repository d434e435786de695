//! The tour's voice: headings, statements, answers and checks as plain text, with colour where a terminal shows it.

use std::io::{self, IsTerminal as _, Write as _};

/// Columns of text. Eighty is narrow for SQL; a hundred fits beside a second window.
const WIDTH: usize = 100;

/// Writes to standard output. A reader that goes away (`| head`) is not an error.
pub(crate) struct Terminal {
    colour: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Added,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Added => "1;36",
        }
    }
}

impl Terminal {
    /// Colour for a terminal, unless NO_COLOR asks for none (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stdout().is_terminal() && !unwanted }
    }

    /// A line as it is.
    pub(crate) fn line(&self, style: Style, text: &str) {
        writeln!(io::stdout(), "{}", self.styled(style, text)).ok();
    }

    pub(crate) fn blank(&self) {
        self.line(Style::Plain, "");
    }

    /// A heading with a rule under it.
    pub(crate) fn heading(&self, text: &str) {
        self.blank();
        self.line(Style::Bold, text);
        self.line(Style::Dim, &"─".repeat(text.chars().count()));
    }

    /// A paragraph, wrapped.
    pub(crate) fn say(&self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.line(Style::Plain, &line.join(" "));
        }
    }

    /// A label in the margin, and text beside it, wrapped under itself.
    pub(crate) fn labelled(&self, label: &str, style: Style, text: &str) {
        let words: Vec<(String, Style)> = text.split_whitespace().map(|word| (word.to_owned(), style)).collect();
        self.labelled_words(label, &words);
    }

    /// SQL as it was sent; what is not in `original` stands out.
    pub(crate) fn sent(&self, label: &str, original: &str, sent: &str) {
        let known: Vec<&str> = original.split_whitespace().collect();
        let words: Vec<&str> = sent.split_whitespace().collect();
        let kept = common_words(&known, &words);
        let mark = |(word, kept): (&&str, &bool)| {
            let style = if *kept { Style::Plain } else { Style::Added };
            ((*word).to_owned(), style)
        };
        let words: Vec<(String, Style)> = words.iter().zip(&kept).map(mark).collect();
        self.labelled_words(label, &words);
    }

    /// Rows under their columns' names.
    pub(crate) fn table(&self, columns: &[String], rows: &[Vec<String>]) {
        const ROWS_MAX: usize = 5;
        let shown = rows.iter().take(ROWS_MAX);
        let width_of = |index: usize| {
            let cells = shown.clone().filter_map(|row| row.get(index));
            cells.chain(columns.get(index)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns.len()).map(width_of).collect();
        let join = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.margin("answer", Style::Dim, &join(columns));
        for row in shown.clone() {
            self.margin("", Style::Plain, &join(row));
        }
        let count = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
        self.margin("", Style::Dim, &count);
    }

    /// One line behind a label in the margin, not wrapped.
    pub(crate) fn margin(&self, label: &str, style: Style, text: &str) {
        let label = self.styled(Style::Dim, &format!("{label:>10}"));
        writeln!(io::stdout(), "{label}  {}", self.styled(style, text)).ok();
    }

    fn labelled_words(&self, label: &str, words: &[(String, Style)]) {
        let mut label = label;
        let mut line = String::new();
        let mut width = 0;
        for (word, style) in words {
            let length = word.chars().count();
            if width > 0 && width + 1 + length > WIDTH - 12 {
                self.margin(label, Style::Plain, &line);
                (label, width) = ("", 0);
                line.clear();
            }
            if width > 0 {
                line.push(' ');
                width += 1;
            }
            line.push_str(&self.styled(*style, word));
            width += length;
        }
        self.margin(label, Style::Plain, &line);
    }

    fn styled(&self, style: Style, text: &str) -> String {
        let code = style.code();
        if self.colour && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn wrap(text: &str, width: usize) -> Vec<Vec<&str>> {
    let mut lines: Vec<Vec<&str>> = vec![Vec::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count() + 1;
        if length + more > width + 1 {
            lines.push(Vec::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push(word);
        }
        length += more;
    }
    lines
}

/// For each word of `new`: whether it belongs to a longest common subsequence with `old`.
fn common_words(old: &[&str], new: &[&str]) -> Vec<bool> {
    // lengths[i][j]: of the longest common subsequence of old[i..] and new[j..].
    let mut lengths = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    let at =
        |lengths: &Vec<Vec<usize>>, i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, word) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if word == other {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(cell) = lengths.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let mut i = 0;
    let mut kept = Vec::with_capacity(new.len());
    for (j, word) in new.iter().enumerate() {
        while i < old.len() && old.get(i) != Some(word) && at(&lengths, i + 1, j) == at(&lengths, i, j) {
            i += 1;
        }
        let keep = old.get(i) == Some(word) && at(&lengths, i, j) > at(&lengths, i, j + 1);
        kept.push(keep);
        i += usize::from(keep);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_were_put_in_are_found() {
        let old: Vec<&str> = "SELECT a FROM t WHERE b".split(' ').collect();
        let new: Vec<&str> = "SELECT a FROM public.t WHERE x AND b".split(' ').collect();
        assert_eq!(common_words(&old, &new), [true, true, true, false, true, false, false, true]);
        assert_eq!(common_words(&[], &new), [false; 8]);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), vec![vec!["one", "two"], vec!["three"]]);
    }
}
