//! The raw sections to a [`Manifest`]: required keys, defaults, and the rules
//! that hold between several keys.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::field::Field;
use super::model::{
    Canary, CustomGate, Health, Manifest, MetricNames, Network, Nginx, PolicySection, Resources, Service,
    Status,
};
use super::place::Place;
use super::problem::{Complaint, Problem};
use super::raw::{
    RawCanary, RawGate, RawHealth, RawManifest, RawMetrics, RawNetwork, RawNginx, RawPolicy, RawService,
};
use super::rules;
use super::value::{EnvName, EnvValue, List, Number, Plain, Table};
use crate::domain::Mode;

/// The sample service's own health check.
const SAMPLE_HEALTH_CHECK: [&str; 2] = ["/swiftdeploy-service", "healthcheck"];

/// The repository of the sample service's image.
const SAMPLE_REPOSITORY: &str = "swift-deploy-1-node";

/// Environment variables that tell the service how it runs.
const OWN_ENV: [&str; 3] = ["MODE", "APP_VERSION", "APP_PORT"];

/// Networks that Docker makes itself: no project can own them.
const DOCKERS_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

/// The manifest, if nothing was wrong; what is wrong is added to `problems`.
pub(super) fn complete(raw: RawManifest, text: &str, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let mut check = Check { text, problems };
    let services = check.section(raw.services, "services");
    let nginx = check.section(raw.nginx, "nginx");
    let services = services.and_then(|(section, key)| service(section, key, &mut check));
    let nginx = nginx.and_then(|(section, key)| proxy(section, key, &mut check));
    let network = network(raw.network.or_default(), &mut check);
    let canary = canary(raw.canary.or_default(), &mut check);
    let policy = policy(raw.policy.or_default(), nginx.as_ref(), &mut check);
    let metrics = metrics(raw.metrics.or_default(), &mut check);
    let status = raw.status.or_default();
    if !check.problems.is_empty() {
        return None;
    }
    let (services, nginx) = (services?, nginx?);
    Some(Manifest {
        target: raw.target.into_option().map(|word| word.0),
        project: raw.project.map_or(services.name.clone(), |name| name.0),
        contact: raw.contact.map_or("ops@localhost".to_owned(), |contact| contact.0),
        pull: raw.pull.into_option().map(|choice| choice.0).unwrap_or_default(),
        services,
        nginx,
        network,
        canary,
        policy,
        metrics,
        status: Status { interval: status.interval.map_or(seconds(2), |time| time.0) },
    })
}

/// Where problems go.
struct Check<'a> {
    text: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn complain(&mut self, place: Place, key: &str, complaint: Complaint) {
        self.problems.push(Problem::new(self.text, place, Some(key.to_owned()), complaint));
    }

    fn is_misspelt(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.means(key))
    }

    /// A section that has required keys, and where its key stands.
    fn section<T>(&mut self, field: Field<T>, key: &str) -> Option<(T, Place)> {
        match field {
            Field::Given { value, key, .. } => Some((value, key)),
            Field::Refused => None,
            Field::Absent if self.is_misspelt(key) => None,
            Field::Absent => {
                let complaint = Complaint::new("this section is missing")
                    .help(format!("it needs at least `{key}.image` and `{key}.port`"));
                self.complain(Place::default(), key, complaint);
                None
            }
        }
    }

    /// A key that must be there; `section` is where its section's key stands.
    fn required<T>(&mut self, field: Field<T>, section: Place, key: &str, example: &str) -> Option<T> {
        if matches!(field, Field::Absent) && !self.is_misspelt(key) {
            let last = key.rsplit('.').next().unwrap_or(key);
            let complaint =
                Complaint::new("this key is missing").help(format!("add `{last}: {example}` here"));
            self.complain(section, key, complaint);
        }
        field.into_option()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn service(raw: RawService, key: Place, check: &mut Check<'_>) -> Option<Service> {
    let image = check.required(raw.image, key, "services.image", "name:tag").map(|image| image.0);
    let port = check.required(raw.port, key, "services.port", "3000").map(|port| port.0);
    let sample = image.as_deref().is_some_and(|image| rules::repository_name(image) == SAMPLE_REPOSITORY);
    let health = health(raw.health.or_default(), sample, check);
    let resources = raw.resources.or_default();
    let env = env(raw.env, check);
    Some(Service {
        name: raw.name.map_or("app".to_owned(), |name| name.0),
        image: image?,
        port: port?,
        version: raw.version.map_or("1.0.0".to_owned(), |version| version.0),
        mode: raw.mode.map_or(Mode::Stable, |choice| choice.0),
        env,
        health,
        resources: Resources {
            memory: resources.memory.into_option().map(|memory| memory.0),
            milli_cpus: resources.cpus.into_option().map(|cpus| cpus.0),
        },
        restart_policy: raw.restart_policy.map_or("unless-stopped", |choice| choice.0.0).to_owned(),
        stop_grace: raw.stop_grace.map_or(seconds(10), |time| time.0),
        command: command(raw.command, "services.command", check),
    })
}

fn health(raw: RawHealth, sample: bool, check: &mut Check<'_>) -> Health {
    let interval = raw.interval.map_or(seconds(2), |time| time.0);
    let place_of_wait = raw.wait.given().map(|(_, place)| place);
    let wait = raw.wait.map_or(seconds(60), |time| time.0);
    if let Some(place) = place_of_wait
        && wait < interval
    {
        let complaint = Complaint::new("the wait is shorter than the time between two checks")
            .help("give a new release at least one check: raise `wait` or lower `interval`");
        check.complain(place, "services.health.wait", complaint);
    }
    let own = sample.then(|| SAMPLE_HEALTH_CHECK.map(str::to_owned).to_vec());
    Health {
        path: raw.path.map_or("/healthz".to_owned(), |path| path.0),
        interval,
        timeout: raw.timeout.map_or(seconds(2), |time| time.0),
        retries: raw.retries.map_or(3, |number| number.0),
        wait,
        command: command(raw.command, "services.health.command", check).or(own),
    }
}

/// A program with its arguments; the program may not be empty.
fn command(field: Field<List<Plain, 1>>, key: &str, check: &mut Check<'_>) -> Option<Vec<String>> {
    let list = field.into_option()?.0;
    if let Some((program, place)) = list.first().and_then(Field::given)
        && program.0.trim().is_empty()
    {
        let complaint = Complaint::new("the program is empty").help("the first element names what to start");
        check.complain(place, key, complaint);
    }
    Some(list.into_iter().filter_map(Field::into_option).map(|argument| argument.0).collect())
}

fn env(field: Field<Table<EnvName, EnvValue>>, check: &mut Check<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (name, value) in field.into_option().map(|table| table.0).unwrap_or_default() {
        if let Some((EnvName(name), place)) = name.given()
            && OWN_ENV.contains(&name.as_str())
        {
            let from = match name.as_str() {
                "MODE" => "services.mode",
                "APP_VERSION" => "services.version",
                _ => "services.port",
            };
            let complaint = Complaint::new(format!("`{name}` is set by SwiftDeploy"))
                .help(format!("change `{from}` instead and remove this line"));
            check.complain(place, &format!("services.env.{name}"), complaint);
        }
        if let (Some(name), Some(value)) = (name.into_option(), value.into_option()) {
            env.insert(name.0, value.0);
        }
    }
    env
}

fn proxy(raw: RawNginx, key: Place, check: &mut Check<'_>) -> Option<Nginx> {
    let image = check.required(raw.image, key, "nginx.image", "nginx:1.28");
    let port = check.required(raw.port, key, "nginx.port", "8080");
    Some(Nginx {
        image: image?.0,
        port: port?.0,
        proxy_timeout: raw.proxy_timeout.map_or(seconds(30), |time| time.0),
        bind: raw.bind.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0),
        drain: raw.drain.map_or(seconds(10), |time| time.0),
        operator: raw.operator.into_option().map(|choice| choice.0).unwrap_or_default(),
    })
}

fn network(raw: RawNetwork, check: &mut Check<'_>) -> Network {
    if let Some((name, place)) = raw.name.given()
        && DOCKERS_NETWORKS.contains(&name.0.as_str())
    {
        let complaint = Complaint::new(format!("`{}` is one of Docker's own networks", name.0))
            .help("choose another name; SwiftDeploy makes the network");
        check.complain(place, "network.name", complaint);
    }
    if let Some((driver, place)) = raw.driver_type.given()
        && matches!(driver.0.as_str(), "host" | "none" | "null")
    {
        let complaint = Complaint::new(format!(
            "the driver `{}` gives containers no names to reach each other",
            driver.0
        ))
        .help("on one host use `bridge`");
        check.complain(place, "network.driver_type", complaint);
    }
    Network {
        name: raw.name.map_or("swiftdeploy-net".to_owned(), |name| name.0),
        driver_type: raw.driver_type.map_or("bridge".to_owned(), |driver| driver.0),
    }
}

fn canary(raw: RawCanary, check: &mut Check<'_>) -> Canary {
    Canary {
        image: raw.image.into_option().map(|image| image.0),
        version: raw.version.into_option().map(|version| version.0),
        steps: steps(raw.steps, check),
        window: raw.window.map_or(seconds(30), |time| time.0),
        min_requests: raw.min_requests.map_or(50, |number| number.0),
        max_wait: raw.max_wait.map_or(seconds(300), |time| time.0),
        split: raw.split.into_option().map(|choice| choice.0).unwrap_or_default(),
    }
}

fn steps(field: Field<List<Number<u8, 1, 100>, 1>>, check: &mut Check<'_>) -> Vec<u8> {
    let Some(list) = field.into_option() else { return vec![100] };
    let mut steps: Vec<u8> = Vec::new();
    let all_given = list.0.iter().all(|step| step.given().is_some());
    let end = list.0.last().and_then(Field::given).map(|(step, place)| (step.0, place));
    for (index, step) in list.0.iter().enumerate() {
        let Some((step, place)) = step.given() else { continue };
        if let Some(before) = steps.last().filter(|before| **before >= step.0) {
            let complaint = Complaint::new(format!("{} does not rise above {before}", step.0))
                .help("each step gives the canary a larger share, as in [10, 50, 100]");
            check.complain(place, &format!("canary.steps[{index}]"), complaint);
        }
        steps.push(step.0);
    }
    if let Some((step, place)) = end
        && all_given
        && step != 100
    {
        let complaint = Complaint::new(format!("the last step is {step}, not 100"))
            .help("a promotion ends with all traffic: add 100");
        check.complain(place, "canary.steps", complaint);
    }
    steps
}

fn policy(raw: RawPolicy, nginx: Option<&Nginx>, check: &mut Check<'_>) -> PolicySection {
    if let (Some((port, place)), Some(nginx)) = (raw.port.given(), nginx)
        && port.0 == nginx.port
    {
        let complaint = Complaint::new(format!("{} is the proxy's port already (`nginx.port`)", port.0))
            .help("give Open Policy Agent a port of its own, as 8181");
        check.complain(place, "policy.port", complaint);
    }
    PolicySection {
        engine: raw.engine.into_option().map(|choice| choice.0),
        image: raw.image.map_or("openpolicyagent/opa:latest".to_owned(), |image| image.0),
        port: raw.port.map_or(8181, |port| port.0),
        timeout: raw.timeout.map_or(Duration::from_millis(500), |time| time.0),
        gates: gates(raw.gates.into_option().map(|list| list.0).unwrap_or_default(), check),
    }
}

fn gates(list: Vec<Field<RawGate>>, check: &mut Check<'_>) -> Vec<CustomGate> {
    let mut gates: Vec<CustomGate> = Vec::new();
    for (index, field) in list.into_iter().enumerate() {
        let path = format!("policy.gates[{index}]");
        let Field::Given { value: raw, place, .. } = field else { continue };
        let package = check.required(raw.package, place, &format!("{path}.package"), "team.freeze");
        let before = check.required(raw.before, place, &format!("{path}.before"), "deploy");
        let (Some(package), Some(before)) = (package, before) else { continue };
        let gate = CustomGate { package: package.0, before: before.0 };
        if gates.contains(&gate) {
            let complaint = Complaint::new(format!("the package `{}` is asked there already", gate.package))
                .help("remove one of the two");
            check.complain(place, &path, complaint);
        }
        gates.push(gate);
    }
    gates
}

fn metrics(raw: RawMetrics, check: &mut Check<'_>) -> MetricNames {
    let given = |field: &Field<_>| field.given().map(|(_, place)| place);
    let place_of_duration = given(&raw.duration).or(given(&raw.requests));
    let place_of_status =
        raw.status_label.given().map(|(_, place)| place).or(raw.path_label.given().map(|(_, place)| place));
    let names = MetricNames {
        path: raw.path.map_or("/metrics".to_owned(), |path| path.0),
        requests: raw.requests.map_or("http_requests_total".to_owned(), |name| name.0),
        duration: raw.duration.map_or("http_request_duration_seconds".to_owned(), |name| name.0),
        path_label: raw.path_label.map_or("path".to_owned(), |name| name.0),
        status_label: raw.status_label.map_or("status_code".to_owned(), |name| name.0),
    };
    if names.requests == names.duration {
        let complaint = Complaint::new("`requests` and `duration` name the same metric")
            .help("the one is a counter, the other a histogram in seconds");
        check.complain(place_of_duration.unwrap_or_default(), "metrics.duration", complaint);
    }
    if names.path_label == names.status_label {
        let complaint = Complaint::new("`path_label` and `status_label` name the same label")
            .help("the one holds the path, the other the status code");
        check.complain(place_of_status.unwrap_or_default(), "metrics.status_label", complaint);
    }
    names
}
