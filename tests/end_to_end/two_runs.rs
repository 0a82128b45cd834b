//! Two runs on one stage, from two machines: one goes on, the other waits or says why not. They never mix.

use aws_sdk_cloudformation::types::Parameter;
use aws_sdk_s3::primitives::ByteStream;

use crate::support::{Clients, Deployer, Emulator, Project, Ran};

const BUCKET: &str = "three-tier-dev-artifacts-000000000000-us-east-1";
const LEASE: &str = "run/lease.json";

/// Puts the lease of a run on another machine, which holds for `seconds` without a renewal.
async fn hold(clients: &Clients, renewal: u64, seconds: u64) {
    let lease = serde_json::json!({
        "token": "another", "host": "elsewhere", "processes": null, "process": 7, "renewal": renewal, "lease": seconds,
        "what": "up", "by": "arn:aws:iam::000000000000:user/eve", "since": "2026-01-02T03:04:05Z",
    });
    let put = clients.s3.put_object().bucket(BUCKET).key(LEASE);
    put.body(ByteStream::from(lease.to_string().into_bytes()))
        .send()
        .await
        .expect("put");
}

async fn is_held(clients: &Clients) -> bool {
    clients.s3.head_object().bucket(BUCKET).key(LEASE).send().await.is_ok()
}

/// A change of the logic stack.
fn change(project: &Project, from: u32, to: u32) {
    project.edit(
        "stacks/logic.yaml",
        &format!("MemorySize: {from}"),
        &format!("MemorySize: {to}"),
    );
}

const WAITING: &str = "waiting for another run on it: `up` by arn:aws:iam::000000000000:user/eve (process 7 on elsewhere) since 2026-01-02T03:04:05Z";

#[tokio::test(flavor = "multi_thread")]
async fn another_run_is_waited_for_and_what_it_changed_is_not_mixed_with() {
    let emulator = Emulator::start();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    let project = Project::copy();
    let up = ["up", "--stage", "dev", "--no-verify"];
    project.deployer(&endpoint, &up).success();
    assert!(!is_held(&clients).await, "given back");

    // Of one that has died nobody waits for longer than it says.
    hold(&clients, 1, 2).await;
    project.deployer(&endpoint, &up).success();
    assert!(is_held(&clients).await, "nothing to change, nothing to wait for");
    change(&project, 256, 512);
    project.deployer(&endpoint, &up).success().says(&[WAITING]);
    assert!(!is_held(&clients).await);

    // One that lives and changes the stage: what was planned before isn't carried out.
    change(&project, 512, 1024);
    hold(&clients, 1, 60).await;
    let mut waiting = Deployer::new(project.path(), &up).at(&endpoint).running();
    waiting.says(WAITING);
    let stack = clients
        .cloudformation
        .describe_stacks()
        .stack_name("three-tier-dev-data");
    let stack = stack.send().await.expect("it is there").stacks()[0].clone();
    let parameters = stack.parameters().iter().map(|one| {
        let name = one.parameter_key().unwrap_or_default();
        let parameter = Parameter::builder().parameter_key(name);
        let value = one.parameter_value().filter(|_| name != "DeployerDigest");
        parameter.parameter_value(value.unwrap_or("0123456789abcdef")).build()
    });
    let update = clients.cloudformation.update_stack().stack_name("three-tier-dev-data");
    let update = update
        .use_previous_template(true)
        .set_parameters(Some(parameters.collect()));
    update.send().await.expect("updated");
    let delete = clients.s3.delete_object().bucket(BUCKET).key(LEASE);
    delete.send().await.expect("given back");
    waiting.end().fails_with(1).says(&[
        "another run has changed the stage meanwhile",
        "what was planned is about how it was before",
        "Run the same command again",
    ]);
    assert!(!is_held(&clients).await);
    let memory = async || {
        let function = clients.lambda.get_function_configuration();
        let function = function.function_name("retrieve-user-data-dev");
        function.send().await.expect("it is there").memory_size()
    };
    assert_eq!(memory().await, Some(512));
    project.deployer(&endpoint, &up).success();
    assert_eq!(memory().await, Some(1024));

    // `down` waits, too.
    hold(&clients, 1, 2).await;
    let down = ["down", "--stage", "dev", "--yes"];
    project.deployer(&endpoint, &down).success().says(&[WAITING]);
}

/// Two checkouts that differ in two stacks and the site, deployed at once, three times: the stage is as one of them has it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_stage_is_as_one_of_them_has_it() {
    let emulator = Emulator::start();
    let endpoint = emulator.endpoint();
    let clients = Clients::root(&endpoint);
    let checkouts = [1, 2].map(|number| {
        let project = Project::copy();
        change(&project, 256, 128 + 128 * number);
        let tagged = format!("BillingMode: PAY_PER_REQUEST\n      Tags: [{{ Key: of, Value: \"{number}\" }}]\n");
        project.edit("stacks/data.yaml", "BillingMode: PAY_PER_REQUEST\n", &tagged);
        (number, project)
    });
    let up = |project: &Project| -> Ran {
        let args = ["up", "--stage", "dev", "--no-verify"];
        let deployer = Deployer::new(project.path(), &args).at(&endpoint);
        // As on a machine of its own: the lock on this one isn't shared.
        deployer
            .env("XDG_STATE_HOME", project.path().join("target/state"))
            .run()
    };
    up(&checkouts[0].1).success();
    for round in 0..3 {
        let ran: Vec<Ran> = std::thread::scope(|threads| {
            let runs: Vec<_> = checkouts
                .iter()
                .map(|(_, project)| threads.spawn(|| up(project)))
                .collect();
            runs.into_iter().map(|run| run.join().expect("it ends")).collect()
        });
        for ran in ran.iter().filter(|ran| ran.code != 0) {
            let told = ["changed the stage meanwhile", "is being changed by another run"];
            assert!(told.iter().any(|words| ran.stderr.contains(words)), "{round}: {ran}");
        }
        assert!(ran.iter().any(|ran| ran.code == 0), "one goes on: {ran:#?}");
        let function = clients.lambda.get_function_configuration();
        let function = function.function_name("retrieve-user-data-dev").send().await;
        let memory = function.expect("it is there").memory_size().unwrap_or_default();
        let table = clients
            .dynamodb
            .describe_table()
            .table_name("UserData-dev")
            .send()
            .await;
        let arn = table.expect("it is there").table.and_then(|table| table.table_arn);
        let tags = clients
            .dynamodb
            .list_tags_of_resource()
            .resource_arn(arn.expect("an ARN"));
        let tags = tags.send().await.expect("tags");
        let of = tags
            .tags()
            .iter()
            .find(|tag| tag.key() == "of")
            .map(|tag| tag.value().to_owned());
        assert_eq!(of, Some(((memory - 128) / 128).to_string()), "{round}: {ran:#?}");
    }
}
