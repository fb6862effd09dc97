//! A terminal's cells as a picture: a window with a title bar, an exact grid.
//!
//! Text is one `<text>` for each run of one style, stretched to its columns,
//! so that any monospace font keeps the grid. What has to join between cells
//! (frames, bars) is drawn as shapes: fonts leave gaps between lines.

use std::fmt::Write as _;

/// Size of a cell, and where the grid begins.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const LEFT: f64 = 18.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 16.0;
/// Where letters stand in a cell.
const BASELINE: f64 = 13.4;

const BACKGROUND: &str = "#14171f";
const BAR: &str = "#1d212b";
const FOREGROUND: &str = "#d8dbe2";
const FONTS: &str =
    "ui-monospace,'JetBrains Mono','SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace";

/// How a cell looks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Style {
    front: String,
    back: Option<String>,
    is_bold: bool,
    is_dim: bool,
}

/// Draws the screen.
pub fn draw(screen: &vt100::Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = 2.0 * LEFT + f64::from(columns) * WIDTH;
    let height = TOP + f64::from(rows) * HEIGHT + BOTTOM;
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="The terminal app of SwiftDeploy: a failing canary is not promoted">
<style>text{{font-family:{FONTS};font-size:14px;white-space:pre}}.b{{font-weight:700}}.d{{opacity:.6}}</style>
<rect width="100%" height="100%" rx="11" fill="{BACKGROUND}"/>
<path d="M0 34V11A11 11 0 0 1 11 0H{right:.0}A11 11 0 0 1 {width:.0} 11V34Z" fill="{BAR}"/>
<circle cx="20" cy="17" r="6" fill="#ff5f57"/><circle cx="40" cy="17" r="6" fill="#febc2e"/><circle cx="60" cy="17" r="6" fill="#28c840"/>
<text x="{middle:.0}" y="21.5" text-anchor="middle" fill="#8b93a5" style="font-size:13px">{title}</text>
"##,
        right = width - 11.0,
        middle = width / 2.0,
        title = escape(title),
    );
    let mut shapes = String::new();
    let mut texts = String::new();
    for row in 0..rows {
        for run in runs(screen, row, columns) {
            run.draw(row, &mut out, &mut shapes, &mut texts);
        }
    }
    let _infallible = write!(
        out,
        "<g fill=\"none\" stroke-width=\"1.3\">\n{shapes}</g>\n{texts}<rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"11\" fill=\"none\" stroke=\"#323847\"/>\n</svg>\n",
        width - 1.0,
        height - 1.0
    );
    out
}

/// Neighbours of one style.
struct Run {
    column: u16,
    /// The text of each cell.
    cells: Vec<String>,
    style: Style,
}

fn runs(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let text = if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() };
        let style = style(cell);
        match runs.last_mut() {
            Some(run) if run.style == style => run.cells.push(text),
            _ => runs.push(Run { column, cells: vec![text], style }),
        }
    }
    runs
}

impl Run {
    fn draw(&self, row: u16, backs: &mut String, shapes: &mut String, texts: &mut String) {
        let x = LEFT + f64::from(self.column) * WIDTH;
        let y = TOP + f64::from(row) * HEIGHT;
        if let Some(back) = &self.style.back {
            let width = columns(self.cells.len());
            let _infallible = writeln!(
                backs,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{HEIGHT}" fill="{back}"/>"#
            );
        }
        let mut path = String::new();
        let mut bars = String::new();
        let mut begin = 0;
        while begin < self.cells.len() {
            let left = x + columns(begin);
            let text = self.cells[begin].as_str();
            if frame(text, left, y, &mut path) || bar(text, left, y, &mut bars) || text == " " {
                begin += 1;
                continue;
            }
            // Single blanks belong to the text; from two on, a new text is shorter and exact.
            let rest = &self.cells[begin..];
            let end = (1..rest.len())
                .find(|place| {
                    is_shape(&rest[*place])
                        || (rest[*place] == " " && rest.get(place + 1).is_none_or(|next| next == " "))
                })
                .unwrap_or(rest.len());
            self.letters(&rest[..end].concat(), end, left, y, texts);
            begin += end;
        }
        if !path.is_empty() {
            let _infallible =
                writeln!(shapes, r#"<path d="{path}" stroke="{}"{}/>"#, self.style.front, self.dim());
        }
        if !bars.is_empty() {
            let _infallible = writeln!(
                shapes,
                r#"<path d="{bars}" fill="{}" stroke="none"{}/>"#,
                self.style.front,
                self.dim()
            );
        }
    }

    const fn dim(&self) -> &'static str {
        if self.style.is_dim { r#" class="d""# } else { "" }
    }

    fn letters(&self, text: &str, count: usize, x: f64, y: f64, out: &mut String) {
        let class = match (self.style.is_bold, self.style.is_dim) {
            (true, true) => r#" class="b d""#,
            (true, false) => r#" class="b""#,
            (false, true) => r#" class="d""#,
            (false, false) => "",
        };
        let _infallible = writeln!(
            out,
            r#"<text x="{x:.1}" y="{:.1}" textLength="{:.1}" lengthAdjust="spacingAndGlyphs" fill="{}"{class}>{}</text>"#,
            y + BASELINE,
            columns(count),
            self.style.front,
            escape(text)
        );
    }
}

fn columns(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * WIDTH
}

fn is_shape(text: &str) -> bool {
    let mut ignored = String::new();
    frame(text, 0.0, 0.0, &mut ignored) || bar(text, 0.0, 0.0, &mut ignored)
}

/// Draws a frame's part as a line through the middle of its cell.
fn frame(text: &str, x: f64, y: f64, path: &mut String) -> bool {
    let (middle, centre) = (x + WIDTH / 2.0, y + HEIGHT / 2.0);
    let (right, bottom) = (x + WIDTH, y + HEIGHT);
    // Corners are rounded by a quarter circle.
    let r = WIDTH / 2.0;
    let written = match text {
        "─" => write!(path, "M{x:.1} {centre:.1}H{right:.1}"),
        "│" => write!(path, "M{middle:.1} {y:.1}V{bottom:.1}"),
        "╭" => write!(
            path,
            "M{right:.1} {centre:.1}A{r:.1} {r:.1} 0 0 0 {middle:.1} {:.1}V{bottom:.1}",
            centre + r
        ),
        "╮" => {
            write!(path, "M{x:.1} {centre:.1}A{r:.1} {r:.1} 0 0 1 {middle:.1} {:.1}V{bottom:.1}", centre + r)
        }
        "╰" => {
            write!(path, "M{right:.1} {centre:.1}A{r:.1} {r:.1} 0 0 1 {middle:.1} {:.1}V{y:.1}", centre - r)
        }
        "╯" => write!(path, "M{x:.1} {centre:.1}A{r:.1} {r:.1} 0 0 0 {middle:.1} {:.1}V{y:.1}", centre - r),
        _ => return false,
    };
    written.is_ok()
}

/// Draws a bar of eighths, or a cell of a progress bar, as a rectangle.
fn bar(text: &str, x: f64, y: f64, path: &mut String) -> bool {
    const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let (height, inset) = match (EIGHTHS.iter().position(|eighth| *eighth == text), text) {
        (Some(place), _) => (HEIGHT * f64::from(u32::try_from(place).unwrap_or(0) + 1) / 8.0, 0.0),
        (None, "▓") => (HEIGHT * 0.6, HEIGHT * 0.2),
        (None, "░") => (2.0, HEIGHT * 0.5 - 1.0),
        (None, _) => return false,
    };
    let top = y + HEIGHT - inset - height;
    // Without a seam between neighbours.
    write!(path, "M{x:.1} {top:.2}h{:.2}v{height:.2}h-{:.2}z", WIDTH + 0.1, WIDTH + 0.1).is_ok()
}

fn style(cell: &vt100::Cell) -> Style {
    let front = colour(cell.fgcolor());
    let back = colour(cell.bgcolor());
    let (front, back) = if cell.inverse() {
        (Some(back.unwrap_or_else(|| BACKGROUND.into())), Some(front.unwrap_or_else(|| FOREGROUND.into())))
    } else {
        (front, back)
    };
    Style {
        front: front.unwrap_or_else(|| FOREGROUND.into()),
        back,
        is_bold: cell.bold(),
        is_dim: cell.dim(),
    }
}

/// The colour of the usual 256, or `None` for the terminal's own.
fn colour(colour: vt100::Color) -> Option<String> {
    const BASIC: [&str; 16] = [
        "#2b303b", "#f0606a", "#8cc96f", "#e8c268", "#5fa8e8", "#c98ae0", "#56c2c2", "#d8dbe2", "#5c6370",
        "#f0606a", "#8cc96f", "#e8c268", "#5fa8e8", "#c98ae0", "#56c2c2", "#ffffff",
    ];
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let (r, g, b) = match colour {
        vt100::Color::Default => return None,
        vt100::Color::Rgb(r, g, b) => (r, g, b),
        vt100::Color::Idx(index @ 0..16) => return Some(BASIC[usize::from(index)].to_owned()),
        vt100::Color::Idx(index @ 16..232) => {
            let cube = usize::from(index - 16);
            (LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6])
        }
        vt100::Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    };
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
