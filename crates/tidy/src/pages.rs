//! Every page is reachable, every link leads somewhere, every path mentioned exists.
//!
//! Pages in `docs/` are linked from `docs/README.md`, decisions from `docs/decisions/README.md`.

use crate::Finding;
use crate::names::is_file_name;
use crate::spans::{self, Span};
use crate::tree::{Page, Tree};

/// Pages that no index links to.
pub fn check_index(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in tree.markdown() {
        let Some((folder, file)) = page.path.rsplit_once('/') else { continue };
        if !folder.starts_with("docs") || page.path == "docs/README.md" {
            continue;
        }
        let index = match (folder, file) {
            ("docs", _) | (_, "README.md") => "docs/README.md".to_string(),
            _ => format!("{folder}/README.md"),
        };
        let linked = tree.pages.iter().find(|page| page.path == index).is_some_and(|index| {
            links(index).iter().any(|link| resolve(&index.path, &link.text).0 == page.path)
        });
        if !linked {
            findings.push(Finding::whole(&page.path, format!("not linked from {index}")));
        }
    }
    findings
}

/// Links of one page to files or headings that do not exist.
pub fn check_links(tree: &Tree, page: &Page) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in links(page) {
        if link.text.contains("://") || link.text.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = resolve(&page.path, &link.text);
        let target = tree.pages.iter().find(|page| page.path == path);
        let text = match (target, heading) {
            (None, _) if exists(tree, &path) => continue,
            (None, _) => format!("the link leads to `{path}`, which does not exist"),
            (Some(target), Some(wanted)) if !headings(target).contains(&wanted) => {
                format!("`{path}` has no heading `#{wanted}`")
            }
            _ => continue,
        };
        findings.push(Finding::at(&page.path, link.line, text));
    }
    findings
}

/// Paths in backticks that no file or folder of the repository ends with.
pub fn check_paths(tree: &Tree, path: &str, spans: &[Span], foreign: &[&str]) -> Vec<Finding> {
    let mentioned = spans.iter().filter(|span| is_path(&span.text));
    let missing = mentioned
        .filter(|span| !exists(tree, &span.text) && !foreign.contains(&span.text.as_str()));
    missing
        .map(|span| Finding::at(path, span.line, format!("`{}` does not exist", span.text)))
        .collect()
}

/// Whether a span is a path into the repository: one with a slash, or the name of a file.
fn is_path(span: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-".contains(c);
    let ours = ["crates/", "docs/", "examples/", "benches/", ".ci/", ".cargo/"];
    let is_ours = ours.iter().any(|folder| span.starts_with(folder));
    let looks_like_one = span.ends_with('/') || is_file_name(span);
    let is_elsewhere = span.starts_with(['/', '.']);
    span.chars().all(is_plain) && (is_ours || looks_like_one && !is_elsewhere)
}

/// Whether a file or folder of the tree is `path`, or lies at `path` below some folder.
fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let inner = format!("/{path}");
    let folder = format!("/{path}/");
    tree.pages.iter().any(|page| {
        let from_root = format!("/{}", page.path);
        from_root.ends_with(&inner) || from_root.contains(&folder)
    })
}

/// The targets of all links of a page.
fn links(page: &Page) -> Vec<Span> {
    let mut links = Vec::new();
    for (line, text) in spans::lines_outside_fences(page) {
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or("");
            links.push(Span { line, text: target.into() });
        }
        let definition = text.starts_with('[').then(|| text.split_once("]: ")).flatten();
        links.extend(definition.map(|(_, target)| Span { line, text: target.trim().into() }));
    }
    links
}

/// The file, relative to the repository, and the heading that a link in `page` means.
fn resolve(page: &str, link: &str) -> (String, Option<String>) {
    let (file, heading) = link.split_once('#').map_or((link, None), |(f, h)| (f, Some(h.into())));
    if file.is_empty() {
        return (page.into(), heading);
    }
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    (parts.join("/"), heading)
}

/// The anchors of a page's headings, made as the usual viewers make them.
fn headings(page: &Page) -> Vec<String> {
    let lines = spans::lines_outside_fences(page);
    let titles = lines.into_iter().filter(|(_, line)| line.starts_with('#'));
    let anchor = |title: &str| {
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    titles.map(|(_, line)| anchor(line.trim_start_matches('#'))).collect()
}
