//! A project's stage and the cloud that it lives in.

use std::collections::BTreeMap;
use std::fs::File;

use futures::future::try_join_all;

use crate::cli::Global;
use crate::cloud::{Access, Cloud};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::local as local_cloud;
use crate::project::Project;
use crate::project::stacks::{StackId, StackTemplate};
use crate::project::stages::{Stage, StagePlace};
use crate::report::{Event, Reporter};
use crate::stack::desired::DesiredStack;
use crate::stack::follow;
use crate::stack::ownership::{self, Adoption, Labels};
use crate::stack::partition;
use crate::stack::read::{self, Deployed, Stack};
use crate::stack::status::StackState;
use crate::text::quoted_for_shell;

/// One run of the command: what it was asked, whom it tells, and what it has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    /// What holds for every command.
    pub global: &'a Global,
    /// Who is told.
    pub reporter: &'a Reporter,
    /// What was begun.
    pub journal: &'a Journal,
}

/// What every command on a stage needs.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The project and its stage.
    pub project: Project,
    /// Where it lives.
    pub cloud: Cloud,
    /// Who is told.
    pub reporter: &'a Reporter,
    /// The same account in the other regions that templates ask for.
    elsewhere: BTreeMap<String, Cloud>,
    /// What parameters of stacks are to be, whatever the project says.
    pinned: BTreeMap<StackId, BTreeMap<String, String>>,
}

impl<'a> Context<'a> {
    /// Connects for a project that was opened and checked.
    pub(crate) async fn connect(project: Project, session: Session<'a>) -> Result<Self> {
        let reporter = session.reporter;
        let place = StagePlace {
            region: project.stage.region.clone(),
            profile: project.stage.profile.clone(),
            account: project.stage.account.clone(),
            local: project.stage.local,
        };
        check_profile(session.global, Some(&project.stage), place.local)?;
        let cloud = connect(&place, &project.stage.name, session).await?;
        let elsewhere = elsewhere(&cloud, &project)?;
        if let Some(doubt) = cloud.doubt_of_region() {
            reporter.warn(doubt);
        }
        tell_target(&cloud, &project.name, &project.stage.name, reporter);
        Ok(Self {
            project,
            cloud,
            reporter,
            elsewhere,
            pinned: BTreeMap::new(),
        })
    }

    /// The same stage with another project folder: one that has been checked. What parameters of stacks are to be, whatever
    /// that says, is `pinned`.
    ///
    /// # Errors
    /// It isn't for this place.
    pub(crate) fn with_project(
        self,
        project: Project,
        pinned: BTreeMap<StackId, BTreeMap<String, String>>,
    ) -> Result<Self> {
        Ok(Self {
            elsewhere: elsewhere(&self.cloud, &project)?,
            project,
            pinned,
            ..self
        })
    }

    /// The same stage for the project as it is by now, without asking again who this is.
    ///
    /// # Errors
    /// It isn't for this place.
    pub(crate) fn again(&self, project: Project) -> Result<Self> {
        Ok(Self {
            elsewhere: elsewhere(&self.cloud, &project)?,
            cloud: self.cloud.clone(),
            reporter: self.reporter,
            pinned: BTreeMap::new(),
            project,
        })
    }

    /// Whether the stage is protected, or any of its stacks was deployed as a protected one's: what is deployed decides,
    /// whatever this checkout says.
    pub(crate) fn is_protected(&self, deployed: &BTreeMap<StackId, Deployed>) -> bool {
        self.project.stage.protected || deployed.values().any(|found| found.stack.is_protected())
    }

    /// What changing a protected stage is called in a question: with all that tells it from another.
    pub(crate) fn protected_place(&self) -> String {
        let (stage, project) = (&self.project.stage.name, &self.project.name);
        let (place, region) = (self.cloud.whereabouts(), &self.cloud.region);
        format!("change the protected stage {stage} of {project} {place}, {region}")
    }

    /// Where a stack lives: in the stage's region, unless its template asks for another.
    pub(crate) fn cloud_of(&self, id: &StackId) -> &Cloud {
        let region = self.project.stack(id).and_then(|stack| stack.region.as_ref());
        region
            .and_then(|region| self.elsewhere.get(region))
            .unwrap_or(&self.cloud)
    }

    /// A stack's name. In another region than the stage's it ends in that one: the same stage may be deployed in several.
    pub(crate) fn stack_name(&self, id: &StackId) -> String {
        let name = self.project.stack_name(id);
        if self.cloud_of(id).region == self.cloud.region {
            name
        } else {
            format!("{name}-{}", self.cloud.region)
        }
    }

    /// A stack as the project wants it, with `inputs` beside the values that its settings give it.
    pub(crate) fn desired(&self, stack: &StackTemplate, inputs: BTreeMap<String, String>) -> DesiredStack {
        let stage = &self.project.stage;
        let labels = Labels {
            project: &self.project.name,
            stage: &stage.name,
            protected: stage.protected,
            expires: stage.expires,
        };
        let mut parameters = self.project.known_values(&stack.id);
        parameters.extend(self.pinned.get(&stack.id).cloned().unwrap_or_default());
        parameters.extend(inputs);
        let emulator = self.cloud.endpoint.emulator();
        DesiredStack::new(
            stack,
            self.stack_name(&stack.id),
            &labels,
            stage.boundary.as_deref(),
            parameters,
            emulator.as_ref(),
        )
    }

    /// The stacks of this stage's names as they are at this moment, whoever's they are, read side by side.
    pub(crate) async fn stacks(&self) -> Result<BTreeMap<StackId, Stack>> {
        let found = try_join_all(self.project.stacks().map(|stack| async {
            let found = read::describe(self.cloud_of(&stack.id), &self.stack_name(&stack.id)).await?;
            Ok::<_, Error>((stack.id.clone(), found))
        }))
        .await?;
        Ok(there(found))
    }

    /// The same, with what is in them.
    pub(crate) async fn survey(&self) -> Result<BTreeMap<StackId, Deployed>> {
        let found = try_join_all(self.project.stacks().map(|stack| async {
            let (cloud, name) = (self.cloud_of(&stack.id), self.stack_name(&stack.id));
            // Both are asked by the name, so that neither waits for the other.
            let (found, resources) = tokio::try_join!(read::describe(cloud, &name), read::resources(cloud, &name))?;
            let deployed = found.map(|found| Deployed {
                stack: found,
                resources,
            });
            Ok::<_, Error>((stack.id.clone(), deployed))
        }))
        .await?;
        Ok(there(found))
    }

    /// The stage's own stacks, to be worked on; those of the `adoption` needn't say whose they are.
    ///
    /// # Errors
    /// One of them is somebody else's: then none is to be touched.
    pub(crate) async fn own_stacks(&self, adoption: Adoption<'_>) -> Result<BTreeMap<StackId, Stack>> {
        let stacks = self.stacks().await?;
        ownership::check(&stacks, &self.stack_names(), &self.project, adoption)?;
        Ok(stacks)
    }

    /// The same, once the operations that are under way on them have ended.
    pub(crate) async fn settled_stacks(&self, adoption: Adoption<'_>) -> Result<BTreeMap<StackId, Stack>> {
        let stacks = self.own_stacks(adoption).await?;
        let settled = try_join_all(stacks.into_iter().map(|(id, stack)| async {
            let stack = follow::settled(self.cloud_of(&id), &id, stack, self.reporter).await?;
            Ok::<_, Error>((id, stack))
        }))
        .await?;
        Ok(there(settled))
    }

    /// The same, with what is in them.
    pub(crate) async fn settled_survey(&self, adoption: Adoption<'_>) -> Result<BTreeMap<StackId, Deployed>> {
        let stage = self.survey().await?;
        let stacks = stage
            .iter()
            .map(|(id, deployed)| (id.clone(), deployed.stack.clone()))
            .collect();
        ownership::check(&stacks, &self.stack_names(), &self.project, adoption)?;
        let settled = try_join_all(stage.into_iter().map(|(id, deployed)| async {
            let cloud = self.cloud_of(&id);
            let Deployed { stack, resources } = deployed;
            let was_busy = stack.state() == StackState::InProgress;
            let Some(stack) = follow::settled(cloud, &id, stack, self.reporter).await? else {
                return Ok::<_, Error>((id, None));
            };
            let resources = if was_busy {
                read::resources(cloud, &stack.arn).await?
            } else {
                resources
            };
            Ok((id, Some(Deployed { stack, resources })))
        }))
        .await?;
        Ok(there(settled))
    }

    fn stack_names(&self) -> Vec<String> {
        self.project.stacks().map(|stack| self.stack_name(&stack.id)).collect()
    }

    /// Keeps other runs off this stage for as long as the returned value lives.
    pub(crate) async fn lock(&self) -> Result<Option<File>> {
        lock(&self.cloud, &self.project.name, &self.project.stage.name, self.reporter).await
    }

    /// The regions that templates ask for beside the stage's own.
    pub(crate) fn other_regions(&self) -> impl Iterator<Item = &String> {
        self.elsewhere.keys()
    }
}

/// Keeps other runs off a stage for as long as the returned value lives. CloudFormation does that by itself on AWS; an emulator
/// lets two runs overwrite one another.
pub(crate) async fn lock(cloud: &Cloud, project: &str, stage: &str, reporter: &Reporter) -> Result<Option<File>> {
    match cloud.endpoint.url() {
        None => Ok(None),
        Some(endpoint) => {
            let stage = format!("{endpoint} {project} {stage}");
            local_cloud::lock_stage(&stage, reporter).await.map(Some)
        }
    }
}

/// Refuses a profile, which is AWS's, in a run that is for the local cloud: because it says so, or because its `stage` is
/// never anywhere else.
fn check_profile(global: &Global, stage: Option<&Stage>, is_local: bool) -> Result<()> {
    let Some(profile) = global.profile.as_ref().filter(|_| global.local || is_local) else {
        return Ok(());
    };
    let profile = format!("--profile {} names an account on AWS", quoted_for_shell(profile));
    let own = stage.filter(|stage| stage.local);
    Err(if let Some(stage) = own {
        let what = format!("{profile}, and the stage {} is always on the local cloud", stage.name);
        let error = stage.place_of_local().refuse(Error::new(ErrorKind::InvalidUsage, what));
        error.hint("Leave out --profile, or name another stage.")
    } else if is_local {
        let what = format!("{profile}, and the stage is always on the local cloud");
        Error::new(ErrorKind::InvalidUsage, what).hint("Leave out --profile, or name another stage.")
    } else {
        let said = global.local_is_said_by();
        let what = format!("{profile}, and {said} asks for the local cloud");
        let without = match said {
            "--local" => "Leave out one of the two.".to_owned(),
            variable => {
                format!("Leave out --profile, or say it with `{variable}=` in front: `{variable}= deployer …`.")
            }
        };
        Error::new(ErrorKind::InvalidUsage, what).hint(without)
    })
}

/// Tells where a run works.
pub(crate) fn tell_target(cloud: &Cloud, project: &str, stage: &str, reporter: &Reporter) {
    reporter.event(&Event::Target {
        project: project.to_owned(),
        stage: stage.to_owned(),
        account: cloud.account.clone(),
        region: cloud.region.clone(),
        endpoint: cloud.endpoint.url().map(str::to_owned),
    });
}

/// Connects to where `stage` is, as far as the file and the command line say.
///
/// # Errors
/// There are no credentials, or they are of another account than it is to be in.
pub(crate) async fn connect(place: &StagePlace, stage: &str, session: Session<'_>) -> Result<Cloud> {
    let Session {
        global,
        reporter,
        journal,
    } = session;
    check_profile(global, None, place.local)?;
    let is_local = global.local || place.local;
    let region = global.region.clone().or_else(|| place.region.clone());
    let access = if is_local {
        let running = local_cloud::ensure_running(reporter).await?;
        Access::Keys {
            endpoint: running.endpoint,
            region: region.unwrap_or_else(|| local_cloud::REGION.to_owned()),
            access_key_id: running.credentials.access_key_id,
            secret_access_key: running.credentials.secret_access_key,
        }
    } else {
        Access::Chain {
            profile: global.profile.clone().or_else(|| place.profile.clone()),
            region,
        }
    };
    let cloud = Cloud::connect(&access, journal).await?;
    // The local cloud has an account of its own, which nobody means by a number.
    if let Some(wanted) = place
        .account
        .as_ref()
        .filter(|wanted| !is_local && **wanted != cloud.account)
    {
        return Err(Error::new(
            ErrorKind::WrongAccount,
            format!(
                "the stage {stage} is to be in the account {wanted}, and these credentials are of {}",
                cloud.account
            ),
        )
        .hint("Use another --profile, or correct `account:` in stacks/stages.yaml."));
    }
    Ok(cloud)
}

/// The clients for the regions that templates ask for beside the stage's own.
fn elsewhere(cloud: &Cloud, project: &Project) -> Result<BTreeMap<String, Cloud>> {
    partition::check(&cloud.partition, project)?;
    let mut elsewhere = BTreeMap::new();
    for stack in project.stacks() {
        if let Some(region) = stack.region.as_ref().filter(|region| **region != cloud.region) {
            let there = cloud
                .in_region(region)
                .map_err(|error| error.at(&stack.file.display().to_string()))?;
            elsewhere.insert(region.clone(), there);
        }
    }
    Ok(elsewhere)
}

fn there<T>(stacks: Vec<(StackId, Option<T>)>) -> BTreeMap<StackId, T> {
    stacks
        .into_iter()
        .filter_map(|(id, stack)| Some((id, stack?)))
        .collect()
}
