# What the AWS CLI does for more than one of the peers. Each variable in capitals is the benchmark's:
# AWS        the command
# PROJECT    the project's folder
# PACKAGE    the function's package, a zip
# WORK       an empty folder for what it keeps until the app is taken down
# NAME       what stacks and buckets are called, before their own part
# STAGE      the stage's name, and APP the project's
# TABLE, FUNCTION   the names of those

# The outputs of a stack as variables of the shell: one question for all of them.
outputs() {
    "$AWS" cloudformation describe-stacks --stack-name "$1" --output text \
        --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' > "$WORK/outputs"
    while read -r output value; do
        eval "$output=\$value"
    done < "$WORK/outputs"
}

# A package is called by its content, so that another one is a change.
package_key() {
    digest=$(sha256sum "$PACKAGE")
    echo "function/${digest%% *}.zip"
}

# The items of seed.yaml in one call. As they are there already the second time, they are put again: the CLI has no way to put
# many only where they are missing.
seed() {
    "$AWS" dynamodb batch-write-item --request-items "file://${0%/*}/items.json" > "$WORK/seeded"
}

# The site, with the API's address in it; CloudFront forgets what it had if anything was sent.
publish() { # the bucket, the distribution, the API's address
    printf '{"apiUrl":"%s"}' "$3" > "$WORK/config.json"
    # A file that is written anew has another time, which is what the CLI goes by.
    cmp -s "$WORK/config.json" "$PROJECT/site/config.json" || cp "$WORK/config.json" "$PROJECT/site/config.json"
    "$AWS" s3 sync "$PROJECT/site" "s3://$1" --delete --no-progress > "$WORK/sent"
    if [ -s "$WORK/sent" ]; then
        "$AWS" cloudfront create-invalidation --distribution-id "$2" --paths '/*' > "$WORK/invalidated"
    fi
}

# All versions of all objects of a versioned bucket: CloudFormation doesn't remove one that has any.
empty() {
    "$AWS" s3api list-object-versions --bucket "$1" --output json \
        --query '{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}, Quiet: `true`}' \
        > "$WORK/versions.json"
    if grep -q '"Key"' "$WORK/versions.json"; then
        "$AWS" s3api delete-objects --bucket "$1" --delete "file://$WORK/versions.json" > "$WORK/emptied"
    fi
}

# What a careful person does by hand, as a fixed list, with `deploy` and `remove` for a stack. The stacks come one after the
# other, since each needs what the one before it tells; the presentation comes twice, as the page's policy names the API and
# the API the page.
by_stacks() { # up or down
    case $1 in
    up)
        "$AWS" s3api head-bucket --bucket "$NAME-code" > "$WORK/head" 2>&1 ||
            "$AWS" s3api create-bucket --bucket "$NAME-code" > "$WORK/created"
        deploy data TableName="$TABLE" Protected=false
        deploy presentation Project="$APP" Stage="$STAGE"
        key=$(package_key)
        "$AWS" s3 cp "$PACKAGE" "s3://$NAME-code/$key" --no-progress
        outputs "$NAME-data"
        outputs "$NAME-presentation"
        deploy logic Project="$APP" Stage="$STAGE" FunctionName="$FUNCTION" CodeBucket="$NAME-code" CodeKey="$key" \
            TableName="$TableName" TableArn="$TableArn" SiteOrigin="$SiteOrigin" LogRetentionDays=3
        outputs "$NAME-logic"
        deploy presentation Project="$APP" Stage="$STAGE" ApiOrigin="$ApiOrigin"
        seed
        publish "$SiteBucket" "$DistributionId" "$ApiUrl"
        ;;
    down)
        outputs "$NAME-presentation"
        remove logic
        empty "$SiteBucket"
        remove presentation
        remove data
        # Its stack leaves it.
        "$AWS" dynamodb delete-table --table-name "$TABLE" > "$WORK/deleted"
        "$AWS" s3 rm "s3://$NAME-code" --recursive --only-show-errors
        "$AWS" s3api delete-bucket --bucket "$NAME-code"
        ;;
    esac
}
