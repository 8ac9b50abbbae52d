#!/usr/bin/env bash
# Debian packages that the tests need beside Python: installed where we may (root and apt), named loudly where we may not.
# The tests themselves say what they left out; in CI (CI=true) leaving out is failing.
set -euo pipefail

missing=()
for command in openssl jq zsh; do
  command -v "$command" >/dev/null || missing+=("$command")
done
# Debian keeps the server's programs off the path.
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Debian packages for the tests: ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    # The tests make servers of their own, so Debian's needs not be made, let alone be running.
    apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
    sed -ri "s/^#?\s*create_main_cluster\s*=.*/create_main_cluster = false/" /etc/postgresql-common/createcluster.conf
  fi
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "NOT INSTALLED: ${missing[*]}. The tests that need them will be left out, or fail in CI." >&2
  echo "    install them with: apt-get install ${missing[*]}" >&2
fi
