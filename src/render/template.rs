//! Fills the templates, which are part of the program.

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

use super::RenderError;

/// A template embedded in the program.
pub(super) struct Template {
    /// Its name, for errors.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Template {
    /// Fills in the values. Strict: a name that the values lack is an error.
    /// Nothing is escaped, since HTML's escapes are wrong here; the values are
    /// checked by [`super::safe`] before they come here.
    pub fn fill(&self, values: &impl Serialize) -> Result<String, RenderError> {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.register_escape_fn(no_escape);
        handlebars
            .render_template(self.text, values)
            .map_err(|error| RenderError::Template { template: self.name, reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn name_that_the_values_lack_is_an_error_with_its_place() {
        let template = Template { name: "t", text: "ok\n{{missing}}" };
        let error = template.fill(&json!({})).unwrap_err().to_string();
        assert!(error.contains("missing") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn nothing_is_escaped() {
        let template = Template { name: "t", text: "{{value}}" };
        assert_eq!(template.fill(&json!({"value": "<a&b>"})).unwrap(), "<a&b>");
    }
}
