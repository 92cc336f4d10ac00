# All three programs in one image: satellite (the default), ssm and smartagent.
#   docker build -t satellite .
#   docker run -p 8443:8443 -v satellite-data:/data satellite
#   docker run -p 8444:8443 -v ssm-data:/data --entrypoint /ssm satellite serve --data /data --listen :8443
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# SQLite is C, so cgo stays on and the C library is linked in. netgo, osusergo and sqlite_omit_load_extension keep out
# what a static C library cannot do (its resolver, its user database, dlopen); timetzdata brings in the time zones that
# the image lacks. The symbols stay, because a crash report is read with them.
RUN CGO_ENABLED=1 go build -trimpath \
      -tags 'netgo,osusergo,sqlite_omit_load_extension,timetzdata' \
      -ldflags '-extldflags "-static"' \
      -o /out/ ./cmd/satellite ./cmd/ssm ./cmd/smartagent
# Folders that the final stage cannot make for itself, because it has no shell.
RUN mkdir -p /empty && mkdir -m 0700 /empty/data /empty/tmp

FROM scratch
COPY --from=build /out/ /
# 65532 is nobody in particular; the folders belong to it, so a fresh volume does too.
COPY --from=build --chown=65532:65532 /empty/ /
USER 65532:65532
# There is no /etc/passwd to look them up in.
ENV USER=satellite HOME=/data
VOLUME /data
EXPOSE 8443
# There is no shell and no curl: the program asks its own socket in the data folder.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/satellite", "healthcheck", "--data", "/data"]
ENTRYPOINT ["/satellite"]
CMD ["serve", "--data", "/data", "--listen", ":8443"]
