//! Draws SVG whose colours are the page's, so that it follows its light and its dark scheme.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea, IntoFont, RGBColor, SVGBackend, ShapeStyle, TextStyle,
};
use plotters::style::Color;

use super::markup::escaped;

/// The canvas of a plot.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The library draws on whole pixels only: what it draws is this much larger than what the page shows.
pub(super) const SCALE: i32 = 4;

/// The number of colours for data.
pub(super) const SERIES: usize = 8;

/// A colour of the page, of the style sheet's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// `--ink`: text.
    Text,
    /// `--muted`: axes and what is written at them.
    Muted,
    /// `--grid`: lines behind the data.
    Grid,
    /// `--s0` and so on: data. There are [`SERIES`].
    Series(usize),
}

impl Ink {
    const ALL: [Self; SERIES + 3] = {
        let mut all = [Self::Text; SERIES + 3];
        all[1] = Self::Muted;
        all[2] = Self::Grid;
        let mut n = 0;
        while n < SERIES {
            all[n + 3] = Self::Series(n);
            n += 1;
        }
        all
    };

    /// The colour that stands for this one until the plot is drawn.
    fn placeholder(self) -> RGBColor {
        match self {
            Self::Text => RGBColor(1, 0, 0),
            Self::Muted => RGBColor(1, 0, 1),
            Self::Grid => RGBColor(1, 0, 2),
            Self::Series(n) => RGBColor(2, 0, (n % SERIES) as u8),
        }
    }

    /// As it is written in the page.
    pub(super) fn css(self) -> String {
        match self {
            Self::Text => "var(--ink)".to_owned(),
            Self::Muted => "var(--muted)".to_owned(),
            Self::Grid => "var(--grid)".to_owned(),
            Self::Series(n) => format!("var(--s{})", n % SERIES),
        }
    }

    /// The class of an element with this background.
    pub(super) fn class(self) -> String {
        match self {
            Self::Series(n) => format!("s{}", n % SERIES),
            _ => "muted".to_owned(),
        }
    }

    /// Areas of this colour.
    pub(super) fn fill(self) -> ShapeStyle {
        self.placeholder().filled()
    }

    /// Lines of this colour, `width` tenths of a pixel wide.
    pub(super) fn line(self, width: u32) -> ShapeStyle {
        self.placeholder().stroke_width(width * SCALE as u32 / 10)
    }

    /// Text of this colour, in the page's font, `size` pixels high.
    pub(super) fn text(self, size: i32) -> TextStyle<'static> {
        // The library divides by 1.24 what it writes as the size.
        ("sans-serif", f64::from(size * SCALE) * 1.24).into_font().color(&self.placeholder())
    }
}

/// The size of a plot on the page, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: i32,
    pub(super) height: i32,
}

/// Draws one SVG element of this class. `title` and `description` are for readers who cannot see it; `over` is markup that is
/// laid over the drawing.
pub(super) fn svg(
    class: &str,
    size: Size,
    title: &str,
    description: &str,
    over: &str,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> String {
    let (width, height) = ((size.width * SCALE) as u32, (size.height * SCALE) as u32);
    let mut drawing = String::new();
    let area = SVGBackend::with_string(&mut drawing, (width, height)).into_drawing_area();
    let drawn = draw(&area).and_then(|()| Ok(area.present()?));
    drop(area);
    drawn.expect("drawing into memory cannot fail");
    for ink in Ink::ALL {
        let RGBColor(r, g, b) = ink.placeholder();
        // Within text a quote is escaped, so this is an attribute.
        drawing = drawing.replace(&format!("\"#{r:02X}{g:02X}{b:02X}\""), &format!("\"{}\"", ink.css()));
    }
    let body = drawing.split_once('>').map_or("", |(_, body)| body);
    let body = body.trim_end().strip_suffix("</svg>").unwrap_or(body);
    let mut svg = String::with_capacity(body.len() + 300);
    let _ = write!(
        svg,
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}. {description}\">\
         <title>{title}</title>{body}{over}</svg>",
        title = escaped(title),
        description = escaped(description),
    );
    svg.replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" font-family=\"sans-serif\"", "")
}

/// The result of drawing.
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;
