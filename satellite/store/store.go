// Package store keeps the satellite's data in SQLite. It is the only importer
// of gorm, and knows no rule of the domain.
//
// One connection writes: it puts many Update calls into one transaction with
// synchronous=FULL and answers them after the commit, which is durable and fast
// at once (writer.go). A pool of read-only connections serves the views. gorm
// builds the statements, but for the few of the device path, which are prepared
// once on the writer's connection (transaction.go).
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"runtime"
	"sync"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"ssm/satellite"
)

//go:embed migrations
var migrations embed.FS

// Options say where the data is.
type Options struct {
	Path     string // of the SQLite file
	Node     string // whose chain of events this process writes; default "1"
	ReadOnly bool   // opens an existing database without a writer
}

// Store implements satellite.Store.
type Store struct {
	readers  *gorm.DB
	pool     *sql.DB
	prepared sync.Map // statements of the readers, by their text
	writer   *writer
}

var _ satellite.Store = (*Store)(nil)

// Open opens or makes the database and brings its tables up to date. Only one
// process may have it open for writing: the caller holds the data folder's lock.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Node == "" {
		options.Node = "1"
	}
	s := &Store{}
	if !options.ReadOnly {
		db, err := sql.Open("sqlite3", source(options.Path, "rwc", url.Values{"_txlock": {"immediate"}}))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		if err := migrate(ctx, db); err != nil {
			return nil, errors.Join(fmt.Errorf("bring the tables of %s up to date: %w", options.Path, err), db.Close())
		}
		if s.writer, err = newWriter(ctx, db, options.Node); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if err := s.openReaders(options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// source is the DSN. Every pragma stands in it, so that each new connection has
// them: set on one pooled connection they would be missing on the next.
func source(path, mode string, more url.Values) string {
	values := url.Values{
		"mode": {mode}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_busy_timeout": {"10000"},
		"_foreign_keys": {"1"}, "_cache_size": {"-32768"},
	}
	for key, value := range more {
		values[key] = value
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: values.Encode()}).String()
}

func (s *Store) openReaders(options Options) error {
	pool, err := sql.Open("sqlite3", source(options.Path, "ro", url.Values{"_query_only": {"1"}, "_txlock": {"deferred"}}))
	if err != nil {
		return err
	}
	readers := max(4, 2*runtime.NumCPU())
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	s.pool = pool
	s.readers, err = openGorm(pool)
	return err
}

func openGorm(pool gorm.ConnPool) (*gorm.DB, error) {
	return gorm.Open(sqlite.Dialector{Conn: pool}, &gorm.Config{
		SkipDefaultTransaction: true, TranslateError: true, DisableAutomaticPing: true, Logger: logger.Discard,
	})
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// View implements satellite.Store.
func (s *Store) View(ctx context.Context, f func(satellite.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Statements run without the caller's context: the driver would start a
	// goroutine for each, and every one of them is short.
	tx, err := s.pool.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written; the snapshot is given up
	// The context makes gorm copy the statement, whose connection is set next.
	db := s.readers.Session(&gorm.Session{NewDB: true, Context: context.Background()})
	db.Statement.ConnPool = tx
	return f(&transaction{db: db, statements: pooled{tx: tx, pool: s.pool, byText: &s.prepared}})
}

// Update implements satellite.Store.
func (s *Store) Update(ctx context.Context, f func(satellite.Tx) error) error {
	if s.writer == nil {
		return errors.New("the database is open for reading only")
	}
	return s.writer.update(ctx, f)
}

// Close waits for the updates that are under way.
func (s *Store) Close() error {
	var err error
	if s.writer != nil {
		err = s.writer.close()
	}
	if s.pool != nil {
		err = errors.Join(err, s.pool.Close())
	}
	return err
}

// Ping reads one row, for the readiness check.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.pool.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}
