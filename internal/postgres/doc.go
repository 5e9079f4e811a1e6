// Package postgres runs a private PostgreSQL server as a child process, for `make run` on a fresh machine and for tests.
//
// # Where the programs come from
//
// The folder named by the caller, and no other; else pg_config, PATH and the usual folders of distributions, Homebrew and
// Postgres.app, version 15 or later; else a pinned npm package, fetched with the machine's own npm, checked against a checksum in this
// package and unpacked without running any of its scripts. A folder that holds data of one major version is only ever opened with
// programs of that version.
//
// # What it promises
//
//   - Only 127.0.0.1 on a free port, no socket file, scram passwords that are generated once and kept beside the data, readable by the owner only.
//   - Settings are durable unless Options.Unsafe says otherwise, whatever the folder's postgresql.conf says.
//   - A root process hands initdb and postgres to an unprivileged account, because neither runs as root: postgres, else the user behind sudo, else nobody.
//   - One process owns a folder: the lock is inherited by postgres itself, so that a successor waits until the server before it is gone.
//   - When the owner ends in any way, kill -9 included, the server shuts down cleanly (Linux: by the parent-death signal; elsewhere the next
//     Start stops the orphan first). When the server itself is killed, it is started again on the same port.
package postgres
