# What there is in the cloud, as JSON: asked by the SDK that the AWS CLI brings. What begins with NAME, and
# the table and the function, are what a peer made; everything else isn't looked at.
import http.client
import json
import os

import awscli.botocore.config as configuration
import awscli.botocore.session as sessions

NAME, TABLE, FUNCTION, STAGE = (os.environ[name] for name in ("NAME", "TABLE", "FUNCTION", "STAGE"))
endpoint = os.environ["AWS_ENDPOINT_URL"]
session = sessions.get_session()
config = configuration.Config(s3={"addressing_style": "path"})


def client(service):
    return session.create_client(service, endpoint_url=endpoint, config=config)


def ours(names):
    return sorted(name for name in names if name.startswith(NAME) or name.endswith(FUNCTION) or name == TABLE)


def every(service, operation, key, **arguments):
    pages = client(service).get_paginator(operation).paginate(**arguments)
    return [one for page in pages for one in page.get(key) or []]


stacks = {
    stack["StackName"]: stack["StackStatus"]
    for stack in every("cloudformation", "list_stacks", "StackSummaries")
    if stack["StackName"].startswith(NAME) and stack["StackStatus"] != "DELETE_COMPLETE"
}
s3 = client("s3")
buckets = ours(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])
apis = {api["name"]: api["id"] for api in every("apigateway", "get_rest_apis", "items")}
listing = client("cloudfront").list_distributions().get("DistributionList", {}).get("Items") or []
there = {
    "bucket": buckets,
    "table": ours(every("dynamodb", "list_tables", "TableNames")),
    "function": ours(one["FunctionName"] for one in every("lambda", "list_functions", "Functions")),
    "role": ours(one["RoleName"] for one in every("iam", "list_roles", "Roles")),
    "log group": ours(one["logGroupName"] for one in every("logs", "describe_log_groups", "logGroups")),
    "alarm": ours(one["AlarmName"] for one in every("cloudwatch", "describe_alarms", "MetricAlarms")),
    "API": ours(apis),
    "distribution": sorted(one["Id"] for one in listing if any(
        origin["DomainName"].startswith(NAME) for origin in one["Origins"]["Items"]
    )),
}

site = next((bucket for bucket in buckets if "-site-" in bucket), None)
files = sorted(one["Key"] for one in every("s3", "list_objects_v2", "Contents", Bucket=site)) if site else []
told = None
if "config.json" in files:
    told = json.loads(s3.get_object(Bucket=site, Key="config.json")["Body"].read()).get("apiUrl")

# The API is asked at the address that the page is told, which is this machine's to a peer that knows of emulators, and
# AWS's to the others.
answer = None
identifier = next((apis[name] for name in there["API"]), None)
if identifier and told and identifier in told:
    host = endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    port = host.rpartition(":")[2]
    headers = {"Host": f"{identifier}.execute-api.localhost:{port}"}
    connection.request("GET", f"/{STAGE}/users?userId=1", headers=headers)
    answer = connection.getresponse().read().decode()

items = client("dynamodb").scan(TableName=TABLE)["Count"] if there["table"] else 0
print(json.dumps({"stacks": stacks, "there": there, "files": files, "items": items, "answer": answer}))
