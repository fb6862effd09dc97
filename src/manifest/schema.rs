//! The JSON Schema of a manifest, for editors: made from the very types that
//! read one.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw::RawManifest;

/// The schema's name. It is found by its file, so the name is no address.
const ID: &str = "urn:swiftdeploy:manifest";

/// The JSON Schema (draft 2020-12) of a manifest.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let made = generator.into_root_schema_for::<RawManifest>();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$id".to_owned(), json!(ID));
    if let Value::Object(made) = made.to_value() {
        schema.extend(made);
    }
    schema.insert("title".to_owned(), json!("SwiftDeploy manifest"));
    Value::Object(schema)
}
