//! What lets tests share an emulator: what is in one region can't be seen from another, and ends with nobody else's.

use tempfile::TempDir;

use crate::support::{Clients, Emulator, Project};

#[tokio::test]
async fn stages_of_one_name_in_two_regions_of_a_cloud_have_nothing_in_common() {
    let emulators = [Emulator::shared(), Emulator::shared()];
    let project = Project::copy();
    let [first, second] = emulators.each_ref().map(Emulator::endpoint);
    let up = ["up", "--stage", "dev", "--only", "data"];
    project.deployer(&first, &up).success();
    let tables = async |endpoint: &str| {
        let tables = Clients::root(endpoint).dynamodb.list_tables().send().await;
        tables.expect("tables").table_names().to_vec()
    };
    assert_eq!(tables(&first).await, ["UserData-dev"]);
    assert_eq!(tables(&second).await, [""; 0]);
    project.deployer(&second, &up).success();
    project.deployer(&first, &["down", "--stage", "dev", "--yes"]).success();
    assert_eq!(tables(&first).await, [""; 0]);
    assert_eq!(tables(&second).await, ["UserData-dev"], "the other's stays");
}

/// Makes, changes and removes a function in one region while one of its name is about an event in another, which is told that
/// it may end only then. In `FOLDER` each tells the other how far it is.
const OF_ONE_NAME: &str = r#"
import json, os, sys, threading, time
import boto3
from botocore.config import Config

endpoint, key, secret = sys.argv[1:4]
CODE = """
import os, time
def handler(event, context):
    open(os.path.join(event["folder"], "begun"), "x").close()
    while not os.path.exists(os.path.join(event["folder"], "others are done")):
        time.sleep(0.02)
    return "whole"
"""
TEMPLATE = json.dumps({"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": {
    "FunctionName": "of-one-name", "Runtime": "python3.13", "Handler": "index.handler", "Timeout": 60,
    "Role": "arn:aws:iam::000000000000:role/any", "Code": {"ZipFile": CODE}}}}})


def client(service, region):
    return boto3.client(service, endpoint_url=endpoint, region_name=region, aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(retries={"total_max_attempts": 1}))


def made(region):
    cloudformation = client("cloudformation", region)
    cloudformation.create_stack(StackName="of-one-name", TemplateBody=TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="of-one-name", WaiterConfig={"Delay": 0.1})
    client("lambda", region).get_waiter("function_active_v2").wait(
        FunctionName="of-one-name", WaiterConfig={"Delay": 0.1})


def invoked():
    answer = client("lambda", REGION).invoke(FunctionName="of-one-name", Payload=json.dumps({"folder": FOLDER}))
    told.append(answer.get("FunctionError", "no error") + ": " + answer["Payload"].read().decode())


made(REGION)
told = []
event = threading.Thread(target=invoked)
event.start()
while not os.path.exists(os.path.join(FOLDER, "begun")):
    assert event.is_alive(), told
    time.sleep(0.02)
made(OTHER_REGION)
client("lambda", OTHER_REGION).update_function_configuration(
    FunctionName="of-one-name", Environment={"Variables": {"A": "B"}})
client("cloudformation", OTHER_REGION).delete_stack(StackName="of-one-name")
client("cloudformation", OTHER_REGION).get_waiter("stack_delete_complete").wait(
    StackName="of-one-name", WaiterConfig={"Delay": 0.1})
open(os.path.join(FOLDER, "others are done"), "x").close()
event.join()
client("cloudformation", REGION).delete_stack(StackName="of-one-name")
print(*told)
"#;

#[test]
fn functions_of_one_name_in_two_regions_do_not_end_each_other() {
    let (emulator, folder) = (Emulator::shared(), TempDir::new().expect("a folder"));
    let variables = format!(
        "FOLDER, REGION, OTHER_REGION = {:?}, {:?}, 'eu-north-1'\n",
        folder.path().to_str().expect("text"),
        emulator.region()
    );
    let told = emulator.told_by(&[&variables, OF_ONE_NAME].concat());
    assert_eq!(told, "no error: \"whole\"");
}
