//! Proof that OPA still has the policies that were compared with the disk,
//! without having them all listed again: the list carries every syntax tree
//! and costs ten times what a decision does.
//!
//! OPA keeps the query that it prepared for a path, throws all of them away
//! with every change of its policies or data, and says in the metrics of an
//! answer whether it used a kept one. So: a question asked, then the list
//! compared with the disk, then the same question answered from the kept query
//! means that nothing changed in between, and that no other process answers.
//! Another client that asks by the same path after a change would have OPA
//! prepare the query anew and hide the change; each engine here therefore
//! spells its paths in a way of its own (`%64ecision` is `decision`).
//!
//! An OPA that does not say so, or says no, is asked for the list.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of one OPA.
pub(super) struct Proof {
    /// Decides which letters are written as numbers.
    spelling: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether it tells if a query was kept.
    tells: bool,
    /// By package, the revision on disk with which the list agreed.
    compared: BTreeMap<String, String>,
    /// Answers from queries that were not kept.
    changes: u64,
}

/// What an answer says about the query: kept, not kept, or nothing.
pub(super) type Kept = Option<bool>;

/// The path of a question.
pub(super) struct Spelt {
    pub path: String,
    /// Whether nobody else spells it so.
    is_own: bool,
}

/// Taken with an answer; what is compared later counts from then.
pub(super) struct Since(u64);

impl Proof {
    pub(super) fn new() -> Self {
        Self { spelling: RandomState::new().build_hasher().finish(), state: Mutex::default() }
    }

    /// The path of a package's decision. In the usual spelling until OPA is
    /// known to tell what it keeps.
    pub(super) fn spelt(&self, package: &str) -> Spelt {
        let is_own = self.state().tells;
        let spelling = if is_own { self.spelling } else { 0 };
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
        Spelt { path, is_own }
    }

    /// Takes note of an answer. `Ok` when it proves that OPA has the policies
    /// of this revision; else from when on a comparison counts.
    pub(super) fn answered(
        &self,
        spelt: &Spelt,
        package: &str,
        revision: &str,
        kept: Kept,
    ) -> Result<(), Since> {
        let mut state = self.state();
        state.tells = kept.is_some();
        if kept == Some(true) && spelt.is_own {
            if state.compared.get(package).is_some_and(|compared| compared == revision) {
                return Ok(());
            }
        } else {
            state.changes += 1;
            state.compared.clear();
        }
        Err(Since(state.changes))
    }

    /// The list of policies, asked for after that answer, agreed with the disk.
    pub(super) fn agreed(&self, package: &str, revision: &str, since: &Since) {
        let mut state = self.state();
        if state.tells && state.changes == since.0 {
            state.compared.insert(package.to_owned(), revision.to_owned());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Proof, Since};

    /// Asked and answered: the policies of `r1` are on disk.
    fn answered(proof: &Proof, package: &str, kept: Option<bool>) -> Result<(), Since> {
        proof.answered(&proof.spelt(package), package, "r1", kept)
    }

    /// A proof whose OPA tells, and has answered once.
    fn telling() -> Proof {
        let proof = Proof { spelling: 0b1001, ..Proof::new() };
        assert!(answered(&proof, "infra", Some(true)).is_err(), "the usual spelling proves nothing");
        proof
    }

    #[test]
    fn kept_query_proves_what_was_compared_after_it_and_nothing_else() {
        let proof = telling();
        let since = answered(&proof, "infra", Some(false)).unwrap_err();
        proof.agreed("infra", "r1", &since);
        assert!(answered(&proof, "infra", Some(true)).is_ok());
        let spelt = proof.spelt("infra");
        assert!(proof.answered(&spelt, "infra", "r2", Some(true)).is_err(), "the disk has changed");
        assert!(answered(&proof, "canary", Some(true)).is_err(), "another question");
        assert!(answered(&proof, "infra", Some(true)).is_ok());
        assert!(answered(&proof, "infra", Some(false)).is_err(), "OPA has changed");
        assert!(answered(&proof, "infra", Some(true)).is_err(), "and was not compared since");
    }

    #[test]
    fn comparison_counts_only_for_what_was_asked_before_it() {
        let proof = telling();
        let early = answered(&proof, "infra", Some(false)).unwrap_err();
        proof.agreed("infra", "r1", &early);
        let late = answered(&proof, "canary", Some(false)).unwrap_err();
        assert!(answered(&proof, "infra", Some(true)).is_err(), "something has changed since");
        proof.agreed("infra", "r1", &early);
        assert!(answered(&proof, "infra", Some(true)).is_err(), "compared before the change");
        proof.agreed("canary", "r1", &late);
        assert!(answered(&proof, "canary", Some(true)).is_ok());
    }

    #[test]
    fn opa_that_tells_nothing_proves_nothing() {
        let proof = Proof::new();
        for _ in 0..3 {
            let since = answered(&proof, "infra", None).unwrap_err();
            proof.agreed("infra", "r1", &since);
        }
        let proof = telling();
        let since = answered(&proof, "infra", Some(false)).unwrap_err();
        proof.agreed("infra", "r1", &since);
        assert!(answered(&proof, "infra", None).is_err(), "another program answers");
        assert!(answered(&proof, "infra", Some(true)).is_err());
    }

    #[test]
    fn answer_to_the_usual_spelling_proves_nothing_even_later() {
        let proof = Proof::new();
        let usual = proof.spelt("infra");
        assert!(answered(&proof, "infra", Some(false)).is_err());
        let since = answered(&proof, "infra", Some(false)).unwrap_err();
        proof.agreed("infra", "r1", &since);
        assert!(proof.answered(&usual, "infra", "r1", Some(true)).is_err());
    }

    #[test]
    fn paths_are_spelt_as_usual_until_opa_tells() {
        let proof = Proof { spelling: 0b1001, ..Proof::new() };
        assert_eq!(proof.spelt("team.freeze").path, "/v1/data/team/freeze/decision");
        assert_eq!(proof.spelt("a-b").path, "/v1/data/a%2Db/decision");
        assert_eq!(telling().spelt("infra").path, "/v1/data/%69nf%72a/decision");
    }
}
