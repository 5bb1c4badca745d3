"""`hayrick collector drop add|list|remove`: which sensors may deliver by SFTP, and what sshd must be told for it."""

from __future__ import annotations

import argparse
import grp
import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig
    from hayrick_collector.landing.drop_folders import Access


def add_parser(commands: Any) -> None:
    """Register the commands under `hayrick collector`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "drop", help="let sensors deliver by SFTP", description="The folders into which sensors deliver by SFTP."
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "Make a sensor's folder, with owner and modes, and print what sshd and the sensor need. Run it as root."
    adding = _action(actions, "add", "make a sensor's folder; print what sshd needs", about, add)
    adding.add_argument("name", metavar="NAME", help="the sensor")
    adding.add_argument("--account", metavar="USER", help="its account on this machine (default: hayrick-NAME)")
    adding.add_argument("--group", metavar="GROUP", help="the collector's group (default: the data folder's)")
    adding.add_argument("--key", type=Path, metavar="FILE.pub", help="its public SSH key")
    _action(actions, "list", "sensors' folders and what waits there", "List sensors' folders.", show)
    removing = _action(
        actions, "remove", "delete a sensor's folder", "Delete a folder; its sensor is shut out.", remove
    )
    removing.add_argument("name", metavar="NAME", help="the sensor")
    removing.add_argument("--force", action="store_true", help="even if chunks wait there")


def _action(actions: Any, name: str, brief: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=brief, description=about)
    options.add_folder(parser)
    parser.set_defaults(run=run)
    return parser


def add(args: argparse.Namespace) -> int:
    """Make the folder, print the rest of the way."""
    from hayrick_collector.landing import drop_folders

    config = _config(args)
    public = _public(args.key) if args.key else "ssh-ed25519 AAAA..."
    gid = _group(args.group) if args.group else config.data.stat().st_gid
    account = args.account or (f"hayrick-{args.name}" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    uid = _user(account, gid)
    try:
        drop_folders.add(config.drop, args.name, uid, gid)
    except PermissionError as error:
        raise UsageError(f"{error.filename or config.drop}: not permitted; run this as root") from error
    why = drop_folders.obstacle(config.drop)
    print(_guide(drop_folders.Access(config.drop, args.name, account, not why), public))
    if why:
        print(f"note: {account} is not confined to the drop, since {why}; set landing.drop to a folder that only root "
              "can change the way to, such as /srv/hayrick-drop, and run this again", file=sys.stderr)  # fmt: skip
    return 0


def _guide(access: Access, public: str) -> str:
    from hayrick_collector.landing.drop_folders import KEY_FILES

    return "\n".join([
        f"# made {access.root / access.sensor}, for the account {access.account}",
        f"# 1. /etc/ssh/sshd_config.d/{access.account}.conf (then: sshd -t && systemctl reload ssh)",
        access.sshd_block(),
        f"# 2. {KEY_FILES / access.account}.keys (root's, mode 0644, in a folder of mode 0755)",
        access.key_line(public),
        "# 3. the sensor's settings",
        '[collector]\ntransport = "sftp"',
        f'address = "sftp://{access.account}@HOST{access.path}"',
        'key_file = "/etc/hayrick/id_ed25519"\nknown_hosts = "/etc/hayrick/known_hosts"',
    ])  # fmt: skip


def show(args: argparse.Namespace) -> int:
    """List the folders."""
    from hayrick_collector.landing import drop_folders

    for each in drop_folders.listed(_config(args).drop):
        age = "no report yet" if each.report_seconds is None else f"reported {each.report_seconds:.0f} s ago"
        print(f"{each.sensor:20} {_name_of(each.account):20} {each.chunks:6} chunks wait, {each.bytes / 1e6:.1f} MB, "
              f"{each.refused} refused, {age}")  # fmt: skip
    return 0


def remove(args: argparse.Namespace) -> int:
    """Delete the folder."""
    from hayrick_collector.landing import drop_folders

    config = _config(args)
    drop_folders.remove(config.drop, args.name, args.force)
    print(f"removed {config.drop / args.name}; its account, key file and sshd_config are yours to remove")
    return 0


def _config(args: argparse.Namespace) -> CollectorConfig:
    from hayrick_collector.config import load_config

    config = load_config(args.config, data=args.data)
    if not config.data.is_dir():
        raise UsageError(f"there is no data folder {config.data}; `hayrick collector init` makes it")
    return config


def _public(path: Path) -> str:
    line = path.read_text("utf-8").strip()
    if len(line.splitlines()) != 1 or not line.startswith(("ssh-", "ecdsa-", "sk-")):
        raise UsageError(f"{path} is no public SSH key (one line that begins with its kind, such as ssh-ed25519)")
    return line


def _user(name: str, gid: int) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        make = f"useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin --password '*' {name}"
        raise UsageError(f"there is no account {name}; make it, then run this again:\n  {make}") from error


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise UsageError(f"there is no group {name}") from error


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
