#!/bin/bash
# A replica set of one, with users: its members know each other by a key file, made from the environment
# because a mounted file can't be given the owner and mode that mongod insists on.
set -euo pipefail
install -d -o mongodb -g mongodb /data/key
(umask 077; printf '%s' "$MONGO_REPLICA_KEY" | sha512sum | cut -c1-128 >/data/key/replica)
chown mongodb:mongodb /data/key/replica
chmod 400 /data/key/replica
unset MONGO_REPLICA_KEY
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /data/key/replica --bind_ip_all
