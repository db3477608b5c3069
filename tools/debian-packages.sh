#!/bin/sh
# Installs Debian packages that are missing: tools/debian-packages.sh [package...]
# Without names: everything that a test can use. Tests that miss theirs print this command and are skipped.
# Needs root (or sudo without a password) only where something is missing. Exits non-zero where it cannot help.
set -eu

[ $# -gt 0 ] || set -- gnome-keyring dbus libsecret-1-0 chromium fonts-dejavu-core fonts-liberation tmux zsh fish curl

missing=""
for package in "$@"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || { echo "no apt-get here; missing:$missing" >&2; exit 1; }
as_root=""
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "as root: apt-get install$missing" >&2; exit 1; }
  as_root="sudo -n"
fi

# Test files run side by side, and the lock on apt's lists is one that nobody waits for.
if command -v flock >/dev/null && exec 9</var/lib/apt/lists; then flock 9; fi

echo "installing$missing" >&2
apt="$as_root apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the lists are meant to split
{
  $apt update
  $apt install -y --no-install-recommends $missing
} >&2
