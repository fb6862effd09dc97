//! What holds for any two scrapes.

use proptest::prelude::*;

use super::*;

/// Two scrapes of a process that may have restarted, as lines.
fn lines() -> impl Strategy<Value = Vec<(String, u32, u32)>> {
    let series =
        |path: &str, status: &str| format!("http_requests_total{{path=\"{path}\",status_code=\"{status}\"}}");
    let bucket = |le: &str| format!("http_request_duration_seconds_bucket{{le=\"{le}\",path=\"/\"}}");
    let known = [
        series("/", "200"),
        series("/", "500"),
        series("/b", "200"),
        series("/chaos", "200"),
        bucket("0.1"),
        bucket("0.5"),
        bucket("+Inf"),
    ];
    proptest::collection::vec((0_u32..200, 0_u32..200), known.len()).prop_map(move |values| {
        known.iter().cloned().zip(values).map(|(name, (a, b))| (name, a, b)).collect()
    })
}

/// The labels of a series in the other order.
fn turned(series: &str) -> String {
    let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
    let (first, second) = labels.split_once(',').unwrap();
    format!("{name}{{ {second} , {first}, }}")
}

/// One end of a window as a body.
fn body(lines: &[(String, u32, u32)], value: fn(&(String, u32, u32)) -> u32) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("{} {}\n", line.0, value(line))).collect();
    lines.concat()
}

proptest! {
    #[test]
    fn the_figures_are_those_of_a_plain_count(lines in lines()) {
        let found = between(&body(&lines, |line| line.1), &body(&lines, |line| line.2)).unwrap();
        let has_restarted = lines.iter().any(|(_, a, b)| b < a);
        let grown = |index: usize| {
            let (_, a, b) = &lines[index];
            u64::from(if has_restarted { *b } else { b - a })
        };
        prop_assert_eq!(found.requests, grown(0) + grown(1) + grown(2));
        prop_assert_eq!((found.errors, found.resets), (grown(1), u64::from(has_restarted)));
    }

    #[test]
    fn order_of_series_and_labels_never_changes_the_figures(lines in lines(), turn in 0_usize..7) {
        let mut other: Vec<_> = lines.iter().map(|(name, a, b)| (turned(name), *a, *b)).collect();
        other.rotate_left(turn);
        let figures = |lines: &[_]| between(&body(lines, |line| line.1), &body(lines, |line| line.2));
        prop_assert_eq!(figures(&other), figures(&lines));
    }

    #[test]
    fn what_is_shown_of_each_series_adds_up_to_the_figures(lines in lines()) {
        let (earlier, later) = (body(&lines, |line| line.1), body(&lines, |line| line.2));
        let shown = explain(&[at("a", 0, &earlier)], &[at("a", 30, &later)], &Names::default(), NOMINAL).unwrap();
        prop_assert_eq!(&shown.measured, &between(&earlier, &later).unwrap());
        let [instance] = &shown.instances[..] else { panic!("one process") };
        let has_restarted = lines.iter().any(|(_, a, b)| b < a);
        prop_assert_eq!(instance.life, if has_restarted { Life::Restarted } else { Life::Whole });
        let counted = |series: &[SeriesDetail]| series.iter().map(|one| one.counted).sum::<f64>();
        prop_assert_eq!(whole(counted(&instance.requests)), shown.measured.requests);
        let excluded = instance.requests.iter().find(|one| one.why == Some(Why::ExcludedPath)).unwrap();
        prop_assert!(excluded.series.contains("path=\"/chaos\""));
        let gained = f64::from(if has_restarted { lines[3].2 } else { lines[3].2 - lines[3].1 });
        prop_assert_eq!((excluded.gained, excluded.counted), (gained, 0.0));
        prop_assert_eq!(instance.durations.len(), 3);
    }

    #[test]
    fn splitting_the_traffic_over_two_processes_never_changes_the_sums(lines in lines()) {
        let first = |times: u32| body(&lines.iter().map(|(name, a, _)| (name.clone(), a * times, 0)).collect::<Vec<_>>(), |line| line.1);
        let last = |times: u32| body(&lines.iter().map(|(name, a, b)| (name.clone(), (a + b) * times, 0)).collect::<Vec<_>>(), |line| line.1);
        let one = between(&first(2), &last(2)).unwrap();
        let earlier = [at("a", 0, &first(1)), at("b", 0, &first(1))];
        let later = [at("a", 30, &last(1)), at("b", 30, &last(1))];
        prop_assert_eq!(measure(&earlier, &later, &Names::default(), NOMINAL).unwrap(), one);
    }
}
