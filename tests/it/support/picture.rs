//! What a terminal shows, as an SVG: its colours, in a window of its own, so that it looks the same on any background.

use std::fmt::Write;

/// Pixels of a column and of a line.
const COLUMN: f64 = 8.4;
const LINE: f64 = 20.0;
/// From the edge to the text, and the bar at the top.
const MARGIN: f64 = 18.0;
const BAR: f64 = 34.0;

/// How letters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    bold: bool,
    dimmed: bool,
    color: Option<u8>,
}

impl Style {
    /// Obeys the numbers of a sequence that ends in `m`.
    fn obey(&mut self, codes: &str) {
        for code in codes.split(';') {
            match code.parse::<u8>().unwrap_or(0) {
                0 => *self = Style::default(),
                1 => self.bold = true,
                2 => self.dimmed = true,
                22 => (self.bold, self.dimmed) = (false, false),
                code @ (30..=37 | 90..=97) => self.color = Some(code),
                39 => self.color = None,
                other => panic!("the picture knows no style {other}"),
            }
        }
    }

    fn class(self) -> String {
        let mut classes = Vec::new();
        if let Some(color) = self.color {
            classes.push(format!("c{color}"));
        }
        if self.bold {
            classes.push("b".to_owned());
        }
        if self.dimmed {
            classes.push("d".to_owned());
        }
        classes.join(" ")
    }
}

/// Letters of one look, and the column at which they begin.
struct Run {
    column: usize,
    style: Style,
    text: String,
}

/// The lines of what was printed on a terminal of so many columns.
fn lines(printed: &str, columns: usize) -> Vec<Vec<Run>> {
    let mut lines = vec![Vec::new()];
    let (mut style, mut column) = (Style::default(), 0);
    let mut letters = printed.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {}
            '\n' => {
                lines.push(Vec::new());
                column = 0;
            }
            '\u{1b}' => {
                assert_eq!(letters.next(), Some('['));
                let mut codes = String::new();
                let end = loop {
                    match letters.next().unwrap() {
                        letter if letter.is_ascii_alphabetic() => break letter,
                        letter => codes.push(letter),
                    }
                };
                assert_eq!(end, 'm', "the picture knows colours only");
                style.obey(&codes);
            }
            letter => {
                if column == columns {
                    lines.push(Vec::new());
                    column = 0;
                }
                let line: &mut Vec<Run> = lines.last_mut().unwrap();
                match line.last_mut() {
                    Some(run) if run.style == style => run.text.push(letter),
                    _ => line.push(Run {
                        column,
                        style,
                        text: letter.to_string(),
                    }),
                }
                column += 1;
            }
        }
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A window in which somebody has typed a command, and what it printed; `title` is what the picture is called.
pub(crate) fn svg(title: &str, command: &str, printed: &str, columns: usize) -> String {
    let typed = format!("\u{1b}[2m$\u{1b}[0m \u{1b}[1m{command}\u{1b}[0m\n{printed}");
    let lines = lines(&typed, columns);
    let width = columns as f64 * COLUMN + 2.0 * MARGIN;
    let height = BAR + lines.len() as f64 * LINE + MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{title}">
<title>{title}</title>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d7dae0; white-space: pre; }}
.b {{ font-weight: 700; fill: #ffffff; }}
.d {{ fill: #9aa3b2; }}
.c31 {{ fill: #ff5f56; }}
.c32 {{ fill: #5fd38d; }}
.c33 {{ fill: #f2c55c; }}
.c34 {{ fill: #6cb6ff; }}
.c36 {{ fill: #56d4dd; }}
.c91 {{ fill: #ff8e6b; }}
</style>
<rect x="0.5" y="0.5" width="{frame_width:.0}" height="{frame_height:.0}" rx="9" fill="#1b1f27" stroke="#3b424e"/>
<circle cx="20" cy="18" r="5.5" fill="#ff5f56"/>
<circle cx="39" cy="18" r="5.5" fill="#ffbd2e"/>
<circle cx="58" cy="18" r="5.5" fill="#27c93f"/>
"##,
        title = escaped(title).replace('"', "&quot;"),
        frame_width = width - 1.0,
        frame_height = height - 1.0,
    );
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + (number as f64 + 0.75) * LINE;
        for run in line {
            // Fonts differ in width: spaces are places, and letters are fitted into theirs.
            let text = run.text.trim_start();
            let before = run.text.chars().count() - text.chars().count();
            let text = text.trim_end();
            let letters = text.chars().count();
            if letters == 0 {
                continue;
            }
            let x = MARGIN + (run.column + before) as f64 * COLUMN;
            let class = match run.style.class() {
                class if class.is_empty() => class,
                class => format!(r#" class="{class}""#),
            };
            writeln!(
                svg,
                r#"<text x="{x:.1}" y="{y:.0}" textLength="{length:.1}" lengthAdjust="spacingAndGlyphs"{class}>{text}</text>"#,
                length = letters as f64 * COLUMN,
                text = escaped(text),
            )
            .unwrap();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn a_picture_has_the_words_and_the_colours() {
    let shown = svg(
        "a",
        "x",
        "\u{1b}[32m●\u{1b}[0m a <b> & c\r\n  \u{1b}[1;33mlong\u{1b}[0mer\n\n",
        6,
    );
    for part in [
        r#"class="c32">●</text>"#,
        r#">a &lt;b</text>"#,
        r#">&gt; &amp; c</text>"#,
        r#"class="c33 b">long</text>"#,
        r#">er</text>"#,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'));
}
