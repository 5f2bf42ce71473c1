#!/bin/sh
# Starts Open MPI's daemon in another network namespace, as ssh would on another host: agent.sh HOST COMMAND...
shift
exec ip netns exec "$BENCH_NAMESPACE" sh -c "$*"
