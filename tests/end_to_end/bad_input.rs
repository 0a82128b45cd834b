//! Bad input: one clear message, the place, the next command, the documented exit code, and nothing created.

use std::net::TcpListener;

use crate::support::{Deployer, Emulator, Project, Proxy, Ran, free_port};

/// Runs `up` where every request would be seen; none may be sent.
fn without_a_request(project: &Project, args: &[&str]) -> Ran {
    let proxy = Proxy::before(free_port());
    let ran = project.deployer(&proxy.endpoint(), args);
    assert!(proxy.take().is_empty(), "the folder alone tells: {}", ran.stderr);
    ran
}

#[test]
fn what_is_wrong_in_the_folder_is_told_by_file_line_and_key() {
    let project = Project::copy();
    let stages = project.read("stacks/stages.yaml");
    let data = project.read("stacks/data.yaml");
    let up = |parts: &[&str]| {
        without_a_request(&project, &["up"]).fails_with(2).says(parts);
    };

    project.write(
        "stacks/stages.yaml",
        &stages.replace("    protected: true", "    protcted: true"),
    );
    let line = 1 + stages
        .lines()
        .position(|line| line.contains("protected: true"))
        .expect("there");
    up(&[
        &format!("stages.yaml:{line}:5"),
        "unknown field `protcted`",
        "Did you mean `protected`?",
    ]);
    project.write(
        "stacks/stages.yaml",
        &stages.replace("logLevel: info ", "logLevel: loud "),
    );
    up(&["stages.yaml:", "unknown variant `loud`", "`info`"]);
    project.write("stacks/stages.yaml", &stages.replace("  prod:\n", "  Prod:\n"));
    up(&["stages.yaml:", "`Prod` would be refused by AWS", "lower-case"]);
    project.write("stacks/stages.yaml", "project: shop\nstages: {\n  prod: ]\n");
    up(&["stages.yaml:3:9"]);
    project.write("stacks/stages.yaml", &stages);

    without_a_request(&project, &["up", "--stage", "prdo"])
        .fails_with(2)
        .says(&["has no stage `prdo`", "Did you mean `--stage prod`?"]);
    without_a_request(&project, &["status", "--stage", "My_Stage"])
        .fails_with(2)
        .says(&["`My_Stage` would be refused by AWS"]);

    project.write("stacks/data.yaml", &data.replace("Resources:\n", "Resources: {\n"));
    up(&["data.yaml:"]);
    project.write(
        "stacks/data.yaml",
        &data.replace(
            "  TableName: { Type: String, Default: UserData }",
            "  TableName: { Type: String }\n  Mystery: { Type: String }",
        ),
    );
    up(&[
        "data.yaml: the parameter `Mystery` has neither a default nor a value",
        "stages.yaml",
    ]);
    project.write("stacks/data.yaml", &data);

    for (seed, parts) in [
        ("- userId: \"1\"\n- name: x\n", ["seed.yaml:2:", "no `userId`"]),
        (
            "- userId: \"1\"\n- name: x\n  userId: 7\n",
            ["seed.yaml:3:", "must be a string; quote it: \"7\""],
        ),
        (
            "- userId: a\n- userId: b\n- userId: a\n",
            ["seed.yaml:3:", "`userId: \"a\"` is there twice"],
        ),
        ("- userId: a\n  name: \"x\n", ["seed.yaml:", "quoted scalar"]),
    ] {
        project.write("stacks/seed.yaml", seed);
        up(&parts);
        without_a_request(&project, &["seed"]).fails_with(2).says(&parts);
    }
}

#[test]
fn a_folder_that_is_no_project_is_told_so() {
    let dir = tempfile::TempDir::new().expect("a folder");
    Deployer::new(dir.path(), &["up"])
        .run()
        .fails_with(2)
        .says(&["there is no ./stacks", "--project-dir"]);
    Deployer::new(dir.path(), &["up", "--stge", "x"])
        .run()
        .fails_with_usage();
}

impl Ran {
    fn fails_with_usage(self) {
        assert_eq!(self.code, 2);
        assert!(self.stderr.contains("--stage"), "clap suggests: {}", self.stderr);
    }
}

#[test]
fn names_that_become_too_long_are_refused_before_anything_is_created() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.edit(
        "stacks/stages.yaml",
        "functionName: retrieve-user-data\n",
        &format!("functionName: {}\n", "f".repeat(65)),
    );
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "logic.yaml",
        "Function (AWS::Lambda::Function)",
        "65 characters; 64 is the most",
    ]);
    project.edit("stacks/stages.yaml", &format!("functionName: {}\n", "f".repeat(65)), "");
    project.edit("stacks/stages.yaml", "tableName: UserData\n", "tableName: User Data\n");
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "data.yaml",
        "`User Data`",
        "AWS::DynamoDB::Table",
    ]);
    proxy.assert_nothing_was_written();
}

#[test]
fn a_function_that_does_not_compile_shows_cargos_own_error() {
    let emulator = Emulator::start();
    let project = Project::copy();
    std::fs::remove_file(project.path().join("function")).expect("the link");
    std::fs::create_dir_all(project.path().join("function/src")).expect("a folder");
    project.write(
        "function/Cargo.toml",
        "[package]\nname = \"broken\"\nedition = \"2024\"\n[[bin]]\nname = \"bootstrap\"\npath = \"src/main.rs\"\n[workspace]\n",
    );
    project.write(
        "function/src/main.rs",
        "fn main() {\n    let answer: u8 = \"forty-two\";\n}\n",
    );
    let target = project.path().join("target");
    let ran = Deployer::new(project.path(), &["up", "--stage", "dev"])
        .at(&emulator.endpoint())
        .env("CARGO_TARGET_DIR", &target)
        .run();
    let stacks = project
        .deployer(&emulator.endpoint(), &["status", "--stage", "dev"])
        .success();
    assert!(stacks.stdout.contains("Nothing is deployed"), "{}", stacks.stdout);
    ran.fails_with(2).says(&[
        "the function doesn't build",
        "error[E0308]",
        "src/main.rs:2:22",
        "Correct function/",
    ]);

    std::fs::remove_dir_all(project.path().join("function")).expect("removed");
    project
        .deployer(&emulator.endpoint(), &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&["there is no", "function/Cargo.toml"]);
}

#[test]
fn without_credentials_region_or_an_answer_the_message_says_so() {
    let project = Project::copy();
    let here = project.path();
    let nobody = format!("http://127.0.0.1:{}", free_port());

    Deployer::new(here, &["up"])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", &nobody)
        .run()
        .fails_with(2)
        .says(&[
            "no usable AWS credentials were found",
            "aws sso login",
            "--profile",
            "--local",
        ]);
    Deployer::new(here, &["status"])
        .env("AWS_ENDPOINT_URL", &nobody)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .run()
        .fails_with(2)
        .says(&["no AWS region is set", "AWS_REGION", "stages.yaml"]);
    Deployer::new(here, &["status"]).at(&nobody).run().fails_with(2).says(&[
        &nobody,
        "no connection",
        "AWS_ENDPOINT_URL",
    ]);
    Deployer::new(here, &["status", "--profile", "nowhere"])
        .at(&nobody)
        .run()
        .fails_with(2)
        .says(&["nowhere"]);

    // One that takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    Deployer::new(here, &["status"])
        .at(&address)
        .run()
        .fails_with(2)
        .says(&[&address, "AWS_ENDPOINT_URL"]);
}

#[test]
fn endpoints_in_two_places_are_refused() {
    let project = Project::copy();
    let proxy = Proxy::before(free_port());
    Deployer::new(project.path(), &["up"])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_S3", proxy.endpoint())
        .run()
        .fails_with(2)
        .says(&["not in one place", "S3: http://127.0.0.1", "DynamoDB: AWS"]);
    assert!(proxy.take().is_empty());
    // A service's own endpoint comes before the common one, so having both is a mix, too.
    Deployer::new(project.path(), &["up"])
        .at(&proxy.endpoint())
        .env("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:9")
        .run()
        .fails_with(2)
        .says(&["not in one place", "CloudFormation: http://127.0.0.1:9"]);
    assert!(proxy.take().is_empty());
}

/// A profile that assumes a role asks STS for it, in the profile's region.
#[test]
fn a_profile_with_a_role_is_assumed_in_its_own_region() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    project.write(
        "aws-config",
        "[profile base]\nregion = eu-west-1\n[profile role]\nrole_arn = arn:aws:iam::000000000000:role/deployers\n\
         source_profile = base\nregion = eu-central-1\n",
    );
    project.write(
        "aws-credentials",
        "[base]\naws_access_key_id = test\naws_secret_access_key = test\n",
    );
    let status = Deployer::new(project.path(), &["status", "--profile", "role"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_CONFIG_FILE", project.path().join("aws-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", project.path().join("aws-credentials"))
        // Neither may win over what the command line says.
        .env("AWS_REGION", "us-west-2")
        .env("AWS_ACCESS_KEY_ID", "wrong")
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .run();
    let assumed = proxy
        .take()
        .into_iter()
        .find(|seen| seen.operation == "AssumeRole")
        .expect("the role is assumed");
    assert_eq!(
        assumed.parameter("RoleArn").as_deref(),
        Some("arn:aws:iam::000000000000:role/deployers")
    );
    assert!(
        assumed.authorization.contains("/eu-central-1/sts/"),
        "{}",
        assumed.authorization
    );
    // The emulator has no such role; what counts is that it was asked for, and that the refusal is told.
    status.fails_with(2).says(&["the profile `role`"]);
}

/// The ways that AWS refuses credentials, as each service words them.
#[test]
fn refused_credentials_are_told_apart() {
    let project = Project::copy();
    for (code, message, code_of_exit, parts) in [
        (
            "ExpiredToken",
            "The security token included in the request is expired",
            2,
            ["have expired", "aws sso login"],
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            2,
            ["doesn't know", "AWS_ACCESS_KEY_ID"],
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            2,
            ["AWS_SECRET_ACCESS_KEY", "clock"],
        ),
    ] {
        let proxy = Proxy::before(free_port());
        proxy.rule(move |_| {
            Some((
                403,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                ),
            ))
        });
        project
            .deployer(&proxy.endpoint(), &["up"])
            .fails_with(code_of_exit)
            .says(&[code])
            .says(&parts);
        assert!(
            proxy.take().iter().all(|seen| seen.operation == "GetCallerIdentity"),
            "nothing else is asked"
        );
    }
}

#[test]
fn a_site_that_cannot_be_published_is_refused() {
    let project = Project::copy();
    project.write("site/config.json", "{}");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["site/config.json is in the way"]);
    std::fs::remove_file(project.path().join("site/config.json")).expect("removed");
    std::fs::remove_file(project.path().join("site/index.html")).expect("removed");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["there is no ./site/index.html"]);
}

#[test]
fn what_would_have_no_effect_or_break_another_tier_is_refused() {
    let project = Project::copy();
    let stages = project.read("stacks/stages.yaml");
    project.write(
        "stacks/stages.yaml",
        &format!("{stages}    parameters: {{ ThrotleRate: 5 }}\n"),
    );
    without_a_request(&project, &["up", "--stage", "dev"])
        .fails_with(2)
        .says(&[
            "no template has a parameter `ThrotleRate`",
            "Did you mean `ThrottleRate`?",
        ]);
    for given in ["AllowedOrigin", "ApiOrigin", "CodeKey", "TableArn", "Digest"] {
        let own = format!("{stages}    parameters: {{ {given}: mine }}\n");
        project.write("stacks/stages.yaml", &own);
        without_a_request(&project, &["up", "--stage", "dev"])
            .fails_with(2)
            .says(&[
                &format!("the parameter `{given}` is given by another stack"),
                "no effect",
            ]);
    }
    project.write("stacks/stages.yaml", &stages);
    project.edit("stacks/data.yaml", "  TableArn: { Value: !GetAtt Table.Arn }\n", "");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["data.yaml has no output `TableArn`"]);
    std::fs::remove_file(project.path().join("stacks/data.yaml")).expect("removed");
    without_a_request(&project, &["up"])
        .fails_with(2)
        .says(&["could not read ./stacks/data.yaml"]);
}

/// CloudFormation is asked what it thinks of a template before anything is made.
#[test]
fn a_template_that_cloudformation_refuses_is_named() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(emulator.port());
    let project = Project::copy();
    proxy.rule(|seen| {
        (seen.operation == "ValidateTemplate" && seen.body.contains("retrieveUserData")).then(|| {
            let refusal = "<ErrorResponse><Error><Code>ValidationError</Code><Message>Template format error: Unresolved \
                           resource dependencies [Tabel] in the Resources block</Message></Error></ErrorResponse>";
            (400, refusal.to_owned())
        })
    });
    project.deployer(&proxy.endpoint(), &["up"]).fails_with(2).says(&[
        "CloudFormation refuses ./stacks/logic.yaml",
        "[Tabel]",
        "Correct ./stacks/logic.yaml",
    ]);
    proxy.assert_nothing_was_written();
}

#[test]
fn a_name_that_is_no_region_or_url_is_told_so() {
    let project = Project::copy();
    let proxy = Proxy::before(free_port());
    project
        .deployer(&proxy.endpoint(), &["status", "--region", "Frankfurt am Main"])
        .fails_with(2)
        .says(&["`Frankfurt am Main` is no region's name"]);
    project
        .deployer("nonsense", &["status"])
        .fails_with(2)
        .says(&["the endpoint `nonsense` is no URL"]);
    assert!(proxy.take().is_empty());
}
