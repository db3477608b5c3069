#!/bin/sh
# Installs the executable agent-auth for this machine, after checking it against SHA256SUMS.
#   AGENT_AUTH_URL  the folder of a release, which holds the executables and SHA256SUMS (required)
#   AGENT_AUTH_DIR  where to install; default: ~/.local/bin
set -eu

fail() {
  echo "agent-auth was not installed: $1" >&2
  exit 1
}

url=${AGENT_AUTH_URL:-}
[ -n "$url" ] || fail "set AGENT_AUTH_URL to the folder of a release"
folder=${AGENT_AUTH_DIR:-${HOME:?}/.local/bin}
# A redirect must not leave TLS.
case "$url" in
  [Hh][Tt][Tt][Pp]:*) redirects='=http,https' ;;
  *) redirects='=https' ;;
esac

case "$(uname -s)" in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "there is no executable for $(uname -s)" ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no executable for $(uname -m)" ;;
esac
name=agent-auth-$os-$arch
# The C library of Alpine Linux and its like.
if [ "$os" = linux ] && ls /lib/ld-musl-* >/dev/null 2>&1 && ! ls /lib64/ld-linux-* /lib/ld-linux-* >/dev/null 2>&1; then
  name=$name-musl
fi

download() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --proto-redir "$redirects" --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --output-document="$2" "$1"
  else
    fail "neither curl nor wget is installed"
  fi || fail "cannot download $1"
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM

download "$url/SHA256SUMS" "$temporary/SHA256SUMS"
download "$url/$name" "$temporary/$name"
expected=$(awk -v name="$name" '$2 == name { print $1 }' "$temporary/SHA256SUMS")
[ -n "$expected" ] || fail "SHA256SUMS does not list $name"
[ "$(checksum "$temporary/$name")" = "$expected" ] || fail "the checksum of $name does not match"

mkdir -p "$folder"
# Beside the target, so that the last step replaces an older one at once, also while it runs.
cp "$temporary/$name" "$folder/.agent-auth.new"
chmod 755 "$folder/.agent-auth.new"
if ! version=$("$folder/.agent-auth.new" --version); then
  rm -f "$folder/.agent-auth.new"
  fail "the executable does not run on this machine"
fi
mv -f "$folder/.agent-auth.new" "$folder/agent-auth"
echo "Installed agent-auth $version as $folder/agent-auth"
case ":$PATH:" in
  *":$folder:"*) ;;
  *) echo "Add $folder to your PATH." ;;
esac
