# The example by the AWS CLI alone.
set -eu
. "${0%/*}/parts.sh"

deploy() { # the stack, its parameters as NAME=VALUE…
    stack=$1
    shift
    "$AWS" cloudformation deploy --stack-name "$NAME-$stack" --template-file "$PROJECT/stacks/$stack.yaml" \
        --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --parameter-overrides "$@"
}

remove() {
    "$AWS" cloudformation delete-stack --stack-name "$NAME-$1"
    "$AWS" cloudformation wait stack-delete-complete --stack-name "$NAME-$1"
}

by_stacks "$1"
