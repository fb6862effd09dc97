//! Where everything is: all areas are computed here, once a frame.

use ratatui::layout::Rect;

use super::command::Pane;

/// Smallest screen that is drawn.
pub const SMALLEST: (u16, u16) = (60, 15);

/// From here on all six panes are shown.
const WIDE: (u16, u16) = (110, 30);
/// From here on a narrow screen shows traffic, policy, activity and a tab.
const COMPACT_ROWS: u16 = 22;

/// All areas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Areas {
    /// The first row.
    pub header: Rect,
    /// The row below it while the target is not reachable.
    pub banner: Option<Rect>,
    /// Everything between header and footer.
    pub body: Rect,
    /// The last row.
    pub footer: Rect,
    /// The panes that are shown.
    pub panes: Vec<Placed>,
}

/// A pane and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Which.
    pub pane: Pane,
    /// Where.
    pub area: Rect,
    /// The panes that share this place, shown as tabs; empty for a place of
    /// its own.
    pub tabs: &'static [Pane],
}

/// The panes that take turns on a compact screen.
const COMPACT_TABS: &[Pane] = &[Pane::Manifest, Pane::Containers, Pane::Chaos];
/// The panes that take turns on a short screen.
const SHORT_TABS: &[Pane] = &[Pane::Manifest, Pane::Containers, Pane::Policy, Pane::Chaos, Pane::Activity];

/// What the layout depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The pane with the keys.
    pub focus: Pane,
    /// The pane chosen among those that take turns.
    pub tab: Pane,
    /// Whether the focused pane fills the body.
    pub is_zoomed: bool,
    /// Whether the banner is shown.
    pub has_banner: bool,
}

/// Whether nothing but that it is too small is shown in a terminal.
#[must_use]
pub const fn is_too_small((width, height): (u16, u16)) -> bool {
    width < SMALLEST.0 || height < SMALLEST.1
}

/// All areas of a screen; `None` when it is too small to be drawn.
#[must_use]
pub fn areas(width: u16, height: u16, wanted: Wanted) -> Option<Areas> {
    if is_too_small((width, height)) {
        return None;
    }
    let top = if wanted.has_banner { 2 } else { 1 };
    let body = Rect::new(0, top, width, height - top - 1);
    let panes = if wanted.is_zoomed {
        vec![alone(wanted.focus, body)]
    } else if width >= WIDE.0 && height >= WIDE.1 {
        wide(body)
    } else if height >= COMPACT_ROWS {
        compact(body, wanted)
    } else {
        short(body, wanted)
    };
    Some(Areas {
        header: Rect::new(0, 0, width, 1),
        banner: wanted.has_banner.then(|| Rect::new(0, 1, width, 1)),
        body,
        footer: Rect::new(0, height - 1, width, 1),
        panes,
    })
}

const fn alone(pane: Pane, area: Rect) -> Placed {
    Placed { pane, area, tabs: &[] }
}

/// All six: manifest and chaos to the left; traffic above containers and
/// policy, and activity below, to the right.
fn wide(body: Rect) -> Vec<Placed> {
    let bottom = (body.height * 2 / 5).clamp(11, 24);
    let side = (body.width / 4 + 4).clamp(34, 46);
    let (upper, lower) = split_rows(body, body.height - bottom);
    let (manifest, right) = split_columns(upper, side);
    let (chaos, activity) = split_columns(lower, side);
    let (traffic, middle) = split_rows(right, 6);
    let (containers, policy) = split_columns(middle, middle.width / 2);
    vec![
        alone(Pane::Manifest, manifest),
        alone(Pane::Traffic, traffic),
        alone(Pane::Containers, containers),
        alone(Pane::Policy, policy),
        alone(Pane::Chaos, chaos),
        alone(Pane::Activity, activity),
    ]
}

/// Traffic above; policy beside the tab; activity below.
fn compact(body: Rect, wanted: Wanted) -> Vec<Placed> {
    let (traffic, rest) = split_rows(body, 6);
    let (middle, activity) = split_rows(rest, rest.height / 2);
    let (tab, policy) = split_columns(middle, middle.width / 2);
    let pane = if COMPACT_TABS.contains(&wanted.tab) { wanted.tab } else { Pane::Containers };
    vec![
        alone(Pane::Traffic, traffic),
        Placed { pane, area: tab, tabs: COMPACT_TABS },
        alone(Pane::Policy, policy),
        alone(Pane::Activity, activity),
    ]
}

/// Traffic above one place for all the others.
fn short(body: Rect, wanted: Wanted) -> Vec<Placed> {
    let (traffic, rest) = split_rows(body, 6);
    let pane = if SHORT_TABS.contains(&wanted.focus) { wanted.focus } else { Pane::Activity };
    vec![alone(Pane::Traffic, traffic), Placed { pane, area: rest, tabs: SHORT_TABS }]
}

fn split_rows(area: Rect, upper: u16) -> (Rect, Rect) {
    let upper = upper.min(area.height);
    (Rect { height: upper, ..area }, Rect { y: area.y + upper, height: area.height - upper, ..area })
}

fn split_columns(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    (Rect { width: left, ..area }, Rect { x: area.x + left, width: area.width - left, ..area })
}

/// A box in the middle of an area, never larger than it.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PLAIN: Wanted =
        Wanted { focus: Pane::Activity, tab: Pane::Containers, is_zoomed: false, has_banner: false };

    fn shown(width: u16, height: u16, wanted: Wanted) -> Vec<Pane> {
        areas(width, height, wanted).unwrap().panes.iter().map(|placed| placed.pane).collect()
    }

    #[test]
    fn a_large_screen_shows_all_panes_and_a_small_one_the_three_that_matter() {
        assert_eq!(shown(120, 36, PLAIN), Pane::ALL);
        let compact = shown(80, 24, PLAIN);
        for pane in [Pane::Traffic, Pane::Policy, Pane::Activity, Pane::Containers] {
            assert!(compact.contains(&pane));
        }
        let chaos = Wanted { tab: Pane::Chaos, ..PLAIN };
        assert!(shown(80, 24, chaos).contains(&Pane::Chaos));
    }

    #[test]
    fn a_zoomed_pane_fills_the_body() {
        let zoomed = areas(120, 36, Wanted { is_zoomed: true, ..PLAIN }).unwrap();
        assert_eq!(zoomed.panes, [alone(Pane::Activity, zoomed.body)]);
    }

    #[rstest]
    #[case(59, 40)]
    #[case(200, 14)]
    fn a_screen_that_is_too_small_has_no_areas(#[case] width: u16, #[case] height: u16) {
        assert_eq!(areas(width, height, PLAIN), None);
    }

    #[test]
    fn panes_cover_the_body_without_overlap() {
        for width in 60..200 {
            for height in 15..70 {
                for has_banner in [false, true] {
                    let areas = areas(width, height, Wanted { has_banner, ..PLAIN }).unwrap();
                    let covered: u32 = areas.panes.iter().map(|placed| placed.area.area()).sum();
                    assert_eq!(covered, areas.body.area(), "{width}x{height}");
                    for (i, a) in areas.panes.iter().enumerate() {
                        assert!(a.area.height >= 3 && a.area.width >= 20, "{width}x{height} {a:?}");
                        assert_eq!(a.area.intersection(areas.body), a.area);
                        for b in &areas.panes[i + 1..] {
                            assert!(!a.area.intersects(b.area), "{width}x{height}");
                        }
                    }
                }
            }
        }
    }
}
