# The same by SAM: `sam deploy` and `sam delete` of the same templates. Its package is built before, as everybody's is, so that
# `sam build` has nothing to do. SAM has no way for what isn't a stack, which is left to the AWS CLI.
set -eu
. "${0%/*}/parts.sh"

deploy() { # the stack, its parameters as NAME=VALUE…
    stack=$1
    shift
    "$SAM" deploy --stack-name "$NAME-$stack" --template-file "$PROJECT/stacks/$stack.yaml" \
        --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --no-confirm-changeset --parameter-overrides "$@"
}

remove() {
    "$SAM" delete --stack-name "$NAME-$1" --no-prompts --region "$AWS_REGION"
}

by_stacks "$1"
