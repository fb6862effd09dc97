//! The body of `POST /chaos`, from bytes to a command that is known to be
//! possible, or to the reason why not.

use std::time::Duration;

use serde::Deserialize;

use super::{Fault, Rate};

/// The longest delay, in seconds. A request that waits also keeps the service
/// from stopping, so the limit stays near what a proxy would wait.
const LONGEST_DELAY: f64 = 60.0;
/// The longest life of a fault, in seconds: one day.
const LONGEST_TTL: f64 = 86_400.0;

/// What `POST /chaos` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// Break requests from now on.
    Inject {
        /// How.
        fault: Fault,
        /// For how long; without it until it is recovered.
        ttl: Option<Duration>,
    },
    /// No fault any more.
    Recover,
}

/// Why a body is no command.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// Not JSON, not an object, an unknown member, a wrong type.
    #[error("the body is not a chaos command: {0}; send {{\"mode\":\"slow\",\"duration\":3}}")]
    Malformed(String),
    /// Not one of the three words.
    #[error("mode is {0:?}; it must be slow, error or recover")]
    UnknownMode(String),
    /// What the mode needs is not there.
    #[error("mode {mode} needs a {member}")]
    Missing {
        /// The mode asked for.
        mode: &'static str,
        /// The member it needs.
        member: &'static str,
    },
    /// A member that the mode has no use for: probably another one was meant.
    #[error("mode {mode} has no {member}")]
    OutOfPlace {
        /// The mode asked for.
        mode: &'static str,
        /// The member that does not belong to it.
        member: &'static str,
    },
    /// A number that is not possible.
    #[error("{member} is {found}; it must be {range}")]
    OutOfRange {
        /// Its name.
        member: &'static str,
        /// The value.
        found: f64,
        /// What is possible.
        range: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    mode: String,
    duration: Option<f64>,
    rate: Option<f64>,
    ttl: Option<f64>,
}

impl Command {
    /// Reads the body of a request, whatever content type it was sent with.
    pub fn parse(body: &[u8]) -> Result<Self, CommandError> {
        let body: Body =
            serde_json::from_slice(body).map_err(|error| CommandError::Malformed(error.to_string()))?;
        match body.mode.as_str() {
            "slow" => {
                let delay = needed("slow", "duration", body.duration)?;
                unused("slow", "rate", body.rate)?;
                let fault = Fault::Slow(delay_of(delay)?);
                Ok(Self::Inject { fault, ttl: ttl_of(body.ttl)? })
            }
            "error" => {
                let part = needed("error", "rate", body.rate)?;
                unused("error", "duration", body.duration)?;
                let rate = Rate::new(part).ok_or_else(|| CommandError::OutOfRange {
                    member: "rate",
                    found: part,
                    range: "0 to 1".into(),
                })?;
                Ok(Self::Inject { fault: Fault::Error(rate), ttl: ttl_of(body.ttl)? })
            }
            // The way out must not be refused for a member too many.
            "recover" => Ok(Self::Recover),
            _ => Err(CommandError::UnknownMode(body.mode)),
        }
    }
}

fn needed(mode: &'static str, member: &'static str, value: Option<f64>) -> Result<f64, CommandError> {
    value.ok_or(CommandError::Missing { mode, member })
}

fn unused(mode: &'static str, member: &'static str, value: Option<f64>) -> Result<(), CommandError> {
    value.map_or(Ok(()), |_| Err(CommandError::OutOfPlace { mode, member }))
}

fn delay_of(seconds: f64) -> Result<Duration, CommandError> {
    if !(0.0..=LONGEST_DELAY).contains(&seconds) {
        let range = format!("0 to {LONGEST_DELAY} seconds");
        return Err(CommandError::OutOfRange { member: "duration", found: seconds, range });
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn ttl_of(seconds: Option<f64>) -> Result<Option<Duration>, CommandError> {
    let Some(seconds) = seconds else { return Ok(None) };
    if !(seconds > 0.0 && seconds <= LONGEST_TTL) {
        let range = format!("above 0 and at most {LONGEST_TTL} seconds");
        return Err(CommandError::OutOfRange { member: "ttl", found: seconds, range });
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn slow(seconds: f64, ttl: Option<u64>) -> Command {
        Command::Inject {
            fault: Fault::Slow(Duration::from_secs_f64(seconds)),
            ttl: ttl.map(Duration::from_secs),
        }
    }

    fn error(rate: f64, ttl: Option<u64>) -> Command {
        Command::Inject { fault: Fault::Error(Rate::new(rate).unwrap()), ttl: ttl.map(Duration::from_secs) }
    }

    #[rstest]
    #[case::slow(r#"{"mode":"slow","duration":3}"#, slow(3.0, None))]
    #[case::fraction(r#"{"mode":"slow","duration":0.25,"ttl":60}"#, slow(0.25, Some(60)))]
    #[case::no_delay(r#"{"mode":"slow","duration":0}"#, slow(0.0, None))]
    #[case::longest_delay(r#"{"mode":"slow","duration":60}"#, slow(60.0, None))]
    #[case::error(r#"{"mode":"error","rate":0.5}"#, error(0.5, None))]
    #[case::all_fail(r#" { "rate" : 1 , "ttl" : 5 , "mode" : "error" } "#, error(1.0, Some(5)))]
    #[case::none_fails(r#"{"mode":"error","rate":0}"#, error(0.0, None))]
    #[case::null_is_absent(r#"{"mode":"error","rate":0.5,"duration":null,"ttl":null}"#, error(0.5, None))]
    #[case::recover(r#"{"mode":"recover"}"#, Command::Recover)]
    #[case::recover_with_more(r#"{"mode":"recover","duration":-1}"#, Command::Recover)]
    fn a_possible_command_is_read(#[case] body: &str, #[case] command: Command) {
        assert_eq!(Command::parse(body.as_bytes()), Ok(command));
    }

    #[rstest]
    #[case::empty("", "the body is not a chaos command: EOF")]
    #[case::no_json("slow", "the body is not a chaos command: expected value")]
    #[case::array("[]", "the body is not a chaos command: invalid length 0")]
    #[case::trailing(r#"{"mode":"recover"}x"#, "the body is not a chaos command: trailing characters")]
    #[case::no_mode(r#"{"duration":3}"#, "the body is not a chaos command: missing field `mode`")]
    #[case::twice(r#"{"mode":"slow","mode":"slow"}"#, "the body is not a chaos command: duplicate field")]
    #[case::typo(r#"{"mode":"slow","durations":3}"#, "the body is not a chaos command: unknown field")]
    #[case::text(r#"{"mode":"slow","duration":"3"}"#, "the body is not a chaos command: invalid type")]
    #[case::infinite(r#"{"mode":"slow","duration":1e999}"#, "the body is not a chaos command: number out")]
    #[case::unknown(r#"{"mode":"fast"}"#, "mode is \"fast\"; it must be slow, error or recover")]
    #[case::slow_needs(r#"{"mode":"slow"}"#, "mode slow needs a duration")]
    #[case::error_needs(r#"{"mode":"error","ttl":3}"#, "mode error needs a rate")]
    #[case::slow_rate(r#"{"mode":"slow","duration":3,"rate":0.5}"#, "mode slow has no rate")]
    #[case::error_delay(r#"{"mode":"error","rate":0.5,"duration":3}"#, "mode error has no duration")]
    #[case::negative(r#"{"mode":"slow","duration":-1}"#, "duration is -1; it must be 0 to 60 seconds")]
    #[case::too_long(r#"{"mode":"slow","duration":60.001}"#, "duration is 60.001; it must be 0 to 60")]
    #[case::rate_high(r#"{"mode":"error","rate":1.5}"#, "rate is 1.5; it must be 0 to 1")]
    #[case::rate_low(r#"{"mode":"error","rate":-0.1}"#, "rate is -0.1; it must be 0 to 1")]
    #[case::no_ttl(r#"{"mode":"error","rate":1,"ttl":0}"#, "ttl is 0; it must be above 0 and at most 86400")]
    #[case::long_ttl(r#"{"mode":"error","rate":1,"ttl":86401}"#, "ttl is 86401; it must be above 0")]
    fn an_impossible_command_is_refused_with_its_reason(#[case] body: &str, #[case] reason: &str) {
        let error = Command::parse(body.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(reason), "{error}");
    }
}
