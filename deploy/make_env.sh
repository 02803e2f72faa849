#!/bin/sh
# Prints .env.example with a random value for every empty secret: sh deploy/make_env.sh > .env && chmod 600 .env
set -eu
cd "$(dirname "$0")/.."
while IFS= read -r line; do
  case "$line" in
    WAREHOUSE_URL=) printf '%s\n' "$line" ;;
    AIRFLOW_FERNET_KEY=) printf '%s%s\n' "$line" "$(openssl rand -base64 32 | tr '+/' '-_')" ;;
    [A-Z]*=) printf '%s%s\n' "$line" "$(openssl rand -hex 32)" ;;
    *) printf '%s\n' "$line" ;;
  esac
done < .env.example
