# Finds what is missing on this machine and installs it. Sourced; expects $root; talks on stderr.
# shellcheck shell=bash disable=SC2154

# shellcheck source-path=SCRIPTDIR
. "$root/scripts/progress.sh"

say() { printf '%s\n' "$*" >&2; }

# Rust is the one thing that is not installed for anybody: it belongs to the user.
need_rust() {
  local needed found
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin
  if ! command -v cargo >/dev/null; then
    say "Rust missing: install Rust $needed or newer (https://www.rust-lang.org/tools/install), then run this again"
    exit 3
  fi
  if ! found=$(cd "$root" && cargo --version 2>&1); then
    say "Rust does not work: $found"
    exit 3
  fi
  found=${found#cargo }
  found=${found%%[ -]*}
  if ! at_least "$found" "$needed"; then
    say "Rust $found is too old: $needed or newer is needed (rustup update, or https://www.rust-lang.org/tools/install)"
    exit 3
  fi
}

# at_least 1.95.0 1.95: whether the first version is the second or a newer one.
at_least() {
  local major minor needed_major needed_minor rest
  IFS=. read -r major minor rest <<<"$1"
  IFS=. read -r needed_major needed_minor rest <<<"$2"
  ((major > needed_major || (major == needed_major && minor >= needed_minor)))
}

is_there() {
  local choices choice
  IFS='|' read -ra choices <<<"$1"
  for choice in "${choices[@]}"; do
    case $choice in
      cc) command -v cc >/dev/null && can_compile ;;
      /*) compgen -G "$choice" >/dev/null ;;
      *) command -v "$choice" >/dev/null ;;
    esac && return
  done
  return 1
}

# A compiler without headers or start files is there and yet cannot build anything.
can_compile() {
  local place status=0
  place=$(mktemp -d)
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' >"$place/program.c"
  cc -o "$place/program" "$place/program.c" 2>/dev/null || status=1
  rm -rf "$place"
  return "$status"
}

# need_packages build test: installs what these need, by the list in debian-packages, and what is missing.
need_packages() {
  local purpose looked_for package words
  local packages=() wanted=() around=()
  while read -r purpose looked_for package words; do
    [[ " $* " == *" $purpose "* ]] || continue
    is_there "$looked_for" && continue
    packages+=("$package")
    [[ $purpose != test ]] || around=("$root/scripts/without-services")
    wanted+=("$looked_for" "$words")
    if command -v apt-get >/dev/null; then
      say "$words missing: installing $package (apt)"
    else
      say "$words missing: install what Debian calls $package with this system's package manager, then run this again"
    fi
  done < <(grep -v '^#' "$root/scripts/debian-packages")
  ((${#packages[@]})) || return 0
  command -v apt-get >/dev/null || exit 3
  install_packages "${packages[@]}"
  set -- "${wanted[@]}"
  while (($#)); do
    is_there "$1" || { say "$2 still missing, though apt-get reports success: $1"; exit 3; }
    shift 2
  done
}

# Installs them, with the command in $around, if any, around apt-get.
install_packages() {
  local as_root=() log
  if ((EUID != 0)); then
    as_root=(sudo)
    on_terminal || as_root+=(-n)
    if ! command -v sudo >/dev/null || ! "${as_root[@]}" true </dev/null; then
      say "this takes root: let root run apt-get install $*, then run this again"
      exit 3
    fi
  fi
  log=$(mktemp)
  local apt=("${as_root[@]+"${as_root[@]}"}" "${around[@]+"${around[@]}"}" env DEBIAN_FRONTEND=noninteractive
    apt-get --yes -o DPkg::Lock::Timeout=300 -o APT::Status-Fd=1)
  # The lists of a fresh system are empty, those of an old one out of date: only then they are fetched.
  if ! { run_apt install "$@" || { run_apt update && run_apt install "$@"; }; }; then
    tail -n 20 "$log" >&2
    say "apt-get could not install $*: its last words are above"
    rm -f "$log"
    exit 3
  fi
  rm -f "$log"
}

# Of $apt's output its status goes into a bar, the rest into $log.
run_apt() {
  local line kind percent rest
  "${apt[@]}" --no-install-recommends "$@" </dev/null 2>&1 | while IFS= read -r line; do
    case $line in
      dlstatus:* | pmstatus:*)
        on_terminal || continue
        IFS=: read -r kind rest percent rest <<<"$line"
        percent=${percent%%.*}
        [[ $kind == dlstatus ]] && kind=fetching || kind=installing
        draw_bar "$kind" "$percent" 100 "$percent %"
        ;;
      *) printf '%s\n' "$line" >>"$log" ;;
    esac
  done
  local status=${PIPESTATUS[0]}
  if on_terminal; then clear_line; fi
  return "$status"
}
