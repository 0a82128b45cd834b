// The thinnest app of the CDK that makes the same resources: it includes the same templates. All are in one stack, since CDK's
// stacks can't name one another in a circle as the page and the API do; within one there is no circle, as the API itself needs
// nothing of the page.
const path = require('node:path');
const { App, CliCredentialsStackSynthesizer, Fn, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { Asset } = require('aws-cdk-lib/aws-s3-assets');

const { PROJECT, PACKAGE, NAME, STAGE, APP, TABLE, FUNCTION } = process.env;
const stack = new Stack(new App(), 'app', {
  stackName: `${NAME}-app`,
  // `cdk bootstrap` makes five roles, a repository and a key for an account, once. Of that this needs the bucket for packages
  // alone, which is there before: what CDK does is done with the caller's own credentials.
  synthesizer: new CliCredentialsStackSynthesizer({ fileAssetsBucketName: `${NAME}-code` }),
});
const include = (template, parameters) =>
  new CfnInclude(stack, template, { templateFile: path.join(PROJECT, 'stacks', `${template}.yaml`), parameters });
const app = { Project: APP, Stage: STAGE };
const code = new Asset(stack, 'Code', { path: PACKAGE });
const table = include('data', { TableName: TABLE, Protected: 'false' }).getResource('Table');
include('logic', {
  ...app,
  FunctionName: FUNCTION,
  CodeBucket: code.s3BucketName,
  CodeKey: code.s3ObjectKey,
  TableName: table.ref,
  TableArn: table.attrArn,
  SiteOrigin: Fn.sub('https://${Distribution.DomainName}'),
  LogRetentionDays: 3,
});
include('presentation', {
  ...app,
  ApiOrigin: Fn.sub('https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'),
});
