#!/usr/bin/env bash
# Run once by the database's image, in an empty cluster: the two logins, the owner and the database. Everything else the migrations make.
#
# `throughline_migrate` makes the roles and owns the database; `throughline_app` is the program's, inherits nothing and owns nothing.
set -euo pipefail

app=$(cat /run/secrets/db_app)
migrate=$(cat /run/secrets/db_migrate)
# Passwords go in as variables of psql: quoted by it, and in no argument list.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<SQL
\set app '$app'
\set migrate '$migrate'
CREATE ROLE throughline_migrate LOGIN CREATEROLE PASSWORD :'migrate';
CREATE ROLE throughline_app LOGIN NOINHERIT PASSWORD :'app';
-- From PostgreSQL 16 on, whoever makes a role may not become it: the owner of all objects is made here, and given.
CREATE ROLE throughline_owner NOLOGIN NOINHERIT;
GRANT throughline_owner TO throughline_migrate;
CREATE DATABASE throughline OWNER throughline_migrate TEMPLATE template0 ENCODING 'UTF8';
SQL
