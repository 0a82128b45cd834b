//! `deployer up`: build, provision, seed, publish and verify a stage.
//!
//! First the function is built and, beside that, everything is read and planned; nothing is created, so that bad input
//! of any kind leaves nothing behind. Then the parts run side by side; each waits only for the facts it needs:
//!
//! ```text
//! artifacts ─ upload ─ code ┐
//! data ──────────── table ──┼─► logic ── api ──┐
//!            └─► seed       │                  ├─► policy ── place ──► site
//! presentation ─── origin ──┘      stack ──────┘
//! ```
//!
//! The logic tier needs the site's origin, and the site's security policy names the API's. So the presentation stack is
//! made without the API, and when that is there the policy gets it: a second, small update, in the first run alone. Later
//! ones know the API beforehand.

mod plan;
mod provision;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::read_site;
use super::status::{self, StageStatus};
use crate::cli::{Global, Part, UpArgs};
use crate::cloud::origin_of;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::fact::{Teller, fact};
use crate::package::{self, Package, Prebuilt, Target};
use crate::project::did_you_mean;
use crate::project::seed::Item;
use crate::project::{Project, Tier};
use crate::report::{Event, Outcome, Paint, Reporter};
use crate::site::Site;
use crate::stack::change::{Mode, StackPlan};
use crate::stack::digest::DIGEST;
use crate::stack::ownership::Adoption;
use crate::stack::read::Stack;
use crate::stack::status::Meaning;
use crate::stack::wanted::Wanted;
use crate::verify::layer::Layer;
use crate::verify::{Subject, Verification, verify};
use provision::Stop;

/// Parameters of the logic stack that other stacks and the build give.
const FROM_OTHERS: &[&str] = &["TableName", "TableArn", "AllowedOrigin", "CodeBucket", "CodeKey"];

/// The parameter of the presentation stack that has the API's origin, once there is an API.
const API_ORIGIN: &str = "ApiOrigin";

/// Runs the command.
pub async fn run(args: &UpArgs, global: &Global, reporter: &Reporter) -> Result<()> {
    let project = Project::open(&global.project_dir, &global.stage)?;
    // What the folder alone can tell is told before anything is asked of the cloud.
    let items = project.seed_items(None)?;
    check_templates(&project)?;
    let scope = Scope::new(args.only);
    let prebuilt = match &args.function_package {
        Some(file) if scope.logic => Some(Prebuilt::open(file).await?),
        Some(_) => return Err(no_use_for_a_package()),
        None if scope.logic => package::check_crate(&project).map(|()| None)?,
        None => None,
    };
    let site = scope.site.then(|| read_site(&project, reporter)).transpose()?;
    let context = Context::connect(project, global, reporter).await?;
    let prebuilt = match prebuilt {
        Some(prebuilt) => Some(fitting(prebuilt, &context).await?),
        None => None,
    };
    let _lock = context.lock().await?;
    let before = context
        .settled_stacks(Adoption {
            stacks: &args.adopt,
            strangers: true,
        })
        .await?;
    scope.check_needs(&before)?;
    let expected = (items.clone(), site.clone().unwrap_or_default());
    Up {
        context: &context,
        scope,
        revert_drift: args.revert_drift,
        adopted: args.adopt.clone(),
        wait: args.wait,
        prebuilt,
        items,
        site,
        before: before.clone(),
    }
    .run()
    .await?;
    let stacks = if scope.has_stacks() {
        context.stacks().await?
    } else {
        before
    };
    let (items, site) = expected;
    let subject = (!args.no_verify && is_complete(&stacks))
        .then(|| Subject::new(&context, &stacks, items, site))
        .transpose();
    let wanted = |layer, name: &str| args.only.is_none_or(|part| concerns(part, layer, name));
    let verification = match &subject {
        Ok(Some(subject)) => Some(verify(subject, wanted, VERIFY_WITHIN, reporter).await),
        Ok(None) | Err(_) => None,
    };
    let failure = verification.as_ref().and_then(Verification::failure);
    // What was done is told in any case.
    reporter.outcome(&UpOutcome {
        status: status::summarize(&context, &stacks),
        verification,
    })?;
    subject?;
    failure.map_or(Ok(()), Err)
}

/// How long what CloudFront and IAM are still about may take.
const VERIFY_WITHIN: Duration = Duration::from_secs(600);

/// Whether a check has to do with what a run of one part changed.
fn concerns(part: Part, layer: Layer, check: &str) -> bool {
    match (part, layer) {
        (Part::Data | Part::Seed, Layer::Data)
        | (Part::Presentation, Layer::Privacy)
        | (Part::Logic | Part::Function, Layer::Function | Layer::Api | Layer::Permissions)
        | (Part::Site, Layer::Site) => true,
        // Whether the files are the newest is another part's matter.
        (Part::Presentation, Layer::Site) => check == "https" || check == "headers",
        // A new API has a new address.
        (Part::Logic | Part::Function, Layer::Site) => check == "api address" || check == "headers",
        _ => false,
    }
}

/// What a stage is like after `up`.
#[derive(Debug, Serialize)]
struct UpOutcome {
    #[serde(flatten)]
    status: StageStatus,
    /// None if it wasn't wanted, or the stage isn't complete yet.
    verification: Option<Verification>,
}

impl Outcome for UpOutcome {
    fn text(&self, paint: &Paint) -> String {
        let mut text = self.status.text(paint);
        if let Some(verification) = &self.verification {
            text.push_str(&verification.troubles(paint));
        }
        text
    }
}

fn is_complete(stacks: &BTreeMap<Tier, Stack>) -> bool {
    Tier::ALL.iter().all(|tier| {
        let stack = stacks.get(tier);
        stack.is_some_and(|stack| stack.meaning().meaning == Meaning::Ready)
    })
}

fn no_use_for_a_package() -> Error {
    Error::usage("--function-package has no use here: the function isn't among what --only names")
        .hint("Leave one of the two out, or use `--only function`.")
}

/// The package, if the function runs where this run works. It is checked as for Lambda everywhere: what was tried with
/// an emulator can be shipped.
async fn fitting(prebuilt: Prebuilt, context: &Context<'_>) -> Result<Package> {
    if !context.cloud.endpoint.is_aws() && !cfg!(target_os = "linux") {
        return Err(
            Error::usage("an emulator runs the function on this machine, which isn't Linux as Lambda is")
                .hint("Leave out --function-package: the function is built for this machine then."),
        );
    }
    prebuilt.package(context.architecture(), context.reporter).await
}

/// The outputs of each tier that others need.
const OUTPUTS: [(Tier, &[&str]); 4] = [
    (Tier::Artifacts, &["BucketName"]),
    (Tier::Data, &["TableName", "TableArn"]),
    (
        Tier::Presentation,
        &["SiteBucket", "DistributionId", "DistributionDomain"],
    ),
    (Tier::Logic, &["ApiId", "ApiUrl", "FunctionName"]),
];

/// What the templates alone can tell: that they fit one another and the settings.
fn check_templates(project: &Project) -> Result<()> {
    let mut declared = BTreeSet::new();
    for (tier, outputs) in OUTPUTS {
        let wanted = Wanted::new(project, tier, &[])?;
        wanted.check_parameters(if tier == Tier::Logic { FROM_OTHERS } else { &[] })?;
        wanted.check_outputs(outputs)?;
        declared.extend(wanted.declared().map(str::to_owned));
    }
    let given = |name: &&String| FROM_OTHERS.contains(&name.as_str()) || [API_ORIGIN, DIGEST].contains(&name.as_str());
    if let Some(name) = project.stage.own_parameters.iter().find(given) {
        return Err(Error::usage(format!(
            "stacks/stages.yaml: the parameter `{name}` is given by another stack, the function's package or the deployment itself"
        ))
        .hint("Leave it out under `parameters:`: a value there would have no effect."));
    }
    let undeclared = |name: &&String| !declared.contains(*name);
    match project.stage.own_parameters.iter().find(undeclared) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<&str> = declared.iter().map(String::as_str).collect();
            let error = Error::usage(format!("stacks/stages.yaml: no template has a parameter `{name}`"));
            Err(match did_you_mean(name, &known) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint("Declare it under `Parameters:` of the template that is to use it."),
            })
        }
    }
}

/// Which parts a run has.
#[derive(Debug, Clone, Copy)]
struct Scope {
    artifacts: bool,
    data: bool,
    presentation: bool,
    logic: bool,
    seed: bool,
    site: bool,
}

impl Scope {
    fn new(only: Option<Part>) -> Self {
        let is = |parts: &[Part]| only.is_none_or(|only| parts.contains(&only));
        let function = is(&[Part::Logic, Part::Function]);
        Self {
            artifacts: function,
            data: is(&[Part::Data]),
            presentation: is(&[Part::Presentation]),
            logic: function,
            seed: is(&[Part::Seed]),
            site: is(&[Part::Site]),
        }
    }

    /// Refuses to do a part alone that needs a tier which isn't there.
    fn check_needs(&self, before: &BTreeMap<Tier, Stack>) -> Result<()> {
        let needs: [(bool, &[Tier]); 3] = [
            (self.seed, &[Tier::Data]),
            (self.logic, &[Tier::Data, Tier::Presentation]),
            (self.site, &[Tier::Artifacts, Tier::Presentation, Tier::Logic]),
        ];
        let mut needed = needs.iter().filter(|(wanted, _)| *wanted).flat_map(|(_, tiers)| *tiers);
        match needed.find(|tier| !self.has(**tier) && !before.contains_key(tier)) {
            None => Ok(()),
            Some(tier) => Err(
                Error::failed(format!("the {tier} tier, which this part needs, isn't deployed"))
                    .hint("Run `deployer up` without --only once."),
            ),
        }
    }

    /// Whether a run may change stacks.
    fn has_stacks(&self) -> bool {
        Tier::ALL.iter().any(|tier| self.has(*tier))
    }

    fn has(&self, tier: Tier) -> bool {
        match tier {
            Tier::Artifacts => self.artifacts,
            Tier::Data => self.data,
            Tier::Presentation => self.presentation,
            Tier::Logic => self.logic,
        }
    }
}

/// The table, as the logic tier needs it.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    name: String,
    arn: String,
}

/// Where the function's package is.
#[derive(Debug, Clone, PartialEq)]
struct Code {
    bucket: String,
    key: String,
}

struct Up<'a> {
    context: &'a Context<'a>,
    scope: Scope,
    /// Compare with what is really there, not with what was deployed.
    revert_drift: bool,
    /// Stacks that needn't say whose they are.
    adopted: Vec<String>,
    /// Wait until CloudFront has forgotten what changed of the site.
    wait: bool,
    /// The function's package, if it was built before.
    prebuilt: Option<Package>,
    items: Vec<Item>,
    site: Option<Site>,
    before: BTreeMap<Tier, Stack>,
}

impl Up<'_> {
    fn reporter(&self) -> &Reporter {
        self.context.reporter
    }

    async fn run(self) -> Result<()> {
        let (package_teller, package) = fact();
        let (building, planning) = (self.build(package_teller), self.plan(package));
        tokio::pin!(building, planning);
        let (package, plans) = tokio::select! {
            planned = &mut planning => {
                // If the planning fails, nobody waits for the build.
                let plans = planned?;
                (building.await, plans)
            }
            built = &mut building => match (built, planning.await) {
                // A function that doesn't build is why the plan couldn't be made.
                (Err(error), Err(_)) | (Ok(_), Err(error)) => return Err(error),
                (built, Ok(plans)) => (built, plans),
            },
        };
        let package = match package {
            Ok(package) => package,
            Err(error) => {
                plans.discard(self.context).await;
                return Err(error);
            }
        };
        let shown: Vec<StackPlan> = plans.all().map(|planned| planned.plan.clone()).collect();
        let losses: Vec<String> = shown
            .iter()
            .flat_map(|plan| {
                // Of a stack that may be somebody's, whatever leaves it is theirs.
                let all = self.adopted.contains(&plan.name);
                if all { plan.removals() } else { plan.losses() }
            })
            .collect();
        self.reporter().event(&Event::Plan { stacks: shown });
        if !losses.is_empty()
            && let Err(refusal) = self.reporter().confirm("change what holds data", &losses).await
        {
            plans.discard(self.context).await;
            return Err(refusal);
        }
        let outcomes = self.provision(plans, package).await;
        let failures: Vec<Error> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome {
                Err(Stop::Failed(error)) => Some(error),
                Ok(()) | Err(Stop::Skipped) => None,
            })
            .collect();
        match <[Error; 1]>::try_from(failures) {
            Ok([only]) => Err(only),
            Err(failures) => match failures.first() {
                None => Ok(()),
                Some(first) => {
                    let mut all = Error::failed(format!("{} parts failed", failures.len()));
                    for failure in &failures {
                        all = all.because(failure);
                    }
                    Err(all.hint(first.next_step().unwrap_or("Run the same command again.")))
                }
            },
        }
    }

    /// Builds the function, unless it was given; none if this run has no use for it.
    async fn build(&self, teller: Teller<Package>) -> Result<Option<Package>> {
        if !self.scope.logic {
            return Ok(None);
        }
        if let Some(prebuilt) = &self.prebuilt {
            teller.tell(prebuilt.clone());
            return Ok(Some(prebuilt.clone()));
        }
        let target = if self.context.cloud.endpoint.is_aws() {
            Target::Lambda(self.context.project.stage.architecture)
        } else {
            Target::ThisHost
        };
        self.reporter().working("function", "building");
        let built = package::build(&self.context.project, target, self.reporter()).await;
        match &built {
            Ok(package) => {
                self.reporter().finished("function", "built", false);
                teller.tell(package.clone());
            }
            Err(error) => self.reporter().event(&Event::Stopped {
                part: "function",
                message: error.message().to_owned(),
            }),
        }
        built.map(Some)
    }

    fn wanted(&self, tier: Tier, more: &[(&str, String)]) -> Result<Wanted> {
        let mut all = Vec::new();
        // Known beforehand, the API is planned with. What `more` says of it is newer.
        if let Some(Ok(api)) = self.before.get(&Tier::Logic).map(|logic| self.context.api_url(logic)) {
            all.push((API_ORIGIN, origin_of(&api)));
        }
        all.extend_from_slice(more);
        if !self.context.cloud.endpoint.is_aws() {
            // An emulator serves plain HTTP; and it runs the function on this host.
            all.push(("ViewerProtocolPolicy", "allow-all".to_owned()));
            all.push(("Architecture", self.context.architecture().as_str().to_owned()));
        }
        let mut wanted = Wanted::new(&self.context.project, tier, &all)?;
        // What is deployed decides, too: a checkout that doesn't say so mustn't hurry what holds data.
        if self.before.values().any(Stack::is_protected) {
            wanted.mode = Mode::Standard;
        }
        if self.revert_drift {
            wanted.mode = Mode::RevertDrift;
        }
        Ok(wanted)
    }

    fn logic(&self, code: &Code, table: &Table, origin: &str) -> Result<Wanted> {
        self.wanted(
            Tier::Logic,
            &[
                ("CodeBucket", code.bucket.clone()),
                ("CodeKey", code.key.clone()),
                ("TableName", table.name.clone()),
                ("TableArn", table.arn.clone()),
                ("AllowedOrigin", origin.to_owned()),
            ],
        )
    }
}

fn table_of(data: &Stack) -> Result<Table> {
    Ok(Table {
        name: data.output("TableName")?,
        arn: data.output("TableArn")?,
    })
}
