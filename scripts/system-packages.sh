#!/usr/bin/env bash
# Debian packages that the tests need beside Python: installed where we may (root and apt), named loudly where we may not.
# The tests themselves say what they left out; in CI (CI=true) leaving out is failing.
set -euo pipefail

declare -A needed=([openssl]=openssl [jq]=jq [zsh]=zsh)   # command -> package
missing=()
for command in "${!needed[@]}"; do
  command -v "$command" >/dev/null || missing+=("${needed[$command]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian packages for the tests: ${missing[*]}" >&2
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
else
  echo "NOT INSTALLED: ${missing[*]}. The tests that need them will be left out, or fail in CI." >&2
  echo "    install them with: apt-get install ${missing[*]}" >&2
fi
