# Sourced by ./run and benchmarks/peers: runs "$@" in an environment that the first call creates.
# They set
#   script, example        how a user calls the script, and a command that it takes
#   root, venv, pins       the repository, the environment's folder, the file that pins its packages
#   versions, version_fits the Python that it needs, in words and as a condition on sys.version_info (`version`)
#   size                   what the first call costs
#   install                a function that installs the packages, with `pip` for the environment's own

fail() {
    echo "${script##*/}: $*" >&2
    exit 1
}

pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }

create_environment() {
    local python=${PYTHON:-python3} hint="PYTHON=/path/to/python3.12 $script ..."
    command -v "$python" >/dev/null || fail "'$python' not found; install $versions, or name one: $hint"
    "$python" -c "import sys; version = sys.version_info; sys.exit(not ($version_fits))" ||
        fail "$("$python" --version 2>&1) will not do; $versions is needed: $hint"
    if { [ -e "$venv" ] || [ -L "$venv" ]; } && [ ! -e "$made" ] && [ ! -e "$stamp" ]; then
        fail "$venv is there, and $script did not make it: move it away; or use it: source $venv/bin/activate"
    fi
    python=$("$python" -c "import sys; print(sys._base_executable)") # $venv's own python goes with it
    echo "${script##*/}: setting the environment up in ${venv##*/}, once ($size) ..." >&2
    rm -rf "$venv"
    mkdir "$venv"
    touch "$made"
    "$python" -m venv "$venv" || fail "'$python -m venv' failed (on Debian and Ubuntu: apt install python3-venv)"
    install || fail "the installation failed (see above); the next call tries again from the start"
    echo "$wanted" >"$stamp"
}

made=$venv/made-for-this-project # written first: without it, or the next, the folder is somebody else's
stamp=$venv/installed-for        # written last: an environment without it was left half-made and is made again
wanted="$(cksum <"$pins") $root" # an environment cannot be moved: its programs name its folder
is_as_wanted() { [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; }
if ! is_as_wanted; then
    exec 9<"$pins"
    ! command -v flock >/dev/null || flock 9 # another call may be making it
    is_as_wanted || create_environment >&2
    exec 9<&-
fi
[ $# -gt 0 ] || fail "usage: $script COMMAND [ARGUMENT ...], for example: $script $example"

export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH
exec "$@"
