//! Rows: one per workload and peer, as they are shown, written to a record, read back and rendered
//! for a page.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::suite::Series;

/// The name of the subject among the peers.
pub const SUBJECT: &str = "weftline";

/// One workload on one peer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    /// The workload's case and figure, such as `timers_sleep/cpu`.
    pub workload: String,
    /// The peer's name.
    pub peer: String,
    /// The unit of the three figures.
    pub unit: String,
    /// The middle sample.
    pub median: f64,
    /// The lowest sample.
    pub min: f64,
    /// The highest sample.
    pub max: f64,
    /// How many samples were taken.
    pub samples: usize,
}

impl Row {
    /// Sums up the samples of one series.
    ///
    /// # Panics
    ///
    /// If there is no sample or one is not a number.
    pub fn of(series: &Series) -> Row {
        let mut values = series.values.clone();
        assert!(
            values.iter().all(|value| value.is_finite()),
            "{} on {}: {values:?}",
            series.workload,
            series.peer
        );
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Row {
            workload: series.workload.clone(),
            peer: series.peer.to_owned(),
            unit: series.unit.to_owned(),
            median,
            min: values[0],
            max: values[values.len() - 1],
            samples: values.len(),
        }
    }
}

/// The subject's median divided by the row's, if the subject was measured too.
fn ratio(rows: &[Row], row: &Row) -> Option<f64> {
    let subject =
        rows.iter().find(|other| other.workload == row.workload && other.peer == SUBJECT)?;
    (row.median > 0.0).then(|| subject.median / row.median)
}

/// The heading of the lines that [`lines`] gives.
pub fn heading() -> String {
    format!(
        "{:<34} {:<11} {:>12} {:>12} {:>12}  {:<14} {:>14}",
        "workload", "peer", "median", "min", "max", "unit", "weftline/peer"
    )
}

/// One line of text per row.
pub fn lines(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            format!(
                "{:<34} {:<11} {:>12} {:>12} {:>12}  {:<14} {:>14}",
                row.workload,
                row.peer,
                figure(row.median),
                figure(row.min),
                figure(row.max),
                row.unit,
                ratio(rows, row).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            )
        })
        .collect()
}

/// Writes the rows as a JSON list.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_json(path: &Path, rows: &[Row]) -> io::Result<()> {
    let objects: Vec<String> = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    fs::write(path, format!("[\n{}\n]\n", objects.join(",\n")))
}

/// Writes every single sample in the order it was taken, below the header of the run.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_csv(path: &Path, header: &[String], series: &[Series]) -> io::Result<()> {
    let mut text: String = header.iter().map(|line| format!("# {line}\n")).collect();
    text.push_str("workload,peer,unit,sample,value\n");
    for series in series {
        for (sample, value) in series.values.iter().enumerate() {
            text.push_str(&format!(
                "{},{},{},{},{value}\n",
                series.workload,
                series.peer,
                series.unit,
                sample + 1
            ));
        }
    }
    fs::write(path, text)
}

/// Reads what [`write_json`] wrote.
///
/// # Errors
///
/// If the file cannot be read or is no record.
pub fn read_json(path: &Path) -> io::Result<Vec<Row>> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

/// The order of the columns of a table; peers that are not named here come last.
const COLUMNS: [&str; 10] = [
    SUBJECT,
    "tokio",
    "tokio+rayon",
    "smol",
    "smol+rayon",
    "forte",
    "rayon",
    "chili",
    "threads",
    "floor",
];

/// A Markdown table with one line per workload and one column per peer: the medians, and behind
/// each peer's the subject's share of it.
pub fn markdown(rows: &[Row]) -> String {
    let mut workloads: Vec<&str> = Vec::new();
    let mut peers: Vec<&str> = Vec::new();
    for row in rows {
        if !workloads.contains(&row.workload.as_str()) {
            workloads.push(&row.workload);
        }
        if !peers.contains(&row.peer.as_str()) {
            peers.push(&row.peer);
        }
    }
    peers.sort_by_key(|peer| COLUMNS.iter().position(|name| name == peer).unwrap_or(COLUMNS.len()));
    let mut table = format!(
        "| workload | unit | {} |\n|---|---|{}\n",
        peers.join(" | "),
        "---:|".repeat(peers.len())
    );
    for workload in workloads {
        let of = |peer: &str| rows.iter().find(|row| row.workload == workload && row.peer == peer);
        let unit = rows.iter().find(|row| row.workload == workload).map_or("", |row| &row.unit);
        let cells: Vec<String> = peers
            .iter()
            .map(|peer| of(peer).map_or_else(String::new, |row| cell(rows, row)))
            .collect();
        table.push_str(&format!("| `{workload}` | {unit} | {} |\n", cells.join(" | ")));
    }
    table.push_str(
        "\nMedians; in brackets ours divided by the peer's. Less is better, but for requests/s.\n",
    );
    table
}

/// A median, followed by the subject's share of it, except for the subject and for the floor.
fn cell(rows: &[Row], row: &Row) -> String {
    match ratio(rows, row) {
        Some(ratio) if row.peer != SUBJECT && row.peer != "floor" => {
            format!("{} (× {ratio:.2})", figure(row.median))
        }
        _ => figure(row.median),
    }
}

/// A figure with as many places as it deserves, and its thousands apart.
fn figure(value: f64) -> String {
    let places = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    let text = format!("{value:.places$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row made of these samples.
    fn row(peer: &'static str, values: &[f64]) -> Row {
        Row::of(&Series { workload: "spawn".to_owned(), peer, unit: "ns", values: values.to_vec() })
    }

    #[test]
    fn the_median_is_the_middle_sample_or_between_the_two() {
        assert_eq!(row("tokio", &[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(row("tokio", &[4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn the_ratio_is_ours_by_theirs() {
        let rows = [row(SUBJECT, &[5.0]), row("tokio", &[20.0])];
        assert_eq!(ratio(&rows, &rows[1]), Some(0.25));
        assert_eq!(ratio(&rows[1..], &rows[1]), None);
    }

    #[test]
    fn figures_are_grouped_and_rounded_by_size() {
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(1.234), "1.23");
    }

    #[test]
    fn a_table_has_a_line_per_workload_and_a_column_per_peer() {
        let rows = [row(SUBJECT, &[5.0]), row("tokio", &[20.0])];
        let table = markdown(&rows);
        assert_eq!(table.lines().next(), Some("| workload | unit | weftline | tokio |"));
        assert_eq!(table.lines().nth(2), Some("| `spawn` | ns | 5.00 | 20.0 (× 0.25) |"));
    }
}
