# shellcheck shell=bash
# The steps of .ci/run. A check counts as one test; a suite counts the tests that it reports, and a suite without tests
# as a failure. Output is shown where something failed.

passed=0
failed=0
logs=build/ci
mkdir -p "$logs"

# count <passed> <failed> <name> <log> <seconds>
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  printf '%s: %d passed, %d failed (%d s)\n' "$3" "$1" "$2" "$5"
  if [ "$2" -gt 0 ]; then tail -n 150 "$4" | sed 's/^/    /'; fi
}

log_of() {
  printf '%s/%s.log' "$logs" "$(tr -c 'A-Za-z0-9\n' '-' <<<"$1")"
}

# limited <command...>: a step that hangs must not take the report with it. Functions run in this shell.
limited() {
  if declare -F "$1" >/dev/null; then "$@"; else timeout 600 "$@"; fi
}

# check <name> <command...>
check() {
  local name=$1 log start=$SECONDS
  log=$(log_of "$name")
  shift
  if limited "$@" </dev/null >"$log" 2>&1; then
    count 1 0 "$name" "$log" $((SECONDS - start))
  else
    count 0 1 "$name" "$log" $((SECONDS - start))
  fi
}

# js_suite <name> [vitest arguments...]: runs `npm test`, with the caller's environment
js_suite() {
  local name="test suite, $1" log report start=$SECONDS status counts
  log=$(log_of "$name")
  report="$logs/$1.json"
  shift
  rm -f "$report"
  timeout 600 npm test -- --reporter=default --reporter=json --outputFile.json="$report" "$@" </dev/null >"$log" 2>&1
  status=$?
  counts=$(node .ci/count-vitest.mjs "$report" "$status")
  # shellcheck disable=SC2086
  count $counts "$name" "$log" $((SECONDS - start))
}

# count_reported <name> <log> <status> <start>: by the last line of the log, `N passed, N failed`
count_reported() {
  local line
  line=$(tail -n 1 "$2")
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    local good=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]}
    if [ "$bad" -eq 0 ] && { [ "$3" -ne 0 ] || [ "$good" -eq 0 ]; }; then bad=1; fi
    count "$good" "$bad" "$1" "$2" $((SECONDS - $4))
  else
    count 0 1 "$1" "$2" $((SECONDS - $4))
  fi
}

# cpp_suite <name> <sanitizers>: builds and runs native/test
cpp_suite() {
  local name=$1 directory="build/cpp-${2%%,*}" log start=$SECONDS launcher=(timeout 600)
  log=$(log_of "$name")
  # Older sanitizers do not start where addresses are randomised over a wide range.
  if setarch -R true 2>/dev/null; then launcher+=(setarch -R); fi
  {
    cmake -S . -B "$directory" -G Ninja -DBLASNET_TESTS=ON -DSANITIZE="$2" &&
      ninja -C "$directory" blasnet_tests &&
      UBSAN_OPTIONS=print_stacktrace=1 "${launcher[@]}" "$directory/blasnet_tests"
  } </dev/null >"$log" 2>&1
  count_reported "$name" "$log" $? "$start"
}

# counted <name> <command...>: a command whose last line is `N passed, N failed`
counted() {
  local name=$1 log start=$SECONDS
  log=$(log_of "$name")
  shift
  limited "$@" </dev/null >"$log" 2>&1
  count_reported "$name" "$log" $? "$start"
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
  accuracy=$(tail -n 1 "$log" | sed -nE 's/^test accuracy: ([0-9.]+).*$/\1/p')
  [ -n "$accuracy" ] && awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.95 && a <= 1) }'
}

finish() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
