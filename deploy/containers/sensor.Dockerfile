# A sensor, from the Debian package that scripts/build made. Build it in the checkout:
#   docker build -f deploy/containers/sensor.Dockerfile -t hayrick-sensor .
# It runs as the user hayrick in the host's network, writes to its spool alone, and needs one capability: NET_RAW, which tcpdump
# has by its file (so "no-new-privileges" must not be set), and the sensor itself has not.
FROM debian:12-slim
COPY dist/hayrick-sensor_*.deb /tmp/
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends /tmp/hayrick-sensor_*.deb libcap2-bin \
    && setcap cap_net_raw+ep /usr/bin/tcpdump \
    && rm -rf /var/lib/apt/lists/* /tmp/*.deb
# The package makes the user.
# hadolint ignore=DL3066
USER hayrick
VOLUME /var/lib/hayrick/sensor
ENTRYPOINT ["hayrick"]
CMD ["sensor", "run", "--config", "/etc/hayrick/sensor.toml"]
