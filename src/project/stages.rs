//! `stacks/stages.yaml`: the project's name and its stages' settings.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::source;
use super::suggest::did_you_mean;
use crate::error::{Error, Result};

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagesFile {
    project: String,
    #[serde(default)]
    defaults: StageSection,
    #[serde(deserialize_with = "source::unique_keys")]
    stages: BTreeMap<String, Option<StageSection>>,
}

/// What a stage, or `defaults`, may say. Absent means: the next level decides.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StageSection {
    protected: Option<bool>,
    region: Option<String>,
    table_name: Option<String>,
    function_name: Option<String>,
    architecture: Option<Architecture>,
    log_retention_days: Option<u32>,
    log_level: Option<LogLevel>,
    price_class: Option<PriceClass>,
    throttle_rate: Option<u32>,
    throttle_burst: Option<u32>,
    alarm_email: Option<String>,
    fingerprints: Option<bool>,
    #[serde(default, deserialize_with = "source::unique_keys")]
    parameters: BTreeMap<String, Scalar>,
}

/// A Lambda instruction set, named as AWS and `stages.yaml` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Architecture {
    /// 64-bit Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (Graviton).
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// AWS's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// This machine's, when Lambda has it.
    pub fn of_this_host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum PriceClass {
    #[serde(rename = "PriceClass_100")]
    Hundred,
    #[serde(rename = "PriceClass_200")]
    TwoHundred,
    #[serde(rename = "PriceClass_All")]
    All,
}

/// A parameter's value as YAML may write it; CloudFormation takes text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a parameter's value is text, a number, true or false")]
enum Scalar {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Flag(bool),
}

impl Scalar {
    fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// One stage's settings, with every default filled in.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The stage's name: `[a-z][a-z0-9-]*`, part of every stack's and most resources' names.
    pub name: String,
    /// Keeps its table: recovery, deletion protection, and `down` leaves the data stack.
    pub protected: bool,
    /// The region the project wants, if it says.
    pub region: Option<String>,
    /// What the function is built for.
    pub architecture: Architecture,
    /// What the site's pages refer to is published under names with a hash of the content, too.
    pub fingerprints: bool,
    /// Values for the templates' parameters, by parameter name.
    pub parameters: BTreeMap<String, String>,
    /// Those of them that the file names under `parameters:`; each must be some template's.
    pub own_parameters: Vec<String>,
}

/// The parsed file.
#[derive(Debug)]
pub struct Stages {
    /// The project's name, the first part of every stack's name.
    pub project: String,
    defaults: StageSection,
    stages: BTreeMap<String, StageSection>,
    file: String,
}

/// The days that a log group can keep its logs: the `enum` of `AWS::Logs::LogGroup`'s schema.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Room for the stage and the longest suffix in a bucket's 63 characters (account 12, region 14, "-artifacts-").
const LONGEST_PROJECT: usize = 20;

impl Stages {
    /// Parses `text`; `file` is how messages name it.
    ///
    /// # Errors
    /// Names the file, the line and the key that is wrong.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let parsed: StagesFile = source::parse_yaml(text, file)?;
        let shown = file.display().to_string();
        check_name("project", &parsed.project, LONGEST_PROJECT)
            .map_err(|error| locate(error, &shown, text, "project"))?;
        for name in parsed.stages.keys() {
            check_name("stage", name, LONGEST_STAGE).map_err(|error| locate(error, &shown, text, name))?;
        }
        let sections = parsed.stages.values().flatten().map(|section| (section, false));
        for (section, is_defaults) in sections.chain([(&parsed.defaults, true)]) {
            check_section(section, is_defaults).map_err(|(error, key)| locate(error, &shown, text, &key))?;
        }
        Ok(Self {
            project: parsed.project,
            defaults: parsed.defaults,
            stages: parsed
                .stages
                .into_iter()
                .map(|(name, section)| (name, section.unwrap_or_default()))
                .collect(),
            file: shown,
        })
    }

    /// The settings of the stage `name`.
    ///
    /// # Errors
    /// A name that AWS would refuse, or one that the file doesn't list, with the nearest that it does.
    pub fn stage(&self, name: &str) -> Result<Stage> {
        check_name("stage", name, LONGEST_STAGE)?;
        let Some(own) = self.stages.get(name) else {
            let known: Vec<&str> = self.stages.keys().map(String::as_str).collect();
            return Err(Error::usage(format!(
                "{} has no stage `{name}`; it has {}",
                self.file,
                known.join(", ")
            ))
            .hint(match did_you_mean(name, &known) {
                Some(near) => format!("Did you mean `--stage {near}`?"),
                None => format!("Add `{name}:` under `stages:` in {} to make it one.", self.file),
            }));
        };
        Ok(resolve(name, own, &self.defaults))
    }
}

fn resolve(name: &str, own: &StageSection, defaults: &StageSection) -> Stage {
    macro_rules! setting {
        ($field:ident) => {
            own.$field.clone().or_else(|| defaults.$field.clone())
        };
    }
    let protected = setting!(protected).unwrap_or(false);
    let architecture = setting!(architecture).unwrap_or(Architecture::X86_64);
    // A name in `defaults` would give two stages one table: only a stage itself can name its own.
    let table_name = own.table_name.clone().unwrap_or_else(|| format!("UserData-{name}"));
    let function_name = own
        .function_name
        .clone()
        .unwrap_or_else(|| format!("retrieve-user-data-{name}"));

    let mut parameters: BTreeMap<String, String> = defaults
        .parameters
        .iter()
        .chain(&own.parameters)
        .map(|(key, value)| (key.clone(), value.to_text()))
        .collect();
    let own_parameters = parameters.keys().cloned().collect();
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            parameters.insert(key.to_owned(), value);
        }
    };
    set("Stage", Some(name.to_owned()));
    set("Protected", Some(protected.to_string()));
    set("TableName", Some(table_name));
    set("FunctionName", Some(function_name));
    set("Architecture", Some(architecture.as_str().to_owned()));
    set("LogRetentionDays", setting!(log_retention_days).map(|n| n.to_string()));
    set(
        "LogLevel",
        setting!(log_level).map(|level| format!("{level:?}").to_lowercase()),
    );
    set("ThrottleRate", setting!(throttle_rate).map(|n| n.to_string()));
    set("ThrottleBurst", setting!(throttle_burst).map(|n| n.to_string()));
    set("AlarmEmail", setting!(alarm_email));
    set(
        "PriceClass",
        setting!(price_class).map(|class| {
            match class {
                PriceClass::Hundred => "PriceClass_100",
                PriceClass::TwoHundred => "PriceClass_200",
                PriceClass::All => "PriceClass_All",
            }
            .to_owned()
        }),
    );
    Stage {
        name: name.to_owned(),
        protected,
        region: setting!(region),
        architecture,
        fingerprints: setting!(fingerprints).unwrap_or(true),
        parameters,
        own_parameters,
    }
}

const LONGEST_STAGE: usize = 20;

/// One rule for both names: they are joined into names of stacks (no `_`), buckets (no capitals) and API stages.
fn check_name(what: &str, name: &str, longest: usize) -> Result<()> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    if !well_formed {
        return Err(
            Error::usage(format!("the {what} name `{name}` would be refused by AWS")).hint(
                "Use lower-case letters, digits and hyphens, beginning with a letter: it becomes part of stack, bucket \
             and API stage names.",
            ),
        );
    }
    if name.len() > longest {
        return Err(Error::usage(format!(
            "the {what} name `{name}` has {} characters; {longest} is the most",
            name.len()
        ))
        .hint("A bucket's name has room for 63 characters, project, stage, account and region together."));
    }
    // CloudFormation-made and S3 names refuse these beginnings.
    if name.starts_with("aws") || name.starts_with("xn--") || name.starts_with("sthree-") {
        return Err(Error::usage(format!(
            "the {what} name `{name}` begins with a prefix that AWS reserves"
        ))
        .hint("Choose another beginning."));
    }
    Ok(())
}

/// The values that settings give; `parameters` may not, or there would be two sources of one value.
const FROM_SETTINGS: &[&str] = &[
    "AlarmEmail",
    "Architecture",
    "FunctionName",
    "LogLevel",
    "LogRetentionDays",
    "PriceClass",
    "Project",
    "Protected",
    "Stage",
    "TableName",
    "ThrottleBurst",
    "ThrottleRate",
];

/// What the types can't say: sections that say what has no effect there.
fn check_section(section: &StageSection, is_defaults: bool) -> Result<(), (Error, String)> {
    if let Some(days) = section.log_retention_days.filter(|days| !RETENTIONS.contains(days)) {
        let error = Error::usage(format!(
            "`logRetentionDays: {days}` is none that CloudWatch Logs offers"
        ))
        .hint(format!("Choose one of {RETENTIONS:?}."));
        return Err((error, format!("logRetentionDays: {days}")));
    }
    let names = [
        ("tableName", &section.table_name),
        ("functionName", &section.function_name),
    ];
    if let Some((key, _)) = names.iter().find(|(_, name)| is_defaults && name.is_some()) {
        let error = Error::usage(format!("`{key}` in `defaults` would give every stage the same one"))
            .hint("Say it in the stage itself; the others are named after their stage.");
        return Err((error, (*key).to_owned()));
    }
    match section
        .parameters
        .keys()
        .find(|name| FROM_SETTINGS.contains(&name.as_str()))
    {
        Some(name) => {
            let error = Error::usage(format!("the parameter `{name}` is given by a setting"))
                .hint("Use the setting of that name (in lower camel case), or change the project's or stage's name.");
            Err((error, name.clone()))
        }
        None => Ok(()),
    }
}

/// Puts file and line of `key` in front of an error. The parser has the places of what it refuses itself; this is for what
/// only the whole file can tell.
fn locate(error: Error, file: &str, text: &str, key: &str) -> Error {
    let is_it = |line: &str| {
        let start = line.trim_start().trim_start_matches(['"', '\'']);
        start
            .strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '"', '\'', ' ']))
    };
    let line = text
        .lines()
        .position(is_it)
        .map_or(String::new(), |index| format!(":{}", index + 1));
    error.at(&format!("{file}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
project: shop
defaults:
  logRetentionDays: 14
  logLevel: warn
stages:
  prod:
    protected: true
    tableName: UserData
    logRetentionDays: 90
    parameters: { Flavour: 7 }
  dev:
";

    fn parse(text: &str) -> Result<Stages> {
        Stages::parse(text, Path::new("stacks/stages.yaml"))
    }

    #[test]
    fn a_stage_overrides_the_defaults_and_names_its_own() {
        let stages = parse(FILE).expect("valid");
        let prod = stages.stage("prod").expect("listed");
        assert!(prod.protected);
        assert_eq!(prod.parameters["TableName"], "UserData");
        assert_eq!(prod.parameters["FunctionName"], "retrieve-user-data-prod");
        assert_eq!(prod.parameters["LogRetentionDays"], "90");
        assert_eq!(prod.parameters["LogLevel"], "warn");
        assert_eq!(prod.parameters["Flavour"], "7");
        let dev = stages.stage("dev").expect("listed");
        assert!(!dev.protected);
        assert_eq!(dev.parameters["TableName"], "UserData-dev");
        assert_eq!(dev.parameters["LogRetentionDays"], "14");
        assert!(!dev.parameters.contains_key("AlarmEmail"));
        assert!(prod.fingerprints && dev.fingerprints, "the default");
        let off = FILE.replace("logLevel: warn", "fingerprints: false") + "    fingerprints: true\n";
        let off = parse(&off.replace("  dev:\n", "  dev: {}\n  test:\n")).expect("valid");
        let fingerprints = |stage| off.stage(stage).expect("listed").fingerprints;
        assert_eq!(["prod", "dev", "test"].map(fingerprints), [false, false, true]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let error = parse("project: shop\nstages:\n  prod:\n    protcted: true\n").expect_err("unknown key");
        let text = error.to_string();
        assert!(text.contains("stacks/stages.yaml:4:5"), "{text}");
        assert!(text.contains("`protcted`"), "{text}");
        assert_eq!(error.next_step(), Some("Did you mean `protected`?"));
    }

    #[test]
    fn an_unknown_stage_is_answered_with_the_nearest() {
        let error = parse(FILE).expect("valid").stage("prd").expect_err("unknown stage");
        assert_eq!(error.next_step(), Some("Did you mean `--stage prod`?"));
    }

    #[test]
    fn a_retention_that_aws_would_refuse_is_refused_first() {
        let error = parse(&FILE.replace("logRetentionDays: 90", "logRetentionDays: 10")).expect_err("not offered");
        assert!(error.to_string().starts_with("stacks/stages.yaml:10: "), "{error}");
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        for (text, line, word) in [
            (
                "project: shop\nstages:\n  dev: {}\n  dev: { protected: true }\n",
                4,
                "`dev` is there twice",
            ),
            (
                "project: shop\ndefaults:\n  tableName: x\nstages: { dev: }\n",
                3,
                "`tableName` in `defaults`",
            ),
            (
                "project: shop\nstages:\n  dev:\n    parameters:\n      TableName: x\n",
                5,
                "given by a setting",
            ),
            ("project: shop\nstages:\n  \"Dev\": {}\n", 3, "`Dev` would be refused"),
            (
                "project: shop\nstages:\n  dev:\n    parameters:\n      X: [1]\n",
                5,
                "is text, a number",
            ),
        ] {
            let error = parse(text).expect_err(word).to_string();
            assert!(
                error.starts_with(&format!("stacks/stages.yaml:{line}:")) && error.contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn names_that_aws_would_refuse_are_refused_first() {
        for bad in [
            "Prod",
            "my_stage",
            "1st",
            "",
            "prod-",
            "aws-x",
            "pröd",
            "a-very-long-stage-name-indeed",
        ] {
            assert!(parse(FILE).expect("valid").stage(bad).is_err(), "{bad}");
            let text = format!("project: shop\nstages:\n  \"{bad}\": {{}}\n");
            assert!(parse(&text).is_err(), "{bad}");
        }
    }
}
