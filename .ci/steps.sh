# shellcheck shell=bash
# The steps of .ci/run. A check counts as one test; a suite counts the tests that it reports, and a suite without tests
# as a failure. Output is shown where something failed.

passed=0
failed=0
logs=build/ci
mkdir -p "$logs"

# begin <name>: the step that is counted next, and the log of its output
begin() {
  step=$1
  step_log=$logs/$(tr -c 'A-Za-z0-9\n' '-' <<<"$1").log
  step_start=$SECONDS
}

# count <passed> <failed>
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  printf '%s: %d passed, %d failed (%d s)\n' "$step" "$1" "$2" $((SECONDS - step_start))
  if [ "$2" -gt 0 ]; then tail -n 150 "$step_log" | sed 's/^/    /'; fi
}

# count_reported <status>: by the last line of the log, `N passed, N failed`
count_reported() {
  local good=0 bad=0
  if [[ $(tail -n 1 "$step_log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
  fi
  if [ "$bad" -eq 0 ] && { [ "$1" -ne 0 ] || [ "$good" -eq 0 ]; }; then bad=1; fi
  count "$good" "$bad"
}

# limited <command...>: a step that hangs must not take the report with it. Functions run in this shell.
limited() {
  if declare -F "$1" >/dev/null; then "$@"; else timeout 1200 "$@"; fi
}

# check <name> <command...>
check() {
  begin "$1"
  if limited "${@:2}" </dev/null >"$step_log" 2>&1; then count 1 0; else count 0 1; fi
}

# counted <name> <command...>: a command whose last line is `N passed, N failed`
counted() {
  begin "$1"
  limited "${@:2}" </dev/null >"$step_log" 2>&1
  count_reported $?
}

# aside <name> <command...>: a step that runs beside the next ones, for a core that they leave free; joined <name> waits
# for it and counts it.
declare -A asides
trap 'kill $(jobs -p) 2>/dev/null' EXIT
aside() {
  begin "$1"
  timeout 1200 "${@:2}" </dev/null >"$step_log" 2>&1 &
  asides[$1]=$!
}
joined() {
  begin "$1"
  wait "${asides[$1]}"
  local status=$?
  if tail -n 1 "$step_log" | grep -qE '^[0-9]+ passed, [0-9]+ failed$'; then
    count_reported $status
  elif [ $status -eq 0 ]; then
    count 1 0
  else
    count 0 1
  fi
}

# js_suite <name> [vitest arguments...]: runs `npm test`, with the caller's environment
js_suite() {
  local report="$logs/$1.json" status counts
  begin "test suite, $1"
  rm -f "$report"
  timeout 1200 npm test -- --reporter=default --reporter=json --outputFile.json="$report" "${@:2}" \
    </dev/null >"$step_log" 2>&1
  status=$?
  counts=$(node .ci/count-vitest.mjs "$report" "$status")
  # shellcheck disable=SC2086
  count $counts
}

# The patterns are written so that they do not find themselves.
no_machine_paths() {
  ! git grep -nIE --untracked '(^|[^A-Za-z0-9_.])/(roo[t]|wor[k]|hom[e]/[a-z]|User[s]/[A-Za-z])/' -- .
}

no_registry_hosts() {
  ! git grep -nIE --untracked 'https?://[^ "]*registr[y]|registr[y]\.(npmjs|yarnpkg)|npmmirro[r]' -- . &&
    ! grep -n '"resolved"' package-lock.json
}

# only_napi_symbols <addon>
only_napi_symbols() {
  local symbols
  symbols=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sort | tr '\n' ' ')
  echo "$1 exports: $symbols"
  [ "$symbols" = 'napi_register_module_v1 node_api_module_get_api_version_v1 ' ]
}

# The linker keeps one copy of an inline function: were it the AVX-512 one, other sets would run it on any CPU.
no_shared_inlines() {
  local set objects status=0
  for set in avx2 avx512; do
    [ "$(uname -m)" = x86_64 ] || return 0
    objects=$(find native/build/Release/obj.target/kernels_$set -name '*.o')
    [ -n "$objects" ] || return 1
    # shellcheck disable=SC2086
    if nm -C --defined-only $objects | grep -E '^[0-9a-f]+ [WVu] ' | grep -v " blasnet::$set::"; then status=1; fi
  done
  return $status
}

start_learns() {
  local log="$logs/start.txt" accuracy
  timeout 600 npm start -- --epochs 1 | tee "$log" || return 1
  accuracy=$(sed -nE 's/^test accuracy: ([0-9.]+).*$/\1/p' "$log")
  tail -n 1 "$log" | grep -q '^report: .*report\.html$' || return 1
  [ -n "$accuracy" ] && awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.95 && a <= 1) }'
}

finish() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
