//! The state machine, with moments made up by the test.

use rstest::rstest;

use super::*;
use crate::clock;

fn broken(fault: Fault, ttl: Option<Duration>) -> (Chaos, Instant) {
    let now = clock::instant();
    let mut chaos = Chaos::default();
    chaos.apply(Command::Inject { fault, ttl }, now);
    (chaos, now)
}

fn rate(part: f64) -> Fault {
    Fault::Error(Rate::new(part).unwrap())
}

#[rstest]
#[case::none(0.0, 1000, 0)]
#[case::one_in_ten(0.1, 10, 1)]
#[case::a_third(0.333, 1000, 333)]
#[case::half(0.5, 7, 3)]
#[case::one_percent(0.01, 300, 3)]
#[case::all(1.0, 1000, 1000)]
fn exactly_the_asked_share_of_requests_fails(
    #[case] part: f64,
    #[case] requests: usize,
    #[case] failing: usize,
) {
    let (mut chaos, now) = broken(rate(part), None);
    let failed = (0..requests).filter(|_| chaos.verdict(now) == Verdict::Fail).count();
    assert_eq!(failed, failing);
}

#[test]
fn failures_are_spread_evenly() {
    let (mut chaos, now) = broken(rate(0.5), None);
    let verdicts: Vec<_> = (0..4).map(|_| chaos.verdict(now)).collect();
    assert_eq!(verdicts, [Verdict::Answer, Verdict::Fail, Verdict::Answer, Verdict::Fail]);
}

#[test]
fn a_slow_fault_delays_every_request() {
    let delay = Duration::from_secs(3);
    let (mut chaos, now) = broken(Fault::Slow(delay), None);
    assert_eq!(chaos.verdict(now), Verdict::Delay(delay));
    assert_eq!(chaos.verdict(now + Duration::from_hours(24)), Verdict::Delay(delay));
}

#[test]
fn a_fault_ends_by_itself_when_its_time_is_over() {
    let (mut chaos, now) = broken(rate(1.0), Some(Duration::from_mins(1)));
    let just_before = now + Duration::from_millis(59_999);
    assert_eq!(chaos.verdict(just_before), Verdict::Fail);
    assert_eq!(chaos.gauge(just_before), 2);
    let end = now + Duration::from_mins(1);
    assert_eq!(chaos.verdict(end), Verdict::Answer);
    assert_eq!(chaos.gauge(end), 0);
    assert_eq!(chaos.status(end).mode, "none");
}

#[test]
fn recovering_ends_a_fault_and_may_be_repeated() {
    let (mut chaos, now) = broken(rate(1.0), None);
    chaos.apply(Command::Recover, now);
    chaos.apply(Command::Recover, now);
    assert_eq!(chaos.verdict(now), Verdict::Answer);
}

#[test]
fn a_new_fault_replaces_the_old_one_and_its_end() {
    let (mut chaos, now) = broken(rate(1.0), Some(Duration::from_secs(1)));
    chaos.apply(Command::Inject { fault: Fault::Slow(Duration::from_secs(2)), ttl: None }, now);
    let later = now + Duration::from_secs(10);
    assert_eq!(chaos.verdict(later), Verdict::Delay(Duration::from_secs(2)));
    assert_eq!(chaos.gauge(later), 1);
}

#[test]
fn the_status_tells_the_fault_and_the_seconds_left() {
    let (chaos, now) = broken(rate(0.25), Some(Duration::from_mins(1)));
    let status = chaos.status(now + Duration::from_secs(18));
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(json, r#"{"mode":"error","rate":0.25,"seconds_left":42.0}"#);

    let (chaos, now) = broken(Fault::Slow(Duration::from_secs(3)), None);
    let json = serde_json::to_string(&chaos.status(now)).unwrap();
    assert_eq!(json, r#"{"mode":"slow","duration":3.0,"seconds_left":null}"#);

    let json = serde_json::to_string(&Chaos::default().status(now)).unwrap();
    assert_eq!(json, r#"{"mode":"none","seconds_left":null}"#);
}

#[rstest]
#[case(f64::NAN)]
#[case(f64::INFINITY)]
#[case(-0.001)]
#[case(1.001)]
fn a_rate_outside_its_range_does_not_exist(#[case] part: f64) {
    assert_eq!(Rate::new(part), None);
}
