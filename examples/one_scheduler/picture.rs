//! The picture: for each server a panel, and in it a curve for each kind of work, which shows how many
//! of the requests took longer than a time. Both scales are logarithmic, so that the few slowest
//! requests have as much room as the many others.

use super::table::{Figures, text};
use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

/// What a curve shows.
pub struct Curve {
    /// Whose panel it is in.
    pub server: &'static str,
    /// Its name in the legend.
    pub work: &'static str,
    /// What it is drawn from.
    pub figures: Figures,
}

/// Of each panel, in units of the picture.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 200.0;
/// Around a panel.
const LEFT: f64 = 80.0;
const TOP: f64 = 44.0;
const RIGHT: f64 = 220.0;
const BOTTOM: f64 = 44.0;
/// The least time shown, as a power of ten of seconds.
const SHORTEST: i32 = -5;
/// The smallest share shown, as a power of ten.
const RAREST: i32 = -4;
/// The distance of two points of a curve.
const STEP: f64 = 2.0;
/// One for each kind of work, told apart also by those who see few colours.
const COLOURS: [&str; 4] = ["#888888", "#0072b2", "#d55e00", "#009e73"];

/// The whole picture.
pub fn svg(mut curves: Vec<Curve>) -> String {
    let mut servers: Vec<_> = curves.iter().map(|curve| curve.server).collect();
    let mut seen = HashSet::new();
    servers.retain(|server| seen.insert(*server));
    let slowest = curves.iter_mut().filter_map(|curve| curve.figures.sorted().last().copied());
    let longest = slowest.max().unwrap_or_default().as_secs_f64().log10().ceil() as i32;
    let longest = longest.max(SHORTEST + 1);

    let (width, panel) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    let height = panel * servers.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, server) in servers.into_iter().enumerate() {
        let mut panel = Panel { svg: &mut svg, top: panel * place as f64 + TOP, longest };
        panel.frame(server);
        let own = curves.iter_mut().filter(|curve| curve.server == server);
        for (line, (curve, colour)) in own.zip(COLOURS.iter().cycle()).enumerate() {
            panel.curve(curve, colour, line);
        }
    }
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
        self.top + HEIGHT * power / f64::from(RAREST)
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
        for power in RAREST..=0 {
            let y = self.y(power.into());
            self.line((LEFT, y), (right, y));
            let name = if power == 0 {
                "all".to_owned()
            } else {
                format!("1 in 1{}", "0".repeat(power.unsigned_abs() as usize))
            };
            self.text(LEFT - 8.0, y + 4.0, "end", &name);
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
    fn curve(&mut self, curve: &mut Curve, colour: &str, line: usize) {
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
            let share = (slower as f64 / sorted.len() as f64).log10().max(RAREST.into());
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
        self.text(left + 24.0, y + 4.0, "start", curve.work);
        self.text(left + 188.0, y + 4.0, "end", &p99);
    }
}
