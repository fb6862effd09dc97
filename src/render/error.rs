//! Why nothing was generated.

/// The generated files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A value could end the directive or the string it stands in.
    #[error("{field} cannot be used in a generated file: {value:?} {reason}")]
    Unsafe {
        /// The manifest's key.
        field: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A routing state that makes no sense.
    #[error("the routing state {generation} cannot be used: {reason}")]
    Routes {
        /// Its name.
        generation: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A template of this program is broken.
    #[error("the template {template} cannot be filled: {reason}")]
    Template {
        /// Its name.
        template: &'static str,
        /// The cause, with line and column.
        reason: String,
    },
}

impl RenderError {
    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::Unsafe { field, .. } => {
                format!("change {field} in manifest.yaml and run `swiftdeploy init` again")
            }
            Self::Routes { .. } => "run `swiftdeploy deploy`: it makes a routing state of its own".into(),
            Self::Template { .. } => "this is a defect of SwiftDeploy: report it with your manifest".into(),
        }
    }
}
