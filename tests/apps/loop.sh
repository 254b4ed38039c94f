#!/bin/sh
# A shell script that writes, and waits for a signal.
echo "shell $$ args: $*"
trap 'echo stopped; exit 0' TERM
while :; do sleep 0.1; done
