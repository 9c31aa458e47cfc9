#!/usr/bin/env bash
# Stands for any program that writes a log: service.sh [LINES [SECONDS BETWEEN]]
lines="${1:-1000000}"
pause="${2:-0.2}"
levels=(INFO INFO INFO INFO INFO WARN INFO INFO INFO ERROR)
doing=("GET /orders 200" "GET /orders/42 200" "POST /orders 201" "job 7 done" "cache refreshed" "slow query, 812 ms" "GET / 200" "GET /search 200"
  "mail sent" "payment refused by the bank")
for ((line = 1; line <= lines; line++)); do
  which=$((RANDOM % 10))
  printf '%s %s #%d %s\n' "$(date +%T)" "${levels[which]}" "$line" "${doing[which]}"
  sleep "$pause"
done
