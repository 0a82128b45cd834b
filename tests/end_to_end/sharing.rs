//! What lets tests share an emulator: what is in one region can't be seen from another, and ends with nobody else's.

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
