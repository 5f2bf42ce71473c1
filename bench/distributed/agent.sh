#!/bin/sh
# Starts Open MPI's daemon in another network namespace, as ssh would on another host: agent.sh HOST COMMAND...
shift
exec unshare --uts sh -c 'hostname "$0" && exec ip netns exec "$0" sh -c "$1"' "$BENCH_NAMESPACE" "$*"
