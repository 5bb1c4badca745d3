# A collector, from the Debian package that scripts/build made. Build it in the checkout:
#   docker build -f deploy/containers/collector.Dockerfile -t hayrick-collector .
# It runs as the user hayrick, needs no capability, and writes to /var/lib/hayrick alone (/tmp for exports and queries).
FROM debian:12-slim
COPY dist/hayrick-collector_*.deb /tmp/
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends /tmp/hayrick-collector_*.deb tshark \
    && rm -rf /var/lib/apt/lists/* /tmp/*.deb
COPY deploy/containers/collector.toml /etc/hayrick/collector.toml
# The package makes the user.
# hadolint ignore=DL3066
USER hayrick
VOLUME /var/lib/hayrick
EXPOSE 8005 8006
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["/usr/lib/hayrick/bin/python", "-Ic", "import urllib.request as r; r.urlopen('http://127.0.0.1:8005/healthz', timeout=5)"]
ENTRYPOINT ["hayrick"]
CMD ["collector", "run", "--config", "/etc/hayrick/collector.toml"]
