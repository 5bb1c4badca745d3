"""How a host's own init system is told to keep the sensor running, as its own user."""

from __future__ import annotations

from hayrick_common.confinement import CONFINEMENT

# Each line that lets it do more than nothing has its reason beside it; docs/OPERATIONS.md repeats them.
SYSTEMD = """\
# {made}
[Unit]
Description=Hayrick sensor: captures, keeps and ships chunks of packets
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
User=hayrick
Group=hayrick
ExecStart={hayrick} sensor run --config /etc/hayrick/sensor.toml
Restart=always
RestartSec=2
# A sensor that does not tell in time that its loop turns is killed and started again.
WatchdogSec=60
# SIGTERM goes to the sensor alone, which ends tcpdump without losing what the kernel still holds for it; a killed
# sensor's tcpdump is left to the next one.
KillMode=process
TimeoutStopSec=60
# Capturing needs it, promiscuously too; nothing else does. Only monitor mode (tcpdump -I) needs CAP_NET_ADMIN besides.
AmbientCapabilities=CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_RAW
# netlink: libpcap lists interfaces by it; packet: what is captured comes by it.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET
StateDirectory=hayrick
ReadWritePaths={spool}
{confinement}
ProcSubset=pid
RestrictNamespaces=yes
MemoryDenyWriteExecute=yes
UMask=0077
# pidfd_getfd: by it tcpdump's socket is made deaf before it ends, so that nothing is lost.
SystemCallFilter=@system-service pidfd_getfd pidfd_open
SystemCallFilter=~@privileged @resources
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""

# It only uses the network: capturing goes on when that is stopped, and there may be no service of the name.
OPENRC = """\
#!/sbin/openrc-run
# Written by `hayrick fleet up`.
description="Hayrick sensor: captures, keeps and ships chunks of packets"
supervisor=supervise-daemon
command=/opt/hayrick/supervise
command_args=run
respawn_delay=2
respawn_max=0
retry="TERM/60/KILL/5"

depend() {
    use net
}
"""

PATHS = {"systemd": "/etc/systemd/system/hayrick-sensor.service", "openrc": "/etc/init.d/hayrick-sensor"}


FLEET = "Written by `hayrick fleet up`."
INSTALLED = "/opt/hayrick/current/bin/hayrick"


def systemd(*, made: str, hayrick: str, spool: str) -> str:
    """The unit's text: who wrote it, where the command is, and the folder that the sensor writes to."""
    return SYSTEMD.format(made=made, hayrick=hayrick, spool=spool, confinement=CONFINEMENT)


def unit(manager: str, spool: str) -> tuple[str, str]:
    """Path and text of what the init system reads; empty where there is none."""
    if manager == "systemd":
        return PATHS[manager], systemd(made=FLEET, hayrick=INSTALLED, spool=spool)
    if manager == "openrc":
        return PATHS[manager], OPENRC
    return "", ""
