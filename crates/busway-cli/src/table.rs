use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    name: &'static str,
    alignment: CellAlignment,
}

/// A column of words.
pub(crate) fn words(name: &'static str) -> Column {
    Column { name, alignment: CellAlignment::Left }
}

/// A column of figures.
pub(crate) fn figures(name: &'static str) -> Column {
    Column { name, alignment: CellAlignment::Right }
}

/// A table without lines: names of columns, then rows, two spaces between columns.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.name)).add_rows(rows);
    for (drawn, column) in table.column_iter_mut().zip(columns) {
        drawn.set_padding((0, 2)).set_cell_alignment(column.alignment);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_names_above_and_figures_to_the_right() {
        let rows = [vec!["chat".to_owned(), "12".to_owned()], vec!["calendar".to_owned(), "3".to_owned()]];
        assert_eq!(table(&[words("NAME"), figures("LAG")], rows), "NAME      LAG\nchat       12\ncalendar    3");
    }
}
