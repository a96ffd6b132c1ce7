# The first stage collects what the pipe needs from an official Python image (image/assemble.py;
# image/left_out.py lists what is left out and why). The second stage contains nothing else.
#
# Renovate pins the digest here (renovate.json). Where no registry can be reached, a local image
# replaces it: docker build --build-arg BASE=...
ARG BASE=python:3.13-slim-trixie
FROM ${BASE} AS build

# Debian keeps only one version of a package, so a pinned one would break the build later.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends busybox tzdata \
 && rm -rf /var/lib/apt/lists/*

COPY requirements.txt /source/
RUN python3 -m pip install --root-user-action ignore --no-cache-dir --no-compile --no-deps \
      --require-hashes --requirement /source/requirements.txt --target /site

COPY image /source/image
COPY pipe /source/pipe
COPY pipe.yml README.md LICENSE /source/
# The commit's time, so that two builds of one commit are identical.
ARG SOURCE_DATE_EPOCH=0
# Debug ranges are for underlining in sources, which are not in the image.
RUN PYTHONHASHSEED=0 PYTHONNODEBUGRANGES=1 python3 /source/image/assemble.py /site /source /rootfs


FROM scratch
# No user of a step owns these files: deploy tests without capabilities cannot change them, not even
# as root.
COPY --from=build --chown=65533:65533 /rootfs /

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bitbucket-deploy-pipe" \
      org.opencontainers.image.description="Deploys a container image to a nholuongut service" \
      org.opencontainers.image.source="https://bitbucket.org/nholuongut/bitbucket-deploy-pipe" \
      org.opencontainers.image.vendor="nholuongut" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENV PATH=/usr/local/bin:/usr/bin:/bin
STOPSIGNAL SIGTERM
# -I: neither variables nor files of the clone folder affect imports; -u: lines reach the log
# at once.
ENTRYPOINT ["python3", "-I", "-u", "-m", "pipe"]
