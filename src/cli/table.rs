//! Prints results as a table whose columns are as wide as their widest cell.

use crate::output::say;

/// Prints `rows` under `heads`. Without rows only the heads.
pub(super) fn print<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    for line in lines(heads, rows) {
        say!("{line}");
    }
}

fn lines<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let heads = heads.map(str::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&heads).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    std::iter::once(&heads).chain(rows).map(line).collect()
}

/// Returns the value, or a dash.
pub(super) fn or_dash(cell: Option<impl ToString>) -> String {
    cell.map_or_else(|| "-".to_owned(), |cell| cell.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = [["webhooks".to_owned(), "1".to_owned()], ["é".to_owned(), "100".to_owned()]];
        assert_eq!(lines(["QUEUE", "N"], &rows), ["QUEUE     N", "webhooks  1", "é         100"]);
    }
}
