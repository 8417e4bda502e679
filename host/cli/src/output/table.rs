//! Columns: padded to the longest cell and four blanks, nothing at the ends of lines.

const GAP: usize = 4;

/// Rows of cells without a header; an empty cell reads `n/a`.
pub(crate) fn columns<R: AsRef<[String]>>(rows: &[R]) -> String {
    let cell = |text: &str| {
        let text = text.trim();
        if text.is_empty() { "n/a".to_owned() } else { text.to_owned() }
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|r| r.as_ref().iter().map(|c| cell(c)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut text = String::new();
        for (i, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if i + 1 < row.len() {
                text.extend(std::iter::repeat_n(' ', widths[i] - cell.chars().count() + GAP));
            }
        }
        text
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Rows of cells below an underlined header.
pub(crate) fn with_header(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let names = header.iter().map(|h| (*h).to_owned()).collect();
    let underline = header.iter().map(|h| "-".repeat(h.len())).collect();
    columns(&[vec![names, underline], rows].concat())
}

/// `Key` and `Value`.
pub(crate) fn pairs(rows: Vec<(String, String)>) -> String {
    with_header(&["Key", "Value"], rows.into_iter().map(|(k, v)| vec![k, v]).collect())
}

/// `= Title =` as wide as `width`; one sign more where it does not come out even, two on either side where it would
/// not fit.
pub(crate) fn heading(title: &str, width: usize) -> String {
    let signs = match width.checked_sub(title.len() + 2) {
        None | Some(0) => 2,
        Some(n) => n.div_ceil(2),
    };
    let signs = "=".repeat(signs);
    format!("{signs} {title} {signs}")
}

/// The heading of a `Key`/`Value` table with these keys.
pub(crate) fn heading_over<'a>(title: &str, keys: impl Iterator<Item = &'a String>) -> String {
    let longest = keys.map(String::len).max().unwrap_or(0);
    heading(title, longest + GAP + "Value".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|c| (*c).to_owned()).collect()
    }

    #[test]
    fn pads_all_but_the_last_column() {
        let rows = vec![
            row(&["cubbyhole/", "cubbyhole", "cubbyhole_a6f2e908", "per-token private secret storage"]),
            row(&["kv1/", "kv", "kv_8eeb8195", ""]),
        ];
        assert_eq!(
            with_header(&["Path", "Type", "Accessor", "Description"], rows),
            "Path          Type         Accessor              Description\n\
             ----          ----         --------              -----------\n\
             cubbyhole/    cubbyhole    cubbyhole_a6f2e908    per-token private secret storage\n\
             kv1/          kv           kv_8eeb8195           n/a"
        );
    }

    #[test]
    fn counts_characters_not_bytes() {
        assert_eq!(columns(&[row(&["∞", "a"]), row(&["bb", "c"])]), "∞     a\nbb    c");
    }

    #[test]
    fn headings_are_as_wide_as_their_block() {
        assert_eq!(heading("Secret Path", "secret/data/app".len()), "= Secret Path =");
        assert_eq!(heading("Metadata Path", "secret/metadata/app".len()), "== Metadata Path ==");
        let keys = ["created_time".to_owned(), "custom_metadata".to_owned()];
        assert_eq!(heading_over("Metadata", keys.iter()), "======= Metadata =======");
        assert_eq!(heading_over("Data", [&"user".to_owned()].into_iter()), "==== Data ====");
        assert_eq!(heading_over("Data", [&"x".to_owned()].into_iter()), "== Data ==");
        assert_eq!(heading("A long title", 5), "== A long title ==");
    }
}
