# Ends the processes of a function that is gone. The local cloud leaves them behind where CloudFormation removed it, and whoever
# makes a function of that name next waits for the end of each: what one tool was asked would be in the next one's time.
import io
import json
import os
import zipfile

import awscli.botocore.session as sessions

NAME = os.environ["FUNCTION"]
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("index.py", "")
session = sessions.get_session()
roles, functions = (session.create_client(name, endpoint_url=os.environ["AWS_ENDPOINT_URL"]) for name in ("iam", "lambda"))
trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
document = json.dumps({"Version": "2012-10-17", "Statement": trust})
role = roles.create_role(RoleName="end-processes", AssumeRolePolicyDocument=document)["Role"]
functions.create_function(
    FunctionName=NAME,
    Runtime="python3.12",
    Role=role["Arn"],
    Handler="index.handler",
    Code={"ZipFile": code.getvalue()},
)
functions.delete_function(FunctionName=NAME)
roles.delete_role(RoleName=role["RoleName"])
