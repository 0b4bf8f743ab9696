# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags='-s -w' -o /skald ./cmd/skald

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /skald /skald
# In a container loopback is nobody. Without authentication, serve refuses this unless SKALD_ALLOW_UNAUTHENTICATED is set.
ENV SKALD_HTTP_ADDR=0.0.0.0:8080 SKALD_LOG_FORMAT=json
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["/skald"]
CMD ["serve"]
