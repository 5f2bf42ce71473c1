#!/bin/bash
# Runs a job again until it succeeds, at most a number of times. The program resumes from its checkpoint.
#   ./restart.sh 5 mpirun -n 4 --hostfile hosts node train.js
# RESTART_PAUSE: seconds before the next attempt, default 10.
set -uo pipefail

if [[ $# -lt 2 || ! $1 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 <attempts> <command> [arguments]" >&2
  exit 2
fi
attempts=$1
shift

for ((attempt = 1; ; attempt++)); do
  "$@"
  status=$?
  # 130 and 143: somebody stopped it.
  if ((status == 0 || status == 130 || status == 143)); then exit "$status"; fi
  echo "attempt $attempt of $attempts ended with status $status" >&2
  if ((attempt >= attempts)); then exit "$status"; fi
  sleep "${RESTART_PAUSE:-10}"
done
