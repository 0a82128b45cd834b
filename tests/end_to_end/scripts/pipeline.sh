#!/bin/bash
# A stage from nothing to nothing, as a build server has it: told by exit codes and JSON documents alone.
#
#   pipeline.sh DEPLOYER deploy|expire|gone
#
# PYTHON reads the documents.
set -Eeuo pipefail
deployer=$1 step=$2 events=$PWD/events.jsonl
export DEPLOYER_STAGE=dev
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2; tail -2 "$events" >&2' ERR

# The value at a path of the document on stdin: `sites.0.url`.
value() {
    "$PYTHON" -c '
import json, sys
found = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    found = found[int(key)] if isinstance(found, list) else found[key]
print(found if isinstance(found, str) else json.dumps(found))' "$1"
}

# The body of an answer, whatever its status. Names below `localhost` are this machine's, which not every resolver knows.
body() {
    "$PYTHON" -c '
import http.client, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=60)
connection.request("GET", url.path + "?" + url.query, headers={"Host": url.netloc})
print(connection.getresponse().read().decode())' "$1"
}

run() {
    "$deployer" "$@" --output json 2>>"$events"
}

# Runs a command that is to end with a code.
ends_with() {
    local wanted=$1 code=0
    shift
    run "$@" || code=$?
    [ "$code" = "$wanted" ] || { echo "$* ended with $code, and not with $wanted" >&2; tail -3 "$events" >&2; exit 1; }
}

expect() {
    [ "$1" = "$2" ] || { echo "expected $2, and not $1" >&2; exit 1; }
}

deploy() {
    expect "$(run init shop --example users | value project)" shop
    cd shop
    # A stage that goes when nobody uses it.
    sed -i 's/^  dev:$/  dev:\n    expires: 1h/' stacks/stages.yaml

    ends_with 4 diff --exit-code >before.json
    expect "$(value different <before.json)" true
    run up --yes >up.json
    expect "$(value verification.verified <up.json)" true
    ends_with 0 diff --exit-code >same.json
    expect "$(value functions <same.json)" "[]"
    api="$(value apis.0.routes.0.url <up.json)?userId=nobody"
    body "$(value site.url <up.json)" | grep -i '<!doctype html>' > /dev/null
    expect "$(body "$api" | value error)" "No user found with userId: nobody"

    # A change: told, planned in one step and carried out in another.
    sed -i 's/No user found with userId/Nobody is called/' function/src/response.rs stacks/verify.yaml
    ends_with 4 diff --exit-code >diff.json
    expect "$(value functions.0.stack <diff.json)" logic
    expect "$(value site.changed <diff.json)" "[]"
    run up --plan plan.zip >planned.json
    expect "$(value functions.0.after <planned.json)" "$(value functions.0.after <diff.json)"
    expect "$(body "$api" | value error)" "No user found with userId: nobody"
    run up --execute plan.zip --yes >executed.json
    expect "$(body "$api" | value error)" "Nobody is called: nobody"
    # It was for what there was.
    ends_with 1 up --execute plan.zip --yes
    expect "$(tail -1 "$events" | value code)" changed-meanwhile

    # What it has written, the newest line last.
    run logs --since 10m >logs.jsonl
    expect "$(tail -1 logs.jsonl | value function)" "$(value functions.0.name <up.json)"

    # And back.
    run rollback --yes >back.json
    expect "$(body "$api" | value error)" "No user found with userId: nobody"
    expect "$(run releases | value releases.-1.rolledBackTo)" 1
    expect "$(run stages | value stages.0.expired)" false
    ends_with 0 down --expired --yes | value removed | grep -qx '\[\]'
}

# Long after.
expire() {
    cd shop
    expect "$(run stages | value stages.0.expired)" true
    run down --expired --yes >down.json
    expect "$(value removed.0.stage <down.json)" dev
}

# After all.
gone() {
    cd shop
    expect "$(run status | value stacks)" "[]"
    # Nothing that ended well said anything else than events.
    while read -r line; do echo "$line" | value event >/dev/null; done <"$events"
}

"$step"
