# shellcheck shell=bash
# The part `package` of .ci/run: packs the package, installs it with npm from a registry on the loopback device into
# bare systems without compiler, Python and OpenBLAS, and trains with it on every runtime. The bare systems need root;
# without it the same is done in folders of this machine, which proves less.

checkout=$PWD
work=build/package
tarballs=$work/tarballs
tools=$work/tools/node_modules
figures=$work/figures
tarball=

# The binaries' tests need an emulator, the bare systems the rest.
package_system_packages() {
  [ "$(id -u)" -ne 0 ] || apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 \
    mmdebstrap debian-archive-keyring qemu-user-static
}

# package_tools <folder> <folder>: what the first one's package.json and lock file pin, in the second
package_tools() {
  node --input-type=module -e '
    import { installOnce } from "./scripts/support.mjs";
    process.exitCode = installOnce(...process.argv.slice(1)) ? 0 : 1;' "$@"
}

# The tarball and its contents.
pack() {
  rm -rf $tarballs $work/contents && mkdir -p $tarballs $work/contents || return
  npm pack --ignore-scripts --loglevel=error --pack-destination $tarballs || return
  tarball=$(echo $tarballs/blasnet-*.tgz)
  tar -xzf "$tarball" -C $work/contents --strip-components=1
}

package_fits() { node .ci/check-pack.mjs "$tarball" $work/contents | tee -a $figures; }

start_registry() {
  rm -f $work/registry
  node .ci/package/registry.mjs $tarballs >$work/registry &
  for _ in $(seq 100); do
    [ -s $work/registry ] && return
    sleep 0.1
  done
  return 1
}

# bare_system <release of Debian>: C and C++ library, a shell, and the runtimes in /opt
bare_system() {
  local root=$work/$1
  rm -rf --one-file-system "$root" || return
  if [ "$(id -u)" -eq 0 ]; then
    mmdebstrap --quiet --variant=extract --include=base-files,libstdc++6,libatomic1,coreutils,dash "$1" "$root" \
      http://deb.debian.org/debian || return
    if find "$root" -name '*openblas*' -o -path '*/bin/gcc*' -o -path '*/bin/python3*' | grep .; then return 1; fi
  fi
  mkdir -p "$root/opt" "$root/app" "$root/home" &&
    cp -al $tools/{node20,node22,node24,node26,bun,deno,npm11,npm12} "$root/opt"
}

# inside <system> <runtime> <command...>: runs it in the system's /app, with nothing of this machine's environment
inside() {
  local root=$checkout/$work/$1 runtime=$2 at='' launcher=()
  shift 2
  if [ "$(id -u)" -eq 0 ]; then
    # The mounts are this process's own and go with it.
    # shellcheck disable=SC2016
    launcher=(unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root")
  else
    at=$root
  fi
  timeout -k 5 120 "${launcher[@]}" env -i -C "$at/app" "PATH=$at/opt/$runtime/bin:/usr/bin:/bin" "HOME=$at/home" \
    "npm_config_registry=$(cat $work/registry)" "$@"
}

# without_warnings <command...>
without_warnings() {
  local status
  "$@" >$work/stdout 2>$work/stderr
  status=$?
  cat $work/stdout $work/stderr
  [ $status -eq 0 ] && [ ! -s $work/stderr ] && ! grep -iE 'warn|allow-?scripts|blocked|deprecated' $work/stdout
}

# apart <system> <command...>: runs it in a copy of the project, where no other packages are around it
apart() {
  local project status
  project=$(mktemp -d) && cp -r "$work/$1/app/." "$project" || return
  shift
  (cd "$project" && "$@")
  status=$?
  rm -rf "$project"
  return $status
}

# The declarations do with nothing but the package.
types_fit() {
  local compile=(node "$checkout/node_modules/typescript/bin/tsc" --noEmit --strict --types '' --target es2022)
  "${compile[@]}" --module nodenext types.ts && "${compile[@]}" --module esnext --moduleResolution bundler types.ts
}

# With a compiler and OpenBLAS, the package's sources do for an addon of its own.
builds_from_source() {
  rm -r node_modules/blasnet/prebuilds && node_modules/.bin/blasnet build && node train.mjs native &&
    node_modules/.bin/blasnet info | grep '^addon: .*/build/Release/blasnet.node$'
}

# new_project <system>: as a user has it, and npm has nothing in its cache
new_project() {
  rm -rf "${work:?}/$1/app" "${work:?}/$1/home" && mkdir -p "$work/$1/app" "$work/$1/home" &&
    cp .ci/package/user/* "$work/$1/app" && echo '{ "private": true, "type": "module" }' >"$work/$1/app/package.json"
}

# installs <system> <runtime> <npm>
installs() {
  local system=$1 runtime=$2 npm="../opt/$3/bin/npm-cli.js" npx="../opt/$3/bin/npx-cli.js" start
  local installed="$work/$1/app/node_modules/blasnet"
  trains() { inside "$system" "$runtime" node train.mjs native; }

  new_project "$system" || return
  without_warnings inside "$system" "$runtime" node "$npm" install blasnet --ignore-scripts && trains || return
  new_project "$system" || return
  start=$(date +%s%N)
  without_warnings inside "$system" "$runtime" node "$npm" install blasnet || return
  [ "$(ls "$work/$system/app/node_modules")" = blasnet ] || return
  echo "$3 on $runtime in $system: cold install in $((($(date +%s%N) - start) / 1000000)) ms" >>$figures
  trains || return
  rm -rf "$work/$system/app/node_modules" && without_warnings inside "$system" "$runtime" node "$npm" ci && trains || return
  without_warnings inside "$system" "$runtime" node "$npm" rebuild && trains || return
  inside "$system" "$runtime" node "$npx" blasnet info | tee $work/info || return
  grep -q '^backend: *native$' $work/info || return

  # Without its binary the package warns once, says what to do, and trains all the same.
  mv "$installed/prebuilds" "$installed/away" || return
  inside "$system" "$runtime" node train.mjs typescript 2>$work/stderr || return
  mv "$installed/away" "$installed/prebuilds" && cat $work/stderr &&
    [ "$(grep -c BlasnetWarning $work/stderr)" -eq 1 ] && grep -q 'npx blasnet build' $work/stderr
}

# runs <system> <runtime> <command that runs a program...>: imported, required, and stopped in the middle of a training
runs() {
  local system=$1 runtime=$2
  shift 2
  inside "$system" "$runtime" "$@" train.mjs native && inside "$system" "$runtime" "$@" train.cjs &&
    inside "$system" "$runtime" "$@" stop.mjs
}

# From nothing the binaries take minutes: OpenBLAS for two architectures, zig's C++ library and blasnet for four
# targets. That begins early, with what the other parts leave of the machine; the rest is done at their priority, which
# only root may raise. A process group of its own, so that this reaches the compilers.
binaries=
begin_binaries() {
  [ "$(uname -m)" = x86_64 ] || return 0
  set -m
  nice -n 10 npm run prebuild </dev/null >"$logs/prebuild.txt" 2>&1 &
  binaries=$!
  set +m
  trap 'kill -- "-$binaries" $(jobs -p) 2>/dev/null' EXIT
}
prebuilt_binaries() {
  local status
  renice -n "$(nice)" -g "$binaries"
  timeout 2400 tail --pid="$binaries" -f /dev/null || kill -- "-$binaries"
  wait "$binaries"
  status=$?
  cat "$logs/prebuild.txt"
  return $status
}

package_part() {
  local systems=(bookworm bullseye) system node
  if [ "$(uname -m)" != x86_64 ]; then
    echo 'package: not run, it needs an x86-64 machine'
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo 'package: not root, so it is installed on this system and not in bare ones'
    systems=(here)
  fi
  mkdir -p $work
  : >$figures
  check 'system packages of the package' package_system_packages
  check 'runtimes and npm' package_tools .ci/package $work/tools
  check "users' tools" package_tools .ci/package/user-tools $work/user-tools
  for system in "${systems[@]}"; do check "bare system, $system" bare_system "$system"; done
  check 'prebuilt binaries' prebuilt_binaries
  # In an emulator, one process at a time.
  aside 'tests of the prebuilt binaries, arm64' node scripts/prebuild.mjs --test linux-arm64-glibc linux-arm64-musl
  counted 'tests of the prebuilt binaries, x64' npm run prebuild -- --test linux-x64-glibc linux-x64-musl
  check 'package' pack
  check 'contents of the package' package_fits
  check 'publint' $work/user-tools/node_modules/.bin/publint --strict "$tarball"
  check 'attw' $work/user-tools/node_modules/.bin/attw "$tarball"
  check 'registry' start_registry
  for system in "${systems[@]}"; do
    check "package on $system, npm 11 on Node.js 20" installs "$system" node20 npm11
  done
  system=${systems[0]}
  check "package on $system, npm 12 on Node.js 24" installs "$system" node24 npm12
  check 'types for a user' apart "$system" types_fit
  check 'code of the pages' node .ci/package/pages.mjs $work/contents node_modules/typescript/bin/tsc
  counted "compilers, tests and bundles of users" node .ci/package/bundles.mjs $work/user-tools/node_modules $work/contents
  check 'package builds from source' apart "$system" builds_from_source
  for node in 20 22 24 26; do check "package on Node.js $node" runs "$system" "node$node" node; done
  check 'package on Bun' runs "$system" node20 ../opt/bun/bin/bun
  check 'package on Deno' runs "$system" node20 ../opt/deno/deno run --allow-all
  joined 'tests of the prebuilt binaries, arm64'
  sed 's/^/    /' $figures
}
