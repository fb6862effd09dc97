#!/usr/bin/env bash
# Builds the image of the sample service.
#
# usage: service/build-image.sh [TAG]     default swift-deploy-1-node:latest
#
# The daemon is the one that DOCKER_HOST or docker's context names. TARGET
# overrides the Rust target, CARGO_TARGET_DIR the build folder, as for cargo.
set -euo pipefail

tag=${1:-swift-deploy-1-node:latest}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${TARGET:-$(uname -m)-unknown-linux-gnu}

cd "$here/.."
# --target keeps the flag away from build scripts and procedural macros, which
# run on this machine and cannot be linked statically.
RUSTFLAGS='-C target-feature=+crt-static' \
  cargo build --release --locked --target "$target" -p swiftdeploy-service

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "${CARGO_TARGET_DIR:-target}/$target/release/swiftdeploy-service" "$context/"
cp service/Dockerfile "$context/"
chmod 755 "$context/swiftdeploy-service"
docker build --quiet --tag "$tag" "$context" >/dev/null
echo "$tag: $(docker image inspect --format '{{.Size}}' "$tag") bytes"
