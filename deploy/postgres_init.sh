#!/bin/sh
# Runs once, when the data folder of PostgreSQL is empty: databases and logins of Airflow and Metabase beside the
# warehouse. Passwords come from the environment, so that no command line shows them.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
set log_min_error_statement = panic;
\getenv airflow_password AIRFLOW_PASSWORD
\getenv metabase_password METABASE_DATABASE_PASSWORD
create role airflow login password :'airflow_password';
create role metabase login password :'metabase_password';
create database airflow owner airflow;
create database metabase owner metabase;
revoke all on database airflow, metabase from public;
SQL
