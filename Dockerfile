# syntax=docker/dockerfile:1

# The image of the operator: `docker build .` is all that it takes. Nothing is in it but the binary, the CAs and the licence.

# Alpine's Rust builds for musl, which makes the binary a static one. The digest is that of an index: both architectures.
FROM rust:1.95-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2 AS build
WORKDIR /source
COPY . .
# What `statuspage version` says of the commit; the folder .git is no part of the context.
ARG COMMIT=""
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    STATUSPAGE_BUILD_COMMIT="$COMMIT" cargo build --locked --profile dist --bin statuspage \
    && install -D -m 0555 target/dist/statuspage /image/statuspage \
    && install -D -m 0444 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && install -D -m 0444 LICENSE /image/licenses/LICENSE

FROM scratch
ARG COMMIT=""
LABEL org.opencontainers.image.title="statuspage-operator" \
      org.opencontainers.image.description="Keeps an Atlassian Statuspage page equal to what is declared in YAML" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /image/ /
# By number, so that `runAsNonRoot` can be checked; any other user will do.
USER 65532:65532
ENTRYPOINT ["/statuspage"]
