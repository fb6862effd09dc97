//! Proof that OPA still has the policies that were compared with the disk,
//! without having them all listed again: the list carries every syntax tree
//! and costs ten times what a decision does.
//!
//! OPA keeps the query that it prepared for a path, throws all of them away
//! within the commit of any change of its policies or data, and says in the
//! metrics of an answer whether it used a kept one (`v1/server/server.go`:
//! `reload`, `getCachedPreparedEvalQuery`; read from 1.8 to 1.22). So: a
//! query that was prepared for us, then the list compared with the disk, then
//! the same query still kept means that nothing changed in between, and that
//! no other process answers.
//!
//! A query that was prepared for somebody else proves nothing: after a change
//! it could be theirs that is kept. OPA tells paths apart by how they are
//! spelt, so each engine here spells its own (`%64ecision` is `decision`), and
//! only what OPA had to prepare for that spelling counts. Where OPA has one for a
//! path that it was never asked, somebody spells like us, and we spell anew. An
//! OPA that tells nothing of this, or of another version, is asked for the list
//! with every decision.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The minor numbers of OPA 1 whose source was read.
const READ: RangeInclusive<u32> = 8..=22;

/// Whether an OPA of this version is known to keep its queries so.
pub(super) fn is_read(version: &str) -> bool {
    let mut numbers = version.split('.');
    numbers.next() == Some("1")
        && numbers.next().and_then(|minor| minor.parse().ok()).is_some_and(|minor| READ.contains(&minor))
}

/// What is known of one OPA.
pub(super) struct Proof {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By package, a number that decides which letters are written as numbers.
    spellings: BTreeMap<String, u64>,
    /// By package, the query that OPA prepared for our spelling.
    prepared: BTreeMap<String, Prepared>,
    /// How many it prepared.
    count: u64,
}

struct Prepared {
    number: u64,
    /// The revision on disk with which the list agreed after that.
    compared: Option<String>,
}

/// What an answer says about the query: kept, not kept, or nothing.
pub(super) type Kept = Option<bool>;

/// The query that answered, if it was prepared for us; what is compared after
/// that answer holds for it.
pub(super) struct Since(Option<u64>);

impl Proof {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default() }
    }

    /// The path of a package's decision, as nobody else spells it.
    pub(super) fn path(&self, package: &str) -> String {
        let spelling = *self.state().spellings.entry(package.to_owned()).or_insert_with(any);
        let mut path = String::from("/v1/data");
        let mut letter = 0;
        for segment in package.split('.').chain(["decision"]) {
            path.push('/');
            for byte in segment.bytes() {
                let is_chosen = spelling >> (letter % 64) & 1 == 1;
                letter += 1;
                if is_chosen || !(byte.is_ascii_alphanumeric() || byte == b'_') {
                    let _ = write!(path, "%{byte:02X}");
                } else {
                    path.push(char::from(byte));
                }
            }
        }
        path
    }

    /// Takes note of an answer to a question by [`Self::path`]. `Ok` when it
    /// proves that OPA has the policies of this revision; else what a
    /// comparison made now holds for.
    pub(super) fn answered(&self, package: &str, revision: &str, kept: Kept) -> Result<(), Since> {
        let state = &mut *self.state();
        match kept {
            // Another program answers, or OPA was told to say less.
            None => state.prepared.clear(),
            Some(false) => {
                state.count += 1;
                let prepared = Prepared { number: state.count, compared: None };
                state.prepared.insert(package.to_owned(), prepared);
            }
            Some(true) if !state.prepared.contains_key(package) => {
                state.spellings.remove(package);
            }
            Some(true) => {}
        }
        let prepared = state.prepared.get(package);
        match prepared.and_then(|prepared| prepared.compared.as_deref()) {
            Some(compared) if compared == revision => Ok(()),
            _ => Err(Since(prepared.map(|prepared| prepared.number))),
        }
    }

    /// The list of policies, asked for after that answer, agreed with the disk.
    pub(super) fn agreed(&self, package: &str, revision: &str, since: &Since) {
        if let Some(prepared) = self.state().prepared.get_mut(package)
            && since.0 == Some(prepared.number)
        {
            prepared.compared = Some(revision.to_owned());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that nobody else has.
fn any() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Proof, is_read};

    const PREPARED: Option<bool> = Some(false);
    const KEPT: Option<bool> = Some(true);

    /// Asked and answered, with the policies of `r1` on disk: whether that is
    /// proven; if not, the list is compared and agrees.
    fn proven(proof: &Proof, package: &str, kept: Option<bool>) -> bool {
        match proof.answered(package, "r1", kept) {
            Ok(()) => true,
            Err(since) => {
                proof.agreed(package, "r1", &since);
                false
            }
        }
    }

    #[test]
    fn kept_query_proves_what_was_compared_after_it_was_prepared_and_nothing_else() {
        let proof = Proof::new();
        assert!(!proven(&proof, "infra", PREPARED));
        assert!(proven(&proof, "infra", KEPT));
        assert!(proof.answered("infra", "r2", KEPT).is_err(), "the disk has changed");
        assert!(proof.answered("canary", "r1", KEPT).is_err(), "another question");
        assert!(proven(&proof, "infra", KEPT));
        assert!(proof.answered("infra", "r1", PREPARED).is_err(), "OPA has changed");
        assert!(!proven(&proof, "infra", KEPT), "and was not compared since");
        assert!(proven(&proof, "infra", KEPT));
    }

    #[test]
    fn query_that_was_kept_for_somebody_else_proves_nothing_and_is_asked_no_more() {
        let proof = Proof::new();
        // OPA never saw this spelling, and has a query for it.
        for _ in 0..3 {
            proof.path("infra");
            assert!(!proven(&proof, "infra", KEPT));
            assert!(proof.state().spellings.is_empty(), "the next one is another");
        }
        assert!(!proven(&proof, "infra", PREPARED));
        let spelt = proof.path("infra");
        assert!(proven(&proof, "infra", KEPT));
        assert_eq!(proof.path("infra"), spelt, "what was prepared for us is asked again");
    }

    #[rstest]
    #[case("1.7.1", false)]
    #[case("1.8.0", true)]
    #[case("1.19.1", true)]
    #[case("1.22.3-rc.1", true)]
    #[case("1.23.0", false)]
    #[case("2.10.0", false)]
    #[case("0.70.0", false)]
    #[case("edge", false)]
    #[case("", false)]
    fn only_versions_whose_source_was_read_prove_anything(#[case] version: &str, #[case] expected: bool) {
        assert_eq!(is_read(version), expected);
    }

    #[test]
    fn comparison_counts_only_for_the_query_before_it() {
        let proof = Proof::new();
        let early = proof.answered("infra", "r1", PREPARED).unwrap_err();
        let late = proof.answered("infra", "r1", PREPARED).unwrap_err();
        proof.agreed("infra", "r1", &early);
        let again = proof.answered("infra", "r1", KEPT);
        assert!(again.is_err(), "compared before the change");
        proof.agreed("canary", "r1", &late);
        assert!(proof.answered("canary", "r1", KEPT).is_err());
        proof.agreed("infra", "r1", &late);
        assert!(proof.answered("infra", "r1", KEPT).is_ok());
    }

    #[test]
    fn opa_that_tells_nothing_proves_nothing() {
        let proof = Proof::new();
        for kept in [None, None, PREPARED] {
            assert!(!proven(&proof, "infra", kept));
        }
        assert!(proven(&proof, "infra", KEPT));
        assert!(!proven(&proof, "infra", None), "another program answers");
        assert!(!proven(&proof, "infra", KEPT));
        assert!(!proven(&proof, "infra", KEPT));
    }

    #[test]
    fn path_means_the_same_in_every_spelling() {
        let spelt = |spelling, package| {
            let proof = Proof::new();
            proof.state().spellings.insert(String::from(package), spelling);
            proof.path(package)
        };
        assert_eq!(spelt(0, "team.freeze"), "/v1/data/team/freeze/decision");
        assert_eq!(spelt(0, "a-b"), "/v1/data/a%2Db/decision");
        assert_eq!(spelt(0b1001, "infra"), "/v1/data/%69nf%72a/decision");
    }
}
