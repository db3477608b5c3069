#!/bin/sh
# Installs missing Debian packages: tools/debian-packages.sh [--wine | package...]
# Default: all packages that tests use. --wine: those of npm run wine. Tests without theirs are skipped and print this command.
# Needs root, or sudo without a password, if something is missing. Exits with an error if it cannot install them.
set -eu

[ "${1-}" != --wine ] || set -- wine wine64 gcc-mingw-w64-x86-64-win32
[ $# -gt 0 ] || set -- gnome-keyring dbus libsecret-1-0 chromium fonts-dejavu-core fonts-liberation tmux zsh fish curl \
  postgresql pgbouncer redis-server ntfs-3g

missing=""
for package in "$@"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || { echo "apt-get not found; missing packages:$missing" >&2; exit 1; }
as_root=""
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "run as root: apt-get install$missing" >&2; exit 1; }
  as_root="sudo -n"
fi

# Test files run in parallel, and apt-get fails if its lists are locked.
if command -v flock >/dev/null && exec 9</var/lib/apt/lists; then flock 9; fi

echo "installing$missing" >&2
apt="$as_root apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
export DEBIAN_FRONTEND=noninteractive

# Tests start PostgreSQL and Redis themselves, so the installation creates no cluster and starts no service.
case "$missing" in *postgresql*)
  $as_root mkdir -p /etc/postgresql-common/createcluster.d
  echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.d/tests.conf >/dev/null
esac
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
  trap '$as_root rm -f $policy' EXIT
fi

# shellcheck disable=SC2086 # word splitting is intended
{
  $apt update
  $apt install -y --no-install-recommends $missing
} >&2
