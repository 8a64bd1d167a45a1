# The contract's part of tests/run: buf lint, and buf breaking against the last landed contract.

LANDED=tests/golden/contract.binpb

# Makes .tools/contract, a workspace in which buf finds our contract and the foreign files that it imports. Those come
# from the crate that carries them, and are not copied into the tree.
contract_workspace() {
    local foreign
    foreign=$(cargo metadata --format-version 1 --locked --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" |
        .tools/python/bin/python -c '
import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "prost-protovalidate-types":
        print(os.path.join(os.path.dirname(package["manifest_path"]), "proto"))')
    rm -rf .tools/contract
    mkdir -p .tools/contract/proto .tools/contract/imports
    ln -s "$PWD/proto/mingce" .tools/contract/proto/mingce
    ln -s "$foreign" .tools/contract/foreign
    sed 's|^  - path: \.$|  - path: proto\n  - path: foreign\n  - path: imports|; s|^      - mingce/|      - proto/mingce/|' \
        proto/buf.yaml >.tools/contract/buf.yaml
    # One file that imports all that the contract may import: from it come the imports of the landed contract.
    {
        echo 'syntax = "proto3";'
        printf 'import "google/protobuf/%s.proto";\n' any descriptor duration empty field_mask struct timestamp wrappers
        echo 'import "buf/validate/validate.proto";'
    } >.tools/contract/imports/imports.proto
}

buf() { (cd .tools/contract && ../bin/buf "$@"); }

contract_lint() {
    contract_workspace
    buf lint proto
}

# Fails on a change that would break a client of the last landed contract.
contract_breaking() {
    local to=.tools/contract
    buf build imports --exclude-source-info -o imports.binpb || return
    buf build proto --exclude-imports -o now.binpb || return
    # Encoded sets of files, one after the other, are the set of all of them.
    cat "$to/now.binpb" "$to/imports.binpb" >"$to/now-whole.binpb"
    cat "$LANDED" "$to/imports.binpb" >"$to/landed-whole.binpb" || return
    sed -n '/^version:/p; /^breaking:/,$p' proto/buf.yaml >"$to/buf-breaking.yaml"
    buf breaking now-whole.binpb --against landed-whole.binpb --config buf-breaking.yaml
}

# buf breaking, and then that the landed contract is the present one, so that each change of it is a deliberate one.
contract_landed() {
    if ! contract_breaking; then
        echo "the contract breaks its clients (docs/testing.md says how to accept that)" >&2
        return 1
    fi
    buf build proto --exclude-imports --exclude-source-info -o present.binpb
    if ! cmp -s .tools/contract/present.binpb "$LANDED"; then
        echo "the contract has changed, and breaks no client: accept it with 'tests/run accept-contract'" >&2
        return 1
    fi
}

# Makes the present contract the landed one. A breaking change must be asked for by name.
accept_contract() {
    contract_lint
    if [ "${1:-}" != --breaking ] && [ -e "$LANDED" ] && ! contract_breaking; then
        echo "this breaks clients: if it is meant, 'tests/run accept-contract --breaking'" >&2
        return 1
    fi
    buf build proto --exclude-imports --exclude-source-info -o present.binpb
    UPDATE_GOLDEN=1 cargo test --locked --quiet --workspace --test e2e contract::
    cp .tools/contract/present.binpb "$LANDED"
    echo "accepted: review and commit the change of tests/golden"
}
