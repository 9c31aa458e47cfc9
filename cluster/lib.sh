# What cluster/up and Tests/run share. Sourced, never run; expects $root, the clone's directory.

# Says one plain sentence and gives up.
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Installs the Debian packages named that are not there yet. Touches nothing when all are.
need_packages() {
  command -v dpkg-query >/dev/null || return 0 # Not Debian: the tools may be there all the same.
  local missing=() package
  for package in "$@"; do
    [[ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" == *" installed" ]] || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return 0

  local as_root=()
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || fail "these packages are missing and only root can install them: apt-get install ${missing[*]}"
    as_root=(sudo -n)
  fi
  printf 'installing %s\n' "${missing[*]}"
  local log="$root/.build/packages.log"
  mkdir -p "$root/.build"
  if ! "${as_root[@]}" apt-get update >"$log" 2>&1 ||
    ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "could not install ${missing[*]}; everything apt-get said is in .build/packages.log"
  fi
}

# The package manager with all it writes kept inside the clone.
package() {
  local command="$1"
  shift
  command -v swift >/dev/null || fail "there is no 'swift' on the PATH; Tidings needs Swift 6.3 (swift.org/install)"
  # Every call of the compiler leaves an empty directory where temporary files are. Those of an hour ago are nobody's.
  local temporary="$root/.build/tmp"
  mkdir -p "$temporary"
  find "$temporary" -maxdepth 1 -name 'TemporaryDirectory.*' -mmin +60 -exec rm -rf {} +
  TMPDIR="$temporary" swift "$command" --package-path "$root" --scratch-path "$root/.build" --cache-path "$root/.build/cache" \
    --config-path "$root/.build/configuration" --security-path "$root/.build/security" \
    --explicit-target-dependency-import-check error "$@"
}
