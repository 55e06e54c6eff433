#!/bin/sh
# Generates the messages and stubs that client.py uses into stubs/, from the contract alone. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")"
contract=../../../proto
rm -rf stubs
mkdir stubs
# Unquoted on purpose: one argument a file, and no name in the contract holds white space.
"${PYTHON:-python3}" -m grpc_tools.protoc -I "$contract" --python_out=stubs --grpc_python_out=stubs \
    $(cd "$contract" && find throughline google -name '*.proto' | sort)
