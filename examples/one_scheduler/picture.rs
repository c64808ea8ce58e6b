//! The picture: for each server a panel, and in it a curve for each kind of work, which shows how many
//! of the requests took longer than a time. Both scales are logarithmic, so that the few slowest
//! requests have as much room as the many others.

use super::table::{Figures, text};
use super::work::Work;
use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

/// What a curve shows.
pub struct Curve {
    /// Whose panel it is in.
    pub server: &'static str,
    /// What ran beside the service.
    pub work: Work,
    /// What it is drawn from.
    pub figures: Figures,
}

/// Of each panel, in units of the picture.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 200.0;
/// Around a panel.
const LEFT: f64 = 96.0;
const TOP: f64 = 44.0;
const RIGHT: f64 = 220.0;
const BOTTOM: f64 = 44.0;
/// Below all panels.
const CAPTION: f64 = 24.0;
/// The least time shown, as a power of ten of seconds.
const SHORTEST: i32 = -5;
/// The shares shown, each a tenth of the one before.
const SHARES: [&str; 5] = ["all", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000"];
/// The smallest of them, as a power of ten.
const RAREST: f64 = 1.0 - SHARES.len() as f64;
/// The distance of two points of a curve.
const STEP: f64 = 2.0;
/// The colour of a kind of work, told apart also by those who see few colours.
fn colour(work: Work) -> &'static str {
    match work {
        Work::Nothing => "#888888",
        Work::ForkJoin => "#0072b2",
        Work::Loops => "#d55e00",
        Work::Sleeps => "#009e73",
    }
}

/// The whole picture, with a caption that tells the conditions.
pub fn svg(conditions: &str, mut curves: Vec<Curve>) -> String {
    let mut servers: Vec<_> = curves.iter().map(|curve| curve.server).collect();
    let mut seen = HashSet::new();
    servers.retain(|server| seen.insert(*server));
    let slowest = curves.iter_mut().filter_map(|curve| curve.figures.sorted().last().copied());
    let longest = slowest.max().unwrap_or_default().as_secs_f64().log10().ceil() as i32;
    let longest = longest.max(SHORTEST + 1);

    let (width, panel) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    let height = panel * servers.len() as f64 + CAPTION;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, server) in servers.into_iter().enumerate() {
        let mut panel = Panel { svg: &mut svg, top: panel * place as f64 + TOP, longest };
        panel.frame(server);
        let own = curves.iter_mut().filter(|curve| curve.server == server);
        for (line, curve) in own.enumerate() {
            panel.curve(curve, line);
        }
    }
    let below = height - CAPTION / 2.0;
    let _ = writeln!(svg, "<text x=\"{LEFT:.1}\" y=\"{below:.1}\">{conditions}</text>");
    svg + "</svg>\n"
}

/// The part of the picture that belongs to one server.
struct Panel<'a> {
    /// The picture so far.
    svg: &'a mut String,
    /// Where its curves begin.
    top: f64,
    /// The longest time shown, as a power of ten of seconds.
    longest: i32,
}

impl Panel<'_> {
    /// Where a power of ten of seconds is.
    fn x(&self, power: f64) -> f64 {
        LEFT + WIDTH * (power - f64::from(SHORTEST)) / f64::from(self.longest - SHORTEST)
    }

    /// Where a share is, given as a power of ten.
    fn y(&self, power: f64) -> f64 {
        self.top + HEIGHT * power / RAREST
    }

    /// Adds an element.
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.svg, "{element}").expect("a string takes everything");
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            "<path d=\"M{x1:.1} {y1:.1} L{x2:.1} {y2:.1}\" stroke=\"#dddddd\"/>"
        ));
    }

    /// Scales and names.
    fn frame(&mut self, server: &str) {
        let (bottom, right) = (self.top + HEIGHT, LEFT + WIDTH);
        for power in SHORTEST..=self.longest {
            let x = self.x(power.into());
            self.line((x, self.top), (x, bottom));
            let name = text(&Duration::from_secs_f64(10_f64.powi(power)));
            let name = name.replace(".00", "").replace(".0", "");
            self.text(x, bottom + 18.0, "middle", &name);
        }
        for (place, name) in SHARES.into_iter().enumerate() {
            let y = self.y(-(place as f64));
            self.line((LEFT, y), (right, y));
            self.text(LEFT - 8.0, y + 4.0, "end", name);
        }
        self.text(
            LEFT,
            self.top - 14.0,
            "start",
            &format!(
                "<tspan font-weight=\"bold\">{server}</tspan>: requests that took longer than …"
            ),
        );
        self.text(right + 12.0, self.top - 14.0, "start", "beside");
        self.text(right + 200.0, self.top - 14.0, "end", "p99");
    }

    /// One curve, and its line in the legend.
    fn curve(&mut self, curve: &mut Curve, line: usize) {
        let colour = colour(curve.work);
        let sorted = curve.figures.sorted();
        let mut path = String::new();
        let steps = (WIDTH / STEP) as u32;
        for step in 0..=steps {
            let power = f64::from(SHORTEST)
                + f64::from(self.longest - SHORTEST) * f64::from(step) / f64::from(steps);
            let time = Duration::from_secs_f64(10_f64.powf(power));
            let slower = sorted.len() - sorted.partition_point(|latency| *latency <= time);
            if slower == 0 {
                break;
            }
            let share = (slower as f64 / sorted.len() as f64).log10().max(RAREST);
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1} ", self.x(power), self.y(share));
        }
        self.add(format_args!(
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.trim_end()
        ));
        let (left, y) = (LEFT + WIDTH + 12.0, self.top + 12.0 + 20.0 * line as f64);
        self.add(format_args!(
            "<path d=\"M{left} {y:.1} h18\" stroke=\"{colour}\" stroke-width=\"3\"/>"
        ));
        let p99 = sorted.get(sorted.len() * 99 / 100).map_or_else(String::new, text);
        self.text(left + 24.0, y + 4.0, "start", curve.work.name());
        self.text(left + 188.0, y + 4.0, "end", &p99);
    }
}
