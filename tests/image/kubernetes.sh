#!/usr/bin/env bash
# deploy/kubernetes.yaml, as far as podman can play it: the Deployment, with one replica, and a secret
# that stands in for its own, which podman 4.3 stores and then cannot read.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=common.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.bash"

if [ "$ENGINE" != podman ]; then
    echo "kubernetes: skipped, only podman plays manifests without a cluster"
    check_report kubernetes
    exit
fi

PASSWORD=secret-$RANDOM
NETWORK=trendline-test-$$ # of the network, the secret, the deployment
MANIFEST=$SCRATCH/manifest.yaml

# Podman wants systemd for an image's health check, so that this one is built without.
build_images() {
    BUILDAH_FORMAT=oci podman build -q -t trendline-test-kubernetes "$ROOT" &&
        podman build -q -t trendline-test-postgres "$ROOT/tests/image/postgres"
}

# the document that podman knows, with the test's image and secret
write_manifest() {
    awk 'BEGIN { RS = "---\n" } /\nkind: Deployment\n/' "$ROOT/deploy/kubernetes.yaml" |
        sed -e 's|image: trendline:latest|image: localhost/trendline-test-kubernetes:latest|' \
            -e "s|name: trendline$|name: $NETWORK|" -e 's|replicas: 3|replicas: 1|' >"$MANIFEST"
}

make_secret() {
    printf '{"POSTGRES_URI": "%s"}' "$(printf 'postgresql://trendline:%s@%s-postgres/trendline' \
        "$PASSWORD" "$NETWORK" | base64 -w 0)" | podman secret create "$NETWORK" - >/dev/null
}

remove_all() {
    podman play kube --down "$MANIFEST"
    podman secret rm "$NETWORK"
    podman rm -f -t 2 "$NETWORK-postgres"
    podman network rm -f "$NETWORK"
} >/dev/null 2>&1

pods() {
    podman ps --filter "name=^$NETWORK-pod" --format '{{.Names}}' | grep -v infra
}

# address CONTAINER
address() {
    podman inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' \
        "$(podman inspect -f '{{.Pod}}' "$1" | xargs podman pod inspect -f '{{.InfraContainerID}}')" | cut -d' ' -f1
}

is_stored() {
    [ "$(status_of "$URL/action" -d '{"_id":"k1","a":1,"target":2}')" = "${1:-200}" ]
}

check_equal "the images are built" 0 "$(build_images >"$SCRATCH/build.log" 2>&1; echo $?)"
write_manifest
on_exit remove_all
podman network create "$NETWORK" >/dev/null
make_secret
podman run -d --name "$NETWORK-postgres" --network "$NETWORK" -e POSTGRES_USER=trendline \
    -e POSTGRES_DB=trendline -e POSTGRES_PASSWORD="$PASSWORD" trendline-test-postgres >/dev/null
check_equal "podman plays it" 0 "$(podman play kube --network "$NETWORK" "$MANIFEST" >"$SCRATCH/play.log" 2>&1; echo $?)"
URL=http://$(address "$(pods | head -n 1)"):8080
check_equal "it answers" yes "$(wait_until 30 curl -sf "$URL/healthz" && echo yes)"
check_equal "an event is stored" yes "$(wait_until 30 is_stored && echo yes)"
check_equal "as somebody who is not root" 1000 \
    "$(podman exec "$(pods | head -n 1)" id -u)"
check_equal "on a root that is read-only" 1 \
    "$(podman exec "$(pods | head -n 1)" touch /usr/local/x >/dev/null 2>&1; echo $?)"
check_report kubernetes
