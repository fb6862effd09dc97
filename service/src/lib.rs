//! The sample service that SwiftDeploy deploys.
