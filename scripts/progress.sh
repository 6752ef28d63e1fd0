# One line that tells how far something is. Sourced; draws on stderr.
# shellcheck shell=bash

on_terminal() { [[ -t 2 && ${TERM:-dumb} != dumb ]]; }

# draw_bar WORDS DONE ALL TAIL: building [========>   ] 12/28 TAIL
draw_bar() {
  local width=19 filled empty
  local full=$(($2 * width / $3))
  printf -v filled '%*s' "$full" ''
  printf -v empty '%*s' "$((width - full))" ''
  printf '\r\e[K%s [%s>%s] %s' "$1" "${filled// /=}" "$empty" "$4" >&2
}

clear_line() { printf '\r\e[K' >&2; }
