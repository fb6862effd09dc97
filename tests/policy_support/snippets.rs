//! Small policies, made by chance (the same chance in every run): rules,
//! functions, references and comprehensions over values of every kind.

use std::fmt::Write as _;

/// Marsaglia's xorshift: enough to mix words, the same everywhere.
pub struct Chance(u64);

const LITERALS: [&str; 17] = [
    "null",
    "true",
    "1",
    "-2",
    "2.5",
    "\"a\"",
    "\"b\"",
    "[]",
    "[1, \"a\"]",
    "[1, 2, 3]",
    "[[1], [2]]",
    "{}",
    "{\"a\": 1}",
    "{\"a\": {\"b\": \"c\"}, \"d\": [1]}",
    "{1, 2}",
    "{\"a\", \"b\"}",
    "set()",
];

const DOCUMENTS: [&str; 5] = ["input", "input.a", "input.a.b", "data.thresholds.x", "input.list[_]"];

/// Functions with the number of their arguments.
const FUNCTIONS: [(&str, usize); 30] = [
    ("count", 1),
    ("sum", 1),
    ("max", 1),
    ("sort", 1),
    ("upper", 1),
    ("abs", 1),
    ("to_number", 1),
    ("is_string", 1),
    ("type_name", 1),
    ("concat", 2),
    ("contains", 2),
    ("startswith", 2),
    ("split", 2),
    ("sprintf", 2),
    ("format_int", 2),
    ("substring", 3),
    ("replace", 3),
    ("array.concat", 2),
    ("array.slice", 3),
    ("object.get", 3),
    ("object.keys", 1),
    ("object.union", 2),
    ("object.remove", 2),
    ("json.patch", 2),
    ("json.marshal", 1),
    ("union", 1),
    ("intersection", 1),
    ("numbers.range", 2),
    ("time.clock", 1),
    ("regex.match", 2),
];

const OPERATORS: [&str; 14] = ["+", "-", "*", "/", "%", "&", "|", "==", "!=", "<", ">=", "in", "==", "+"];

const STEPS: [&str; 8] = [".a", ".b", ".d", "[0]", "[\"a\"]", "[_]", "[1].a", ".a.b"];

/// One policy.
struct Writer<'a> {
    chance: &'a mut Chance,
    /// What has a value where the pen is.
    known: Vec<String>,
    /// Functions of this policy.
    functions: Vec<(String, usize)>,
    /// Rules of this policy.
    rules: Vec<String>,
    fresh: usize,
    /// Most of what stands in it may be anything, so that OPA takes it.
    is_calm: bool,
    number: usize,
}

impl Chance {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// The policy `package s4`; it may mention those of smaller numbers.
pub fn policy(chance: &mut Chance, number: usize) -> String {
    let is_calm = chance.below(4) != 0;
    let (known, functions, rules) = (Vec::new(), Vec::new(), Vec::new());
    let mut writer = Writer { chance, known, functions, rules, fresh: 0, is_calm, number };
    let mut text = format!("package s{number}\n\n");
    for _ in 0..=writer.chance.below(3) {
        text += &writer.helper();
    }
    for _ in 0..=writer.chance.below(2) {
        text += &writer.rule();
    }
    text
}

impl Writer<'_> {
    fn name(&mut self, letter: &str) -> String {
        self.fresh += 1;
        format!("{letter}{}", self.fresh)
    }

    /// A rule that others may mention.
    fn helper(&mut self) -> String {
        let kind = self.chance.below(11);
        if kind < 3 {
            return self.function();
        }
        if kind == 9 {
            return self.patterns();
        }
        let name = self.name("r");
        let text = match kind {
            3 | 4 => format!("{name} := {}\n\n", self.expr(1)),
            5 => {
                let body = self.body(1);
                let member = self.expr(1);
                format!("{name} contains {member} if {{\n{body}}}\n\n")
            }
            6 => {
                let body = self.body(1);
                let (key, value) = (self.expr(0), self.expr(1));
                format!("{name}[{key}] := {value} if {{\n{body}}}\n\n")
            }
            10 => {
                let one = self.expr(1);
                let two = self.expr(1);
                let (key, step) = (self.atom(), self.chance.of(&["", "[\"k\"]", ".a", "[1]"]));
                format!("{name}[{key}]{step} := {one}\n\n{name}.z{step} := {two}\n\n")
            }
            7 => format!("{name}.a := {}\n\n{name}.b := {}\n\n", self.expr(1), self.expr(1)),
            _ => {
                let literal = self.chance.of(&LITERALS);
                let value = self.expr(1);
                self.known.clear();
                let body = self.body(1);
                self.known.clear();
                let other = self.expr(1);
                format!(
                    "default {name} := {literal}\n\n{name} := {value} if {{\n{body}}} else := {other}\n\n"
                )
            }
        };
        self.known.clear();
        self.rules.push(name);
        text
    }

    fn function(&mut self) -> String {
        let name = self.name("f");
        let count = 1 + self.chance.below(2);
        let args: Vec<String> = (0..count).map(|_| self.name("p")).collect();
        self.known.clone_from(&args);
        let body =
            if self.chance.below(2) == 0 { format!(" if {{\n{}}}", self.body(1)) } else { String::new() };
        let value = self.expr(2);
        self.known.clear();
        self.functions.push((name.clone(), count));
        format!("{name}({}) := {value}{body}\n\n", args.join(", "))
    }

    /// A function whose definitions take their arguments apart.
    fn patterns(&mut self) -> String {
        let name = self.name("f");
        let mut text = String::new();
        for _ in 0..=self.chance.below(2) {
            let (a, b) = (self.name("p"), self.name("p"));
            let pattern = match self.chance.below(4) {
                0 => format!("[{a}, {b}]"),
                1 => format!("{{\"a\": {a}, \"b\": [{b}]}}"),
                2 => format!("[{a}, [\"a\", {b}]]"),
                _ => format!("[[{b}], {a}, 1]"),
            };
            self.known = vec![a, b];
            let value = self.expr(1);
            self.known.clear();
            let _ = write!(text, "{name}({pattern}, _) := {value}\n\n");
        }
        let literal = self.chance.of(&LITERALS);
        let _ = write!(text, "{name}({literal}, \"a\") := {literal}\n\n");
        self.functions.push((name, 2));
        text
    }

    fn rule(&mut self) -> String {
        let name = self.name("q");
        let body = self.body(3);
        self.known.clear();
        self.rules.push(name.clone());
        format!("{name} if {{\n{body}}}\n\n")
    }

    fn body(&mut self, most: usize) -> String {
        let mut body = String::new();
        for _ in 0..=self.chance.below(most) {
            let statement = self.statement(2);
            // To the interpreter a bracket at the start of a line is a call of
            // what stands before.
            let start = if statement.starts_with('(') { "true == " } else { "" };
            let _ = writeln!(body, "\t{start}{statement}");
        }
        body
    }

    fn statement(&mut self, depth: usize) -> String {
        match self.chance.below(15) {
            0..=3 => {
                let value = self.expr(depth);
                let name = self.name("x");
                self.known.push(name.clone());
                format!("{name} := {value}")
            }
            4 => {
                let value = self.expr(depth);
                let (a, b) = (self.name("x"), self.name("x"));
                self.known.extend([a.clone(), b.clone()]);
                if self.chance.below(2) == 0 {
                    format!("[{a}, {b}] := {value}")
                } else {
                    format!("{{\"a\": {a}, \"d\": [{b}]}} = {value}")
                }
            }
            5 | 6 => {
                let (left, right) = (self.expr(depth), self.expr(depth));
                format!("{left} == {right}")
            }
            7 => {
                let name = self.name("x");
                let value = self.expr(depth);
                self.known.push(name.clone());
                format!("{name} = {value}")
            }
            8 => format!("not {}", self.expr(depth)),
            9 => {
                let collection = self.expr(depth);
                let name = self.name("x");
                self.known.push(name.clone());
                format!("some {name} in {collection}")
            }
            10 => {
                let collection = self.expr(depth);
                let (key, name) = (self.name("x"), self.name("x"));
                self.known.extend([key.clone(), name.clone()]);
                format!("some {key}, {name} in {collection}")
            }
            11 => {
                let domain = self.expr(depth);
                let name = self.name("x");
                let before = self.known.len();
                self.known.push(name.clone());
                let inner = self.statement(1);
                self.known.truncate(before);
                format!("every {name} in {domain} {{ {name} == {name}; {inner} }}")
            }
            12 if self.chance.below(3) == 0 && !self.functions.is_empty() => {
                let (name, count) = self.functions[self.chance.below(self.functions.len())].clone();
                let call = self.call("count", 1, depth);
                let other = if count == 2 { "concat" } else { "upper" };
                match self.chance.below(3) {
                    0 => format!("{call} with count as {name}"),
                    1 => format!("{} with {name} as {other}", self.call(&name, count, depth)),
                    _ => format!("{call} with count as {}", self.atom()),
                }
            }
            12 => {
                let (value, by) = (self.expr(depth), self.expr(1));
                let target = match self.rules.len() {
                    0 => "input.a".to_owned(),
                    count => self.rules[self.chance.below(count)].clone(),
                };
                format!("{value} with {target} as {by}")
            }
            13 if !self.rules.is_empty() => {
                // A rule gone through by a variable that stays known.
                let rule = self.rules[self.chance.below(self.rules.len())].clone();
                let name = self.name("x");
                let step = self.chance.of(&["", ".a", "[_]"]);
                let text = format!("{rule}[{name}]{step}");
                self.known.push(name);
                text
            }
            _ => self.expr(depth),
        }
    }

    fn expr(&mut self, depth: usize) -> String {
        let depth = if self.is_calm && self.chance.below(2) == 0 { depth.saturating_sub(1) } else { depth };
        if depth == 0 || self.chance.below(5) == 0 {
            return self.atom();
        }
        match self.chance.below(13) {
            0..=2 => {
                let (name, count) = FUNCTIONS[self.chance.below(FUNCTIONS.len())];
                self.call(name, count, depth)
            }
            3 if !self.functions.is_empty() => {
                let (name, count) = self.functions[self.chance.below(self.functions.len())].clone();
                self.call(&name, count, depth)
            }
            4 | 5 => {
                let (left, right) = (self.expr(depth - 1), self.expr(depth - 1));
                format!("({left} {} {right})", self.chance.of(&OPERATORS))
            }
            6 => self.comprehension(depth),
            7 => format!("[{}, {}]", self.expr(depth - 1), self.expr(depth - 1)),
            8 => format!("{{\"a\": {}, \"b\": {}}}", self.expr(depth - 1), self.expr(depth - 1)),
            9 => format!("{{{}, {}}}", self.expr(depth - 1), self.expr(depth - 1)),
            10 => format!("{{{}: {}}}", self.atom(), self.expr(depth - 1)),
            _ => self.reference(),
        }
    }

    fn call(&mut self, name: &str, count: usize, depth: usize) -> String {
        let args: Vec<String> = (0..count).map(|_| self.expr(depth.saturating_sub(1))).collect();
        format!("{name}({})", args.join(", "))
    }

    fn comprehension(&mut self, depth: usize) -> String {
        let before = self.known.len();
        let first = self.statement(depth - 1);
        let body = match self.chance.below(3) {
            0 => format!("{first}; {}", self.statement(depth - 1)),
            _ => first,
        };
        let (one, two) = (self.expr(depth - 1), self.expr(depth - 1));
        self.known.truncate(before);
        match self.chance.below(3) {
            0 => format!("[{one} | {body}]"),
            1 => format!("{{{one} | {body}}}"),
            _ => format!("{{{one}: {two} | {body}}}"),
        }
    }

    fn reference(&mut self) -> String {
        let mut text = self.subject();
        for _ in 0..=self.chance.below(2) {
            if self.chance.below(5) == 0 && !self.known.is_empty() {
                let index = self.known[self.chance.below(self.known.len())].clone();
                let _ = write!(text, "[{index}]");
            } else {
                text += self.chance.of(&STEPS);
            }
        }
        text
    }

    fn subject(&mut self) -> String {
        let choices = self.known.len() + self.rules.len();
        match self.chance.below(choices + 1) {
            at if at < self.known.len() => self.known[at].clone(),
            at if at < choices => self.rules[at - self.known.len()].clone(),
            _ => self.document(),
        }
    }

    /// A document of which nothing is known, or a rule of a policy before.
    fn document(&mut self) -> String {
        if self.number == 0 || self.chance.below(6) != 0 {
            return self.chance.of(&DOCUMENTS).to_owned();
        }
        let other = self.number - 1 - self.chance.below(self.number.min(20));
        let rule = self.chance.of(&[".r1", ".r2", ".r3", "[_]", ".r1.a", ".r2[_]", "", ".nothing"]);
        format!("data.s{other}{rule}")
    }

    fn atom(&mut self) -> String {
        if self.is_calm && self.chance.below(9) != 0 {
            return self.document();
        }
        match self.chance.below(3) {
            0 => self.chance.of(&LITERALS).to_owned(),
            _ => self.subject(),
        }
    }
}
