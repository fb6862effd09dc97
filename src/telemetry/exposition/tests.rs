//! What parses, what is refused, and why.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn text(body: &str) -> Result<Exposition<'_>, Malformed> {
    parse(body, Format::Text)
}

fn open(body: &str) -> Result<Exposition<'_>, Malformed> {
    parse(body, Format::OpenMetrics)
}

#[track_caller]
fn refused(found: Result<Exposition<'_>, Malformed>, line: usize, reason: &str) {
    let malformed = found.expect_err("must be refused");
    assert!(
        malformed.line == line && malformed.reason.contains(reason),
        "found {malformed:?}, expected line {line} with {reason:?}"
    );
}

#[rstest]
#[case::brace(r#"a{path="/x}"} 1"#, "/x}")]
#[case::braces(r#"a{path="{1}"} 1"#, "{1}")]
#[case::comma(r#"a{path="x,y"} 1"#, "x,y")]
#[case::equals(r#"a{path="x=y"} 1"#, "x=y")]
#[case::looks_like_a_sample(r#"a{path="b{c=\"d\"} 2"} 1"#, r#"b{c="d"} 2"#)]
#[case::looks_like_a_comment(r##"a{path="# EOF"} 1"##, "# EOF")]
#[case::quote(r#"a{path="say \"hi\""} 1"#, r#"say "hi""#)]
#[case::backslash(r#"a{path="C:\\dir\\"} 1"#, r"C:\dir\")]
#[case::backslash_before_n(r#"a{path="\\n"} 1"#, r"\n")]
#[case::line_feed(r#"a{path="1\n2"} 1"#, "1\n2")]
#[case::blanks_inside(r#"a{path="  x  "} 1"#, "  x  ")]
#[case::tab_inside("a{path=\"\t\"} 1", "\t")]
#[case::carriage_return_inside("a{path=\"x\ry\"} 1", "x\ry")]
#[case::utf8(r#"a{path="/größe/€/日本"} 1"#, "/größe/€/日本")]
#[case::trailing_comma(r#"a{path="x",} 1"#, "x")]
#[case::blanks_around("  a\t{ path =\t\"x\" , z = \"1\" , } \t 1 ", "x")]
#[case::nothing_between_brace_and_value(r#"a{path="x"}1"#, "x")]
#[case::quoted_name(r#"{"a",path="x"} 1"#, "x")]
#[case::quoted_name_last(r#"{path="x","a"} 1"#, "x")]
#[case::quoted_label_name(r#"a{"path"="x"} 1"#, "x")]
fn labels_keep_their_value(#[case] line: &str, #[case] path: &str) {
    let body = format!("{line}\n");
    let exposition = text(&body).unwrap();
    let [sample] = exposition.samples() else { panic!("one sample, found {exposition:?}") };
    assert_eq!((sample.name.as_ref(), sample.value), ("a", 1.0));
    assert_eq!(sample.label("path"), Some(path));
}

#[test]
fn names_may_be_any_text_in_quotes() {
    let body = "# TYPE \"my.metric €\" counter\n{\"my.metric €\",\"l \\\"1\\\"\"=\"v\"} 1\n";
    let exposition = text(body).unwrap();
    let sample = &exposition.samples()[0];
    assert_eq!((sample.name.as_ref(), sample.label("l \"1\"")), ("my.metric €", Some("v")));
    assert_eq!(exposition.belongs_to("my.metric €").map(|found| found.1), Some(Kind::Counter));
}

#[test]
fn text_without_escapes_is_borrowed_from_the_body() {
    let body = "a{b=\"c\",d=\"\\n\"} 1\n";
    let exposition = text(body).unwrap();
    let borrowed = |label: &str| {
        let found = exposition.samples()[0].labels.iter().find(|one| one.name == label).unwrap();
        matches!(found.value, std::borrow::Cow::Borrowed(_))
    };
    assert_eq!((borrowed("b"), borrowed("d")), (true, false));
}

#[rstest]
#[case("1", 1.0)]
#[case("+1", 1.0)]
#[case("-1.5", -1.5)]
#[case(".5", 0.5)]
#[case("1.", 1.0)]
#[case("1e3", 1000.0)]
#[case("1.5E-3", 0.0015)]
#[case("9007199254740993", 9_007_199_254_740_992.0)]
#[case("Inf", f64::INFINITY)]
#[case("+Inf", f64::INFINITY)]
#[case("+inf", f64::INFINITY)]
#[case("-Inf", f64::NEG_INFINITY)]
#[case("-Infinity", f64::NEG_INFINITY)]
#[case("NaN", f64::NAN)]
#[case("nan", f64::NAN)]
#[case("Nan", f64::NAN)]
fn values_are_read_in_every_spelling(#[case] word: &str, #[case] expected: f64) {
    let body = format!("a {word}\n");
    let found = text(&body).unwrap().samples()[0].value;
    assert_eq!(found.to_bits(), expected.to_bits(), "{found}");
}

#[rstest]
#[case("true")]
#[case("1_000")]
#[case("0x10")]
#[case("1e")]
#[case("--1")]
#[case("+-1")]
#[case("+NaN")]
#[case("1,5")]
#[case("1e400")]
#[case("\"1\"")]
#[case(".")]
#[case("e5")]
#[case("١")]
fn what_is_no_number_is_refused(#[case] word: &str) {
    refused(text(&format!("ok 1\na {word}\n")), 2, "value");
}

#[rstest]
#[case::text(Format::Text, "a 1 1763901711123\n", Timestamp::Millis(1_763_901_711_123))]
#[case::before_1970(Format::Text, "a 1 -5\n", Timestamp::Millis(-5))]
#[case::open(Format::OpenMetrics, "a 1 1763901711.123\n# EOF\n", Timestamp::Seconds(1_763_901_711.123))]
#[case::open_whole(Format::OpenMetrics, "a 1 1763901711\n# EOF\n", Timestamp::Seconds(1_763_901_711.0))]
fn timestamps_are_read(#[case] format: Format, #[case] body: &str, #[case] expected: Timestamp) {
    assert_eq!(parse(body, format).unwrap().samples()[0].timestamp, Some(expected));
}

#[rstest]
#[case::no_value("a\n", "no value")]
#[case::no_value_behind_labels("a{b=\"c\"}\n", "no value")]
#[case::prose("hello world\n", "not a number")]
#[case::sentence("Service Unavailable, try later\n", "not a number")]
#[case::json("{\"error\":\"not found\"}\n", "not separated by a comma")]
#[case::json_array("[1]\n", "no metric name")]
#[case::name_with_a_dash("my-metric 1\n", "no blank after the metric name")]
#[case::name_with_a_dot("my.metric 1\n", "no blank after the metric name")]
#[case::name_with_a_digit_first("1a 1\n", "no metric name")]
#[case::name_not_ascii("größe 1\n", "no blank after the metric name")]
#[case::no_name("{a=\"b\"} 1\n", "no metric name")]
#[case::no_name_no_labels("{} 1\n", "no metric name")]
#[case::two_names("a{\"b\"} 1\n", "two metric names")]
#[case::two_quoted_names("{\"a\",\"b\"} 1\n", "two metric names")]
#[case::empty_quoted_name("{\"\"} 1\n", "empty name")]
#[case::reserved_label("a{__name__=\"b\"} 1\n", "reserved")]
#[case::unclosed_braces("a{b=\"c\" 1\n", "not separated by a comma")]
#[case::unclosed_value("a{b=\"c} 1\n", "not closed")]
#[case::cut_in_a_label("a{b=\n", "the line ends")]
#[case::cut_behind_a_backslash("a{b=\"c\\\n", "not closed")]
#[case::single_quotes("a{b='c'} 1\n", "not in double quotes")]
#[case::bare_label_value("a{b=c} 1\n", "not in double quotes")]
#[case::no_comma("a{b=\"c\" d=\"e\"} 1\n", "not separated by a comma")]
#[case::only_a_comma("a{,} 1\n", "no label name")]
#[case::two_commas("a{b=\"c\",,} 1\n", "no label name")]
#[case::no_equals("a{b} 1\n", "no = after label")]
#[case::label_with_colon("a{b:c=\"d\"} 1\n", "no = after label")]
#[case::empty_label_name("a{=\"\"} 1\n", "no label name")]
#[case::label_twice("a{b=\"1\",b=\"2\"} 1\n", "there twice")]
#[case::unknown_escape("a{b=\"\\d\"} 1\n", "unknown escape")]
#[case::float_timestamp("a 1 1.5\n", "whole number of milliseconds")]
#[case::word_as_timestamp("a 1 now\n", "whole number of milliseconds")]
#[case::third_number("a 1 2 3\n", "text after the sample")]
#[case::exemplar("a 1 # {b=\"c\"} 1\n", "only OpenMetrics")]
#[case::type_without_type("# TYPE a\n", "not a type")]
#[case::type_without_name("# TYPE\n", "no valid metric name")]
#[case::unknown_type("# TYPE a countr\n", "\"countr\" is not a type")]
#[case::type_with_more("# TYPE a counter now\n", "not a type")]
#[case::bad_name_in_type("# TYPE a-b counter\n", "no valid metric name")]
#[case::help_without_name("# HELP\n", "no valid metric name")]
#[case::bare_cr_in_a_comment("# comment\ra 1\n", "CR in a comment")]
#[case::bare_cr_in_help("# HELP a x\ra 1\n", "CR in a comment")]
#[case::bare_cr_between_samples("a 1\rb 2\n", "not a number")]
fn a_wrong_line_makes_the_whole_scrape_an_error(#[case] lines: &str, #[case] reason: &str) {
    refused(text(&format!("fine 1\n{lines}also_fine 2\n")), 2, reason);
}

#[rstest]
#[case::counter_twice("a 1\na 1\n", 2)]
#[case::other_value("a{x=\"1\"} 1\nb 1\na{x=\"1\"} 2\n", 3)]
#[case::other_label_order("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n", 2)]
#[case::empty_label_is_no_label("a 1\na{x=\"\"} 1\n", 2)]
#[case::quoted_name("a 1\n{\"a\"} 1\n", 2)]
#[case::escaped("a{x=\"\\\\\"} 1\n{\"a\",\"x\"=\"\\\\\"} 1\n", 2)]
fn a_series_may_be_there_once(#[case] body: &str, #[case] line: usize) {
    refused(text(body), line, "duplicate series");
}

#[test]
fn series_that_differ_in_one_label_are_two() {
    assert_eq!(text("a{x=\"1\"} 1\na{x=\"2\"} 1\na 1\nb 1\n").unwrap().samples().len(), 4);
}

#[rstest]
#[case::type_line("# TYPE a counter\n# TYPE a gauge\n", "second TYPE")]
#[case::help_line("# HELP a x\n# HELP a x\n", "second HELP")]
fn metadata_may_be_said_once(#[case] body: &str, #[case] reason: &str) {
    refused(text(body), 2, reason);
}

/// What a person must be able to tell apart from the reason alone: each of
/// these has a cause of its own.
#[test]
fn every_kind_of_bad_body_has_a_reason_of_its_own() {
    let bodies: [(&str, &[u8]); 22] = [
        ("empty", b""),
        ("only blanks", b"  \n"),
        ("only comments", b"# nothing\n"),
        ("HTML page", b"<html>\n"),
        ("CR line ends", b"a 1\r\n"),
        ("NUL byte", b"a 1\nb\0 1\n"),
        ("truncated", b"a 1\nb 2"),
        ("not UTF-8", b"a 1\n\xff 1\n"),
        ("byte order mark", b"\xef\xbb\xbfa 1\n"),
        ("duplicate series", b"a 1\na 1\n"),
        ("second TYPE", b"# TYPE a gauge\n# TYPE a gauge\n"),
        ("unknown type", b"# TYPE a guage\n"),
        ("label twice", b"a{b=\"1\",b=\"1\"} 1\n"),
        ("label without quotes", b"a{b=1} 1\n"),
        ("label not closed", b"a{b=\"1} 1\n"),
        ("braces not closed", b"a{b=\"1\" 1\n"),
        ("unknown escape", b"a{b=\"\\d\"} 1\n"),
        ("no value", b"a\n"),
        ("no number", b"a one\n"),
        ("out of range", b"a 1e400\n"),
        ("bad timestamp", b"a 1 1.5\n"),
        ("exemplar in text", b"a 1 # {} 1\n"),
    ];
    let mut reasons = std::collections::HashMap::new();
    for (kind, body) in bodies {
        let reason = parse(body, Format::Text).expect_err(kind).reason;
        if let Some(other) = reasons.insert(reason.clone(), kind) {
            panic!("{kind} and {other} both give {reason:?}");
        }
    }
}

/// As the Go client has it for its own memory.
#[test]
fn openmetrics_may_have_a_gauge_and_a_counter_of_one_name() {
    let body = "# HELP a Now.\n# TYPE a gauge\na 5\n# HELP a Ever.\n# TYPE a counter\na_total 7\n# EOF\n";
    let exposition = open(body).unwrap();
    assert_eq!(exposition.family_count(), 2);
    assert_eq!(exposition.belongs_to("a"), Some(("a", Kind::Gauge, "")));
    assert_eq!(exposition.belongs_to("a_total"), Some(("a", Kind::Counter, "_total")));
    assert_eq!(open(&exposition.to_string()).as_ref(), Ok(&exposition));
    refused(text(body.trim_end_matches("# EOF\n")), 4, "second HELP");
}

#[rstest]
#[case::same_type("# TYPE a gauge\na 5\n# TYPE a gauge\n# EOF\n", 3, "second TYPE")]
#[case::same_type_behind_another_help(
    "# HELP a x\n# TYPE a gauge\n# HELP a y\n# TYPE a gauge\n# EOF\n",
    3,
    "second HELP"
)]
#[case::help_alone("# TYPE a gauge\n# HELP a x\n# HELP a y\n# EOF\n", 3, "second HELP")]
#[case::first_without_type("# HELP a x\n# HELP a y\n# TYPE a gauge\n# EOF\n", 2, "second HELP")]
#[case::third_like_the_first("# TYPE a gauge\n# TYPE a counter\n# TYPE a gauge\n# EOF\n", 3, "second TYPE")]
#[case::unit_alone("# TYPE a gauge\n# UNIT a s\n# UNIT a s\n# EOF\n", 3, "second UNIT")]
fn families_of_one_name_must_differ_in_type(#[case] body: &str, #[case] line: usize, #[case] reason: &str) {
    refused(open(body), line, reason);
}

#[rstest]
#[case::empty(b"", 0, "empty body")]
#[case::blank(b"\n", 0, "only blanks")]
#[case::only_comments(b"# nothing here\n", 0, "only comments")]
#[case::html(b"<!DOCTYPE html>\n<html><body>502</body></html>\n", 1, "HTML")]
#[case::html_without_line_feed(b"\n  <html>", 2, "HTML")]
#[case::nul(b"a 1\nb{x=\"\0\"} 1\n", 2, "NUL byte")]
#[case::crlf(b"a 1\r\nb 2\r\n", 1, "CR line end")]
#[case::one_crlf(b"a 1\nb 2\r\n", 2, "CR line end")]
#[case::cr_only(b"a 1\rb 2\r", 1, "CR line end")]
#[case::cut_off(b"a 1\nb 2", 2, "cut off")]
#[case::cut_off_number(b"a 1\nb 10", 2, "cut off")]
#[case::cut_in_a_character(b"a 1\nb{x=\"\xe2\x82", 2, "cut off")]
#[case::latin1(b"a 1\nb{x=\"gr\xf6\xdfe\"} 1\n", 2, "not UTF-8")]
#[case::gzip(b"\x1f\x8b\x08\x00\x00", 1, "not UTF-8")]
#[case::byte_order_mark(b"\xef\xbb\xbfa 1\n", 1, "byte order mark")]
fn a_body_that_is_no_exposition_says_why(#[case] body: &[u8], #[case] line: usize, #[case] reason: &str) {
    refused(parse(body, Format::Text), line, reason);
}

#[rstest]
#[case::no_end("a 1\n", 1, "without # EOF")]
#[case::end_in_another_spelling("a 1\n#EOF\n", 2, "without # EOF")]
#[case::end_without_line_feed("a 1\n# EOF", 2, "cut off")]
#[case::text_after_the_end("a 1\n# EOF\nb 1\n", 3, "text after # EOF")]
#[case::blank_after_the_end("a 1\n# EOF\n\n", 3, "text after # EOF")]
#[case::bad_timestamp("a 1 soon\n# EOF\n", 1, "number of seconds")]
#[case::infinite_timestamp("a 1 +Inf\n# EOF\n", 1, "number of seconds")]
#[case::exemplar_without_value("a 1 # {b=\"c\"}\n# EOF\n", 1, "exemplar: no value")]
#[case::exemplar_without_braces("a 1 # b\n# EOF\n", 1, "exemplar: no opening brace")]
#[case::exemplar_with_a_name("a 1 # {\"b\"} 1\n# EOF\n", 1, "exemplar: a metric name")]
#[case::exemplar_cut_off("a 1 # {b=\"c\n# EOF\n", 1, "exemplar: label value is not closed")]
#[case::text_after_the_exemplar("a 1 # {} 1 2 3\n# EOF\n", 1, "text after the sample")]
#[case::bad_unit("# UNIT a s/s\n# EOF\n", 1, "not a unit")]
fn openmetrics_has_rules_of_its_own(#[case] body: &str, #[case] line: usize, #[case] reason: &str) {
    refused(open(body), line, reason);
}

#[test]
fn openmetrics_may_be_without_samples() {
    assert_eq!(open("# EOF\n").unwrap().samples(), []);
}

#[test]
fn metadata_may_come_after_its_samples_and_families_may_mix() {
    let body = "a_total 1\nb 1\na_total{x=\"1\"} 1\n# TYPE b gauge\n# TYPE a counter\n# HELP a\n# EOF\n";
    let exposition = open(body).unwrap();
    assert_eq!(exposition.family_count(), 2);
    assert_eq!(exposition.belongs_to("a_total"), Some(("a", Kind::Counter, "_total")));
}

#[test]
fn comments_and_blank_lines_count_nothing() {
    let body =
        "# \n#\n#TYPE a nonsense\n# HELPER x\n# UNIT is a comment here!\n\n \t \n  # indented\na 1\n# EOF\n";
    let exposition = text(body).unwrap();
    assert_eq!((exposition.samples().len(), exposition.families().len()), (1, 0));
}

#[test]
fn a_created_line_is_a_part_of_its_family_but_no_count() {
    let exposition = open("# TYPE a counter\na_total 5\na_created 1763901711.5\n# EOF\n").unwrap();
    assert_eq!(exposition.belongs_to("a_created"), Some(("a", Kind::Counter, "_created")));
    assert_eq!((exposition.family_count(), exposition.single("a_total")), (1, Some(5.0)));
}

#[rstest]
#[case("text/plain", Some(Format::Text))]
#[case("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text))]
#[case("text/plain;version=1.0.0;escaping=allow-utf-8", Some(Format::Text))]
#[case("Text/Plain ; charset=UTF-8", Some(Format::Text))]
#[case("application/openmetrics-text; version=1.0.0; charset=utf-8", Some(Format::OpenMetrics))]
#[case("application/openmetrics-text", Some(Format::OpenMetrics))]
#[case("text/html; charset=utf-8", None)]
#[case("application/json", None)]
#[case("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", None)]
#[case("text/plainish", None)]
#[case("", None)]
fn the_content_type_names_the_format(#[case] content_type: &str, #[case] expected: Option<Format>) {
    assert_eq!(Format::of_content_type(content_type), expected);
}

#[rstest]
#[case("a 1\n# EOF\n", Format::OpenMetrics)]
#[case("# EOF\n", Format::OpenMetrics)]
#[case("# EOF", Format::OpenMetrics)]
#[case("# EOF\na 1\n", Format::Text)]
#[case("a 1\n# EOF\n\n", Format::Text)]
#[case("a{x=\"# EOF\"} 1\n", Format::Text)]
#[case("a 1\nx # EOF\n", Format::Text)]
#[case("", Format::Text)]
fn a_saved_body_is_openmetrics_when_its_last_line_says_so(#[case] body: &str, #[case] expected: Format) {
    assert_eq!(Format::of_saved(body.as_bytes()), expected);
}

#[test]
fn a_reason_shows_control_characters_escaped_and_repeats_little() {
    let body = format!("a \u{1b}[31m{}\n", "x".repeat(500));
    let reason = text(&body).unwrap_err().reason;
    assert!(reason.contains("\\u{1b}") && !reason.contains('\u{1b}') && reason.len() < 150, "{reason}");
}

#[test]
fn printing_spells_out_what_was_read() {
    let body = "# HELP a  say \\\"hi\\\"\n# TYPE a counter\na{z=\"1\",b=\"\\\"\\\\\\n\",} 1e3 5\n{\"x y\"} -Inf\nb nan\nc 1e-9\n";
    insta::assert_snapshot!(text(body).unwrap(), @r#"
    # HELP a say \"hi\"
    # TYPE a counter
    a{b="\"\\\n",z="1"} 1000 5
    {"x y"} -Inf
    b NaN
    c 1e-9
    "#);
}

/// Names and values that hurt: escapes, delimiters, other scripts, CR.
fn words() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-z_:0-9 \\\\\"\n\r\t{},=#€é.-]{1,6}").unwrap()
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_map(|number| if number.is_nan() { f64::NAN } else { number }),
        (-1000_i32..1000).prop_map(f64::from),
        prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE]),
    ]
}

prop_compose! {
    fn samples(format: Format)(
        name in words(),
        labels in proptest::collection::btree_map(words(), words(), 0..4),
        value in numbers(),
        timestamp in proptest::option::of((any::<i64>(), -1e12..1e12_f64)),
    ) -> Sample<'static> {
        let labels = labels
            .into_iter()
            .map(|(name, value)| Label { name: name.into(), value: value.into() })
            .collect();
        let timestamp = timestamp.map(|(millis, seconds)| match format {
            Format::Text => Timestamp::Millis(millis),
            Format::OpenMetrics => Timestamp::Seconds(seconds),
        });
        Sample { name: name.into(), labels, value, timestamp, line: 0 }
    }
}

prop_compose! {
    fn expositions()(is_openmetrics in any::<bool>())(
        samples in proptest::collection::vec(
            samples(if is_openmetrics { Format::OpenMetrics } else { Format::Text }), 1..8),
        names in proptest::collection::btree_map("[a-z_:0-9 €\"]{1,6}", 0_usize..9, 0..4),
        help in "[a-z\\\\\"€]{0,8}",
        is_openmetrics in Just(is_openmetrics),
    ) -> Exposition<'static> {
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let mut seen = std::collections::HashSet::new();
        let samples = samples
            .into_iter()
            .filter(|sample| seen.insert((sample.name.clone(), sample.labels.clone())))
            .collect();
        let help: &'static str = help.leak();
        let words = ["counter", "gauge", "histogram", "summary", "untyped", "gaugehistogram", "stateset", "info"];
        let families = names
            .into_iter()
            .map(|(name, kind)| Family {
                name: name.into(),
                kind: words.get(kind).and_then(|word| Kind::from_word(word)),
                help: Some(help),
                unit: (is_openmetrics && kind > 4).then_some("seconds"),
            })
            .collect();
        Exposition::new(format, families, samples)
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_the_same(exposition in expositions()) {
        let printed = exposition.to_string();
        prop_assert_eq!(parse(&printed, exposition.format()), Ok(exposition));
    }

    #[test]
    fn what_was_read_prints_and_reads_back_the_same(
        lines in proptest::collection::vec("(a|b|\\{\"c d\"\\}|# TYPE a|x\\{y=\"[a-c\\\\\"n]{0,3}\"\\}) ?[ 0-9a-z.+-]{0,4}", 0..4),
        is_openmetrics in any::<bool>(),
    ) {
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let end = if is_openmetrics { "# EOF\n" } else { "" };
        let body = format!("{}\n{end}", lines.join("\n"));
        if let Ok(exposition) = parse(&body, format) {
            let printed = exposition.to_string();
            prop_assert_eq!(parse(&printed, format), Ok(exposition));
        }
    }

    #[test]
    fn any_bytes_give_an_answer_and_never_lose_a_line(
        body in proptest::collection::vec(prop::sample::select(b"a1{}=\",\\ #\n\rTYPE.\xff\0".to_vec()), 0..60),
        is_openmetrics in any::<bool>(),
    ) {
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        if let Ok(exposition) = parse(&body, format) {
            let lines = body
                .split(|&byte| byte == b'\n')
                .map(<[u8]>::trim_ascii)
                .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
                .count();
            prop_assert_eq!(exposition.samples().len(), lines);
        }
    }
}
