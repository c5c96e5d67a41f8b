#!/bin/sh
# Send COUNT requests with kcat, in the structured form: produce.sh SERVERS COUNT [TOPIC-PREFIX]
set -eu
servers=$1 count=$2 prefix=${3-}
run=$(date -u +%s)-$$  # so that another run's events are other events

# One line per event: the tenant, which is the key, a tab, and the event.
i=0
while [ "$i" -lt "$count" ]; do
    i=$((i + 1))
    printf 'kcat-%s\t{"specversion":"1.0","id":"%s-%s","source":"/examples/kcat","type":"usage.request.v1","subject":"kcat-%s","time":"%s","data":{"operation":"chat","model":"gpt-4o-mini","status_code":200,"duration_ms":12.5,"user_id":"u-%s","input_tokens":100,"output_tokens":20,"cost":"0.00021"}}\n' \
        $((i % 3)) "$run" "$i" $((i % 3)) "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $((i % 7))
done |
    # Without idempotence a retry makes a second copy (which is dropped as a duplicate). murmur2 is
    # the partitioner of Java's clients: whoever else emits a tenant's events uses the same partition.
    # An event may have 1 MiB, which the client's default refuses.
    kcat -P -E -b "$servers" -t "${prefix}usage.requests" -K '	' \
        -H content-type=application/cloudevents+json \
        -X acks=all -X enable.idempotence=true -X compression.codec=lz4 -X linger.ms=50 \
        -X topic.partitioner=murmur2_random -X message.max.bytes=2097152

echo "sent $count events"
