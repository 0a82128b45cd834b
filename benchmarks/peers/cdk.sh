# The same by the CDK: an app that includes the same templates. What isn't a resource is left to the AWS CLI; CDK's own construct
# for a site's files is a function in Python that runs the AWS CLI in the cloud.
set -eu
. "${0%/*}/parts.sh"

cdk() {
    "$CDK" "$@" --app "node $CDK_APP" --output "$WORK/assembly" --no-notices --no-version-reporting
}

case $1 in
# Once for each account, so that it isn't measured.
before)
    "$AWS" s3api create-bucket --bucket "$NAME-code" > "$WORK/created"
    ;;
up)
    cdk deploy --require-approval never --progress events
    outputs "$NAME-app"
    seed
    publish "$SiteBucket" "$DistributionId" "$ApiUrl"
    ;;
down)
    outputs "$NAME-app"
    empty "$SiteBucket"
    cdk destroy --force
    # Its stack leaves it.
    "$AWS" dynamodb delete-table --table-name "$TABLE" > "$WORK/deleted"
    ;;
after)
    "$AWS" s3 rm "s3://$NAME-code" --recursive --only-show-errors
    "$AWS" s3api delete-bucket --bucket "$NAME-code"
    ;;
esac
