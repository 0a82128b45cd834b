# The same by Terraform, which has a language of its own for all of it, the items and the site's files included. Its state is a
# file beside it.
set -eu

terraform() {
    TF_VAR_project=$PROJECT TF_VAR_package=$PACKAGE TF_VAR_name=$NAME TF_VAR_stage=$STAGE TF_VAR_app=$APP \
        TF_VAR_table=$TABLE TF_VAR_function=$FUNCTION TF_DATA_DIR="$WORK/data" \
        "$TERRAFORM" "-chdir=$WORK" "$@"
}

case $1 in
# Once for each checkout, so that it isn't measured.
before)
    cp "${0%/*}/terraform/main.tf" "$WORK/"
    if [ -n "${PLUGINS:-}" ]; then
        terraform init -input=false -no-color "-plugin-dir=$PLUGINS"
    else
        terraform init -input=false -no-color
    fi
    ;;
up)
    terraform apply -auto-approve -input=false -no-color
    ;;
down)
    terraform destroy -auto-approve -input=false -no-color
    ;;
esac
