//! Runs `one_scheduler` for a moment and looks at its table and its picture.

use std::fs;
use std::process::{Command, Output};

fn one_scheduler(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_one_scheduler")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_kind_of_work_has_a_row_and_a_curve_for_each_server() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latencies.svg");
    let output =
        one_scheduler(&["--quick", "--peer=both", "--workers=2", "--svg", svg.to_str().unwrap()]);
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
    let said = text(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    let conditions = lines[0];
    assert!(conditions.starts_with("500 requests/s for 300ms each, 2 workers on "), "{said}");
    assert!(conditions.contains(" processors, client at "), "{said}");
    assert!(lines[1].starts_with("beside "), "{said}");
    let kinds = ["nothing else", "fork-join", "loops", "sleeps"];
    let rows = kinds.iter().flat_map(|kind| [(kind, "Weftline"), (kind, "tokio + rayon")]);
    for (line, (kind, server)) in lines[2..].iter().zip(rows) {
        let figures = line.strip_prefix(kind).and_then(|rest| rest.trim().strip_prefix(server));
        let figures: Vec<_> = figures.expect(said).split_whitespace().collect();
        // Four times with their units, and the jobs.
        assert_eq!(figures.len(), 9, "{line}");
        assert!(
            figures.iter().step_by(2).take(4).all(|time| time.parse::<f64>().is_ok()),
            "{line}"
        );
        assert_eq!(figures[8].parse::<f64>().is_err(), *kind == "nothing else", "{line}");
    }
    assert_eq!(lines.len(), 11, "{said}");

    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("stroke-width=\"2\"").count(), 8, "{svg}");
    let names = ["Weftline", "tokio + rayon", "1 in 10,000", conditions];
    for name in kinds.iter().chain(&names) {
        assert!(svg.contains(&format!(">{name}<")), "{name}");
    }
}

#[test]
fn one_server_has_one_panel() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latencies.svg");
    let output = one_scheduler(&["--quick", "--svg", svg.to_str().unwrap()]);
    assert_eq!(text(&output.stderr), "");
    assert!(!text(&output.stdout).contains("tokio"));
    assert_eq!(fs::read_to_string(svg).unwrap().matches("stroke-width=\"2\"").count(), 4);
}

#[test]
fn only_the_work_that_was_chosen_runs_beside_in_the_order_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("latencies.svg");
    let output =
        one_scheduler(&["--quick", "--work=sleeps,fork-join", "--svg", svg.to_str().unwrap()]);
    assert_eq!(text(&output.stderr), "");
    let rows: Vec<_> = text(&output.stdout).lines().skip(2).collect();
    let beside: Vec<_> = rows.iter().filter_map(|row| row.split("  ").next()).collect();
    assert_eq!(beside[..3], ["nothing else", "fork-join", "sleeps"]);
    assert_eq!(rows.len(), 4, "{rows:?}");
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.contains(">sleeps<") && !svg.contains(">loops<"));
}

#[test]
fn work_that_there_is_not_is_refused_by_name() {
    for wrong in ["naps", "loops,naps"] {
        let output = one_scheduler(&["--quick", "--work", wrong]);
        assert_eq!(output.status.code(), Some(2));
        let errors = text(&output.stderr);
        assert!(errors.contains("'naps'"), "{errors}");
        assert!(errors.contains("fork-join, loops, sleeps"), "{errors}");
    }
}

#[test]
fn the_command_line_is_explained() {
    let help = one_scheduler(&["--help"]);
    for word in
        ["--peer", "tokio-rayon", "--seconds", "--rate", "--quick", "--svg", "--work", "loops"]
    {
        assert!(text(&help.stdout).contains(word), "{word}");
    }
    for wrong in ["--rate=0", "--seconds=0", "--workers=0", "--work=", "--peer=nobody"] {
        assert_eq!(one_scheduler(&[wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_told() {
    let output = one_scheduler(&["--quick", "--svg=/dev/null/no"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("one_scheduler: /dev/null/no: "));
}
